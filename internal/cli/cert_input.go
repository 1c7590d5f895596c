package cli

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/jks"
	"github.com/tlswright/tlswright/pki/pkcs12"
	"github.com/tlswright/tlswright/pki/pkcs7"
)

// maxInput bounds what is read from a file or from standard input, in bytes.
const maxInput = 16 << 20

// maxList bounds a file with CRLs, in bytes: a list of a million entries has 35 MiB, and half as much again as PEM.
const maxList = 128 << 20

// format is how certificates and keys come in a file.
type format string

// The formats.
const (
	formatPEM    format = "PEM"
	formatDER    format = "DER"
	formatPKCS7  format = "PKCS#7"
	formatPKCS12 format = "PKCS#12"
	formatJKS    format = "JKS"
	formatPeer   format = "TLS" // the chain that a server sent
)

// contents is what was found in an input.
type contents struct {
	origin   string // the file, "standard input", or HOST:PORT
	format   format
	certs    [][]byte // DER, in the order of the input
	keys     []foundKey
	publics  []crypto.PublicKey
	requests [][]byte // CSRs, DER
	lists    [][]byte // CRLs, DER
	others   []string // PEM blocks of other types
	staple   []byte   // the OCSP response that a server sent, DER
	scts     [][]byte // the timestamps that it sent in the handshake
}

// foundKey is a private key of an input.
type foundKey struct {
	key       crypto.Signer
	encrypted bool
	container string // "PKCS#8", "PKCS#1", "SEC 1", or that of the store
	name      string // in a key store
}

// sniff guesses what data is by its first bytes; "" where it is nothing we know.
func sniff(data []byte) format {
	switch {
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return formatPEM
	case jks.Is(data):
		return formatJKS
	case !derSequence(data):
		return ""
	case pkcs12.Is(data):
		return formatPKCS12
	case pkcs7.Is(data):
		return formatPKCS7
	}
	return formatDER
}

// readInput reads one argument of a command: a file, "-", or a server. f may be nil where a command takes no server.
func (a *app) readInput(cmd *cobra.Command, arg string, f *peerFlags, secret *secretFlags) (*contents, error) {
	if f != nil && isServer(arg) {
		return a.readServer(cmd, arg, f)
	}
	if keystore.IsTokenURI(arg) {
		return a.readToken(arg, secret)
	}
	data, origin, err := a.readBytes(arg)
	if err != nil {
		if f != nil && errors.Is(err, fs.ErrNotExist) && !looksLikeFile(arg) {
			return a.readServer(cmd, arg, f)
		}
		return nil, err
	}
	if arg != "-" && keystore.IsTokenURI(strings.TrimSpace(string(data[:min(len(data), maxTokenURI)]))) {
		return a.readToken(arg, secret)
	}
	c := &contents{origin: origin}
	if err := a.take(c, data, secret); err != nil {
		return nil, err
	}
	return c, nil
}

// maxTokenURI bounds how much of a file is looked at to tell whether it names a key in a token, in bytes.
const maxTokenURI = 4096

// tokenContainer is where keys in tokens are kept.
const tokenContainer = "PKCS#11 token"

// readToken opens a private key that stays in a PKCS #11 token: what names it is a URI, or a file with one.
func (a *app) readToken(arg string, secret *secretFlags) (*contents, error) {
	if secret == nil {
		return nil, &failure{kind: kindLocal, text: "a pkcs11: URI names a private key in a token, which is not what is wanted here"}
	}
	key, err := keystore.ReadKeyWith(arg, func(path string) ([]byte, error) { return a.secret(secret, pki.Printable(path)) })
	if err != nil {
		return nil, cannotRun(err, "")
	}
	origin, _, _ := strings.Cut(arg, "?") // behind which the PIN may stand
	return &contents{origin: pki.Printable(origin), keys: []foundKey{{key: key, container: tokenContainer}}}, nil
}

// readBytes reads a file, or standard input for "-".
func (a *app) readBytes(arg string) (data []byte, origin string, err error) {
	return a.readBytesWithin(arg, maxInput)
}

// readBytesWithin is readBytes with a bound of its own, in bytes.
func (a *app) readBytesWithin(arg string, bound int64) (data []byte, origin string, err error) {
	if arg == "-" {
		if a.ui.err.width > 0 && !a.ui.inputIsPiped() {
			a.ui.notef("reading standard input; end with Ctrl-D")
		}
		data, err = io.ReadAll(io.LimitReader(a.ui.in, bound+1))
		origin = "standard input"
	} else {
		data, err = readFileWithin(arg, bound)
		origin = arg
	}
	switch {
	case err != nil:
		return nil, origin, cannotRun(err, "")
	case int64(len(data)) > bound:
		return nil, origin, &failure{kind: kindLocal, text: fmt.Sprintf("%s has more than %d MiB", origin, bound>>20)}
	case len(bytes.TrimSpace(data)) == 0:
		return nil, origin, &failure{kind: kindLocal, text: origin + " is empty"}
	}
	return data, origin, nil
}

func readLimited(path string) ([]byte, error) { return readFileWithin(path, maxInput) }

func readFileWithin(path string, bound int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder", path)
	}
	return io.ReadAll(io.LimitReader(f, bound+1))
}

// isServer reports whether an argument can only be a server: host and port, or a URL, and no file of that name.
func isServer(arg string) bool {
	if arg == "-" {
		return false
	}
	if strings.HasPrefix(arg, "https://") {
		return true
	}
	if _, err := os.Stat(arg); err == nil {
		return false
	}
	_, port, ok := strings.Cut(strings.TrimSuffix(arg, "]"), ":")
	return ok && port != "" && !strings.ContainsAny(arg, "/\\")
}

// looksLikeFile reports whether somebody who wrote this meant a file, though there is none.
func looksLikeFile(arg string) bool {
	extensions := []string{".pem", ".crt", ".cer", ".cert", ".der", ".p12", ".pfx", ".p7b", ".p7c", ".p7s", ".jks", ".key", ".csr", ".req", ".crl", ".txt"}
	return strings.ContainsAny(arg, "/\\") || !strings.Contains(arg, ".") && arg != "localhost" ||
		slices.Contains(extensions, strings.ToLower(filepath.Ext(arg)))
}

// take finds what is in data.
func (a *app) take(c *contents, data []byte, secret *secretFlags) error {
	c.format = sniff(data)
	switch c.format {
	case formatPEM:
		return a.takePEM(c, data, secret)
	case formatPKCS12:
		return a.takePKCS12(c, data, secret)
	case formatPKCS7:
		return takePKCS7(c, data)
	case formatJKS:
		return a.takeJKS(c, data, secret)
	case formatDER:
		return a.takeDER(c, data, secret)
	}
	if der, ok := bareBase64(data); ok {
		return a.take(c, der, secret)
	}
	return &failure{kind: kindLocal, text: c.origin + " holds nothing that is known here",
		hint: "known are PEM, DER, PKCS#7, PKCS#12 and JKS with certificates, keys, requests or CRLs"}
}

// bareBase64 decodes PEM that lost its first and last line, as it comes out of configuration files.
func bareBase64(data []byte) ([]byte, bool) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), ""))
	return der, err == nil && derSequence(der)
}

// takePEM takes every block of a PEM text.
func (a *app) takePEM(c *contents, text []byte, secret *secretFlags) error {
	for n := 0; ; n++ {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			if n == 0 {
				return &failure{kind: kindLocal, text: c.origin + " looks like PEM, but holds no whole block", hint: "is it cut off, or are its lines broken?"}
			}
			return nil
		}
		if err := a.takeBlock(c, block, secret); err != nil {
			return err
		}
	}
}

func (a *app) takeBlock(c *contents, block *pem.Block, secret *secretFlags) error {
	switch block.Type {
	case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
		c.certs = append(c.certs, firstSequence(block))
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		c.requests = append(c.requests, block.Bytes)
	case "X509 CRL":
		c.lists = append(c.lists, block.Bytes)
	case "PKCS7", "CMS":
		return takePKCS7(c, block.Bytes)
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		key, err := parsePublic(block.Type, block.Bytes)
		if err != nil {
			return cannotRun(err, "%s", c.origin)
		}
		c.publics = append(c.publics, key)
	default:
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return a.takeKey(c, block, secret)
		}
		if block.Type != "EC PARAMETERS" && block.Type != "DH PARAMETERS" {
			c.others = append(c.others, block.Type)
		}
	}
	return nil
}

// firstSequence is the certificate of a block; OpenSSL's TRUSTED CERTIFICATE has its own remarks after it.
func firstSequence(block *pem.Block) []byte {
	if block.Type != "TRUSTED CERTIFICATE" {
		return block.Bytes
	}
	first, _, ok := cutSequence(block.Bytes)
	if !ok {
		return block.Bytes
	}
	return first
}

func parsePublic(kind string, der []byte) (crypto.PublicKey, error) {
	if kind == "RSA PUBLIC KEY" {
		return x509.ParsePKCS1PublicKey(der)
	}
	return cert.ParsePublicKey(der)
}

// takeKey reads a private key, asking for its passphrase where it has one.
func (a *app) takeKey(c *contents, block *pem.Block, secret *secretFlags) error {
	locked := block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != ""
	if locked && secret == nil {
		c.keys = append(c.keys, foundKey{encrypted: true, container: containerOf(block.Type)})
		return nil
	}
	key, err := pki.ParsePrivateKeyPEMWith(pem.EncodeToMemory(block), func() ([]byte, error) { return a.secret(secret, c.origin) })
	if err != nil {
		return keyFailure(err, c.origin)
	}
	c.keys = append(c.keys, foundKey{key: key, encrypted: locked, container: containerOf(block.Type)})
	return nil
}

// takeKeyDER is takeKey without PEM around it.
func (a *app) takeKeyDER(c *contents, der []byte, secret *secretFlags) error {
	found := foundKey{container: "PKCS#8"}
	key, err := pki.ParsePrivateKeyDER(der, func() ([]byte, error) {
		found.encrypted = true
		if secret == nil {
			return nil, pki.ErrEncryptedKey
		}
		return a.secret(secret, c.origin)
	})
	if err != nil && (secret != nil || !errors.Is(err, pki.ErrEncryptedKey)) {
		return keyFailure(err, c.origin)
	}
	found.key = key
	c.keys = append(c.keys, found)
	return nil
}

// keyFailure says why a key could not be read.
func keyFailure(err error, origin string) error {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, pki.ErrWrongPassphrase):
		return &failure{kind: kindLocal, text: origin + ": the passphrase is wrong", err: err}
	}
	return cannotRun(err, "%s", origin)
}

func containerOf(pemType string) string {
	switch pemType {
	case "RSA PRIVATE KEY":
		return "PKCS#1"
	case "EC PRIVATE KEY":
		return "SEC 1"
	}
	return "PKCS#8"
}

// takeDER finds out which of the things that come in DER this is, by trying.
func (a *app) takeDER(c *contents, der []byte, secret *secretFlags) error {
	_, certErr := newCertView(der, a.now())
	if certErr == nil {
		c.certs = append(c.certs, der)
		return nil
	}
	if _, err := cert.ParseRequest(der); err == nil {
		c.requests = append(c.requests, der)
		return nil
	}
	if _, err := x509.ParseRevocationList(der); err == nil {
		c.lists = append(c.lists, der)
		return nil
	}
	if key, err := cert.ParsePublicKey(der); err == nil {
		c.publics = append(c.publics, key)
		return nil
	}
	if pki.IsPrivateKeyDER(der) {
		return a.takeKeyDER(c, der, secret)
	}
	return &failure{kind: kindLocal, text: fmt.Sprintf("%s is DER, but nothing that is known here (as a certificate: %v)", c.origin, certErr)}
}

// summary says what an input holds.
func (c *contents) summary() string {
	var parts []string
	for _, p := range []struct {
		n    int
		noun string
	}{{len(c.certs), "certificate"}, {len(c.keys), "private key"}, {len(c.publics), "public key"}, {len(c.requests), "request"}, {len(c.lists), "CRL"}} {
		if p.n > 0 {
			parts = append(parts, countOf(p.n, p.noun))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// needCerts refuses an input without certificates, and says where what it holds instead can be looked at.
func (c *contents) needCerts() error {
	if len(c.certs) > 0 {
		return nil
	}
	f := &failure{kind: kindLocal, text: c.origin + " holds no certificate, but " + c.summary()}
	switch {
	case len(c.keys)+len(c.publics) > 0:
		f.hint = "look at a key with: tlswright cert key " + c.origin
	case len(c.requests) > 0:
		f.hint = "look at a request with: tlswright cert csr " + c.origin
	case len(c.lists) > 0:
		f.hint = "look at a CRL with: tlswright ca crl --show " + c.origin
	}
	return f
}

// parsed gives the certificates as crypto/x509 reads them; one that it does not read is an error.
func (c *contents) parsed() ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for i, der := range c.certs {
		parsed, err := cert.ParseX509(der)
		if err != nil {
			return nil, &failure{kind: kindLocal, err: err, text: fmt.Sprintf("%s: certificate %d cannot be used: %s", c.origin, i+1, pki.Printable(err.Error())),
				hint: "tlswright cert show takes it apart all the same"}
		}
		list = append(list, parsed)
	}
	return list, nil
}
