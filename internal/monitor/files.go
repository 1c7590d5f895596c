package monitor

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/jks"
	"github.com/tlswright/tlswright/pki/ocsp"
	"github.com/tlswright/tlswright/pki/pkcs12"
	"github.com/tlswright/tlswright/scan"
)

// Bounds on files.
const (
	maxFile         = 16 << 20 // bytes of one file
	maxFilesOf      = 2000     // files of one target
	maxCertificates = 2000     // of one file
	maxPasswords    = 32
)

// files looks at the files of a target. A pattern that fits nothing is a file that cannot be read.
func (l *looker) files(s *spec) []*watch.Observation {
	passwords, err := readPasswords(s.Passwords)
	var list []*watch.Observation
	unreadable := func(place string, err error) {
		list = append(list, &watch.Observation{Place: place, Source: watch.Disk, At: l.o.Now(), Outcome: watch.Unreadable, Error: pki.Printable(err.Error())})
	}
	if err != nil {
		unreadable(s.Passwords, err)
		return list
	}
	for _, pattern := range s.Files {
		paths, err := doublestar.FilepathGlob(pattern, doublestar.WithFilesOnly())
		if err == nil && len(paths) == 0 {
			err = errors.New("no such file")
		}
		if err != nil {
			unreadable(pattern, err)
			continue
		}
		// A pattern takes in what lies beside; a name means that file.
		isPattern, found := len(paths) != 1 || paths[0] != filepath.Clean(pattern), false
		for _, path := range paths {
			if slices.ContainsFunc(list, func(o *watch.Observation) bool { return o.Place == path }) {
				found = true // another pattern fits it, too
				continue
			}
			if len(list) >= maxFilesOf {
				unreadable(pattern, fmt.Errorf("more than %d files: name fewer", maxFilesOf))
				return list
			}
			o := &watch.Observation{Place: path, Source: watch.Disk, At: l.o.Now(), Outcome: watch.Answered}
			err := readFile(o, path, passwords)
			if isPattern && isBeside(path, err) {
				continue
			}
			found = true
			if err != nil {
				o.Outcome, o.Error = watch.Unreadable, pki.Printable(err.Error())
			}
			list = append(list, o)
		}
		if !found {
			unreadable(pattern, errNothing)
		}
	}
	return list
}

// What a file may hold beside certificates.
var (
	errNothing = errors.New("it holds no certificate and no CRL")
	errOther   = errors.New("it holds a key or the like, and no certificate")
)

// isBeside reports whether a file that could not be read is none that was meant: a key lies in most folders with certificates,
// and often only its owner may read it.
func isBeside(path string, err error) bool {
	return errors.Is(err, errOther) || errors.Is(err, fs.ErrPermission) && strings.Contains(strings.ToLower(filepath.Base(path)), "key")
}

// readPasswords reads a file with one password a line. The empty password and Java's usual one are always tried.
func readPasswords(file string) ([][]byte, error) {
	list := [][]byte{nil, []byte("changeit")}
	if file == "" {
		return list, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(data) {
		if len(list) < maxPasswords {
			list = append(list, bytes.TrimRight(line, "\r\n"))
		}
	}
	return list, nil
}

// readFile puts what a file holds into an observation.
func readFile(o *watch.Observation, path string, passwords [][]byte) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is no file")
	case info.Size() > maxFile:
		return fmt.Errorf("it has %d bytes, more than the %d that are read", info.Size(), maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return parseFile(o, data, passwords)
}

// parseFile reads whatever holds certificates or a CRL: PEM, DER, PKCS #12, JKS, kubeconfig.
func parseFile(o *watch.Observation, data []byte, passwords [][]byte) error {
	var chains [][][]byte
	var err error
	switch {
	case jks.Is(data):
		chains, err = readJKS(data, passwords)
	case pkcs12.Is(data):
		chains, err = readPKCS12(data, passwords)
	case bytes.Contains(data, []byte("-----BEGIN ")):
		chains, err = readPEM(o, data)
	case len(data) > 0 && data[0] == 0x30:
		chains, err = readDER(o, data)
	default:
		chains, err = readKubeconfig(data)
	}
	if err != nil {
		return err
	}
	for _, chain := range chains {
		if len(o.Leaves) < maxCertificates {
			o.Leaves = append(o.Leaves, leafOfFile(chain))
		}
	}
	if len(o.Leaves) == 0 && len(o.Lists) == 0 {
		if block, _ := pem.Decode(data); block != nil {
			return errOther
		}
		return errNothing
	}
	return nil
}

func leafOfFile(chain [][]byte) watch.Leaf {
	var l watch.Leaf
	for _, der := range chain {
		c := scan.Describe(der)
		l.Chain = append(l.Chain, certificateOf(&c))
	}
	return l
}

// readPEM takes the first certificate with all that stand above it as a chain, and others, as in bundles of roots, each
// for itself.
func readPEM(o *watch.Observation, data []byte) (chains [][][]byte, err error) {
	var ders [][]byte
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
			if ders = append(ders, block.Bytes); len(ders) > maxCertificates {
				return nil, fmt.Errorf("it holds more than %d certificates", maxCertificates)
			}
		case "X509 CRL":
			if err := readCRL(o, block.Bytes); err != nil {
				return nil, err
			}
		}
	}
	return chained(ders), nil
}

// chained puts certificates that follow each other, each signed by the next one's name, into chains.
func chained(ders [][]byte) (chains [][][]byte) {
	subject := func(der []byte) (subject, issuer string) {
		c := scan.Describe(der)
		return c.Subject, c.Issuer
	}
	for i, der := range ders {
		if i > 0 {
			_, issuer := subject(ders[i-1])
			name, _ := subject(der)
			if last := len(chains) - 1; issuer == name {
				chains[last] = append(chains[last], der)
				continue
			}
		}
		chains = append(chains, [][]byte{der})
	}
	return chains
}

func readDER(o *watch.Observation, data []byte) ([][][]byte, error) {
	if c := scan.Describe(data); c.Unreadable == "" || c.Subject != "" {
		return [][][]byte{{data}}, nil
	}
	if r, err := ocsp.ParseResponse(data); err == nil {
		return nil, readOCSP(o, r)
	}
	return nil, readCRL(o, data)
}

// readOCSP takes an answer that servers staple from a file.
func readOCSP(o *watch.Observation, r *ocsp.Response) error {
	if r.Status != ocsp.Successful {
		return errors.New("it is an OCSP answer that tells nothing")
	}
	for _, one := range r.Singles[:min(len(r.Singles), maxCertificates)] {
		o.Lists = append(o.Lists, watch.List{Issuer: fmt.Sprintf("the serial number %x", one.ID.Serial), Answer: one.Status.String(), ThisUpdate: one.ThisUpdate, NextUpdate: one.NextUpdate})
	}
	return nil
}

func readCRL(o *watch.Observation, der []byte) error {
	l, err := crl.Parse(der)
	if err != nil {
		return err
	}
	issuer := hex.EncodeToString(l.RawIssuer)
	if name, err := issuerName(l.RawIssuer); err == nil {
		issuer = name
	}
	list := watch.List{Issuer: issuer, ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, Entries: l.Count}
	if l.Number != nil {
		list.Number = l.Number.String()
	}
	o.Lists = append(o.Lists, list)
	return nil
}

func readPKCS12(data []byte, passwords [][]byte) ([][][]byte, error) {
	for _, p := range passwords {
		b, err := pkcs12.Decode(data, p)
		if errors.Is(err, pkcs12.ErrWrongPassword) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var chains [][][]byte
		var chain [][]byte
		for _, c := range b.Chain {
			chain = append(chain, c.Raw)
		}
		if len(chain) > 0 {
			chains = append(chains, chain)
		}
		for _, c := range b.Trusted {
			chains = append(chains, [][]byte{c.Raw})
		}
		return chains, nil
	}
	return nil, errors.New("no password opens it: name a file with it under passwords")
}

func readJKS(data []byte, passwords [][]byte) ([][][]byte, error) {
	for _, p := range passwords {
		entries, err := jks.Decode(data, p, nil)
		if errors.Is(err, jks.ErrWrongPassword) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var chains [][][]byte
		for _, e := range entries {
			var chain [][]byte
			for _, c := range e.Chain {
				chain = append(chain, c.Raw)
			}
			if len(chain) > 0 {
				chains = append(chains, chain)
			}
		}
		return chains, nil
	}
	return nil, errors.New("no password opens it: name a file with it under passwords")
}

// kubeData finds certificates in a kubeconfig: base64 of PEM, behind one of two keys. Reading the whole of YAML for them
// would take a file for broken that kubectl reads.
func kubeData() *regexp.Regexp {
	return regexp.MustCompile(`(?m)["']?(client-certificate-data|certificate-authority-data)["']?:\s*["']?([A-Za-z0-9+/=]+)`)
}

func readKubeconfig(data []byte) (chains [][][]byte, err error) {
	seen := make(map[[sha256.Size]byte]bool)
	for _, m := range kubeData().FindAllSubmatch(data, maxCertificates) {
		text, err := base64.StdEncoding.DecodeString(string(m[2]))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m[1], err)
		}
		ders, err := pki.CertificatesPEM(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m[1], err)
		}
		for _, chain := range chained(ders) {
			if sum := sha256.Sum256(slices.Concat(chain...)); !seen[sum] {
				seen[sum] = true
				chains = append(chains, chain)
			}
		}
	}
	return chains, nil
}

// issuerName writes a Name for people.
func issuerName(der []byte) (string, error) {
	attributes, err := parseName(der)
	if err != nil {
		return "", err
	}
	return strings.Join(attributes, ", "), nil
}
