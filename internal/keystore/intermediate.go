package keystore

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// DefaultIntermediate is the name of the intermediate that was made with the root.
const DefaultIntermediate = "default"

// rootName means the root wherever an issuer is named.
const rootName = "root"

// interDir is the folder of the other intermediates, below the CA's: one folder
// for each, named as it, with intermediate.pem and intermediate.key.
const interDir = "intermediates"

// maxIntermediates bounds how many intermediates a home may have.
const maxIntermediates = 1000

// ErrNoIntermediate is returned when a CA has no intermediate of the name asked
// for.
var ErrNoIntermediate = errors.New("there is no such intermediate")

// ErrIntermediateExists is returned by AddIntermediate for a name in use.
var ErrIntermediateExists = errors.New("there is an intermediate of that name already")

// Intermediate is one of the intermediates of a CA, without its key.
type Intermediate struct {
	Name        string
	Certificate *x509.Certificate
}

// Intermediates lists the intermediates: the default one first, then the others
// by name. No key is touched.
func (ca *CA) Intermediates() ([]Intermediate, error) {
	c, err := readOneCertificate(filepath.Join(ca.Dir, intermediateFile))
	if err != nil {
		return nil, fmt.Errorf("list intermediates: %w", err)
	}
	all := []Intermediate{{DefaultIntermediate, c}}
	entries, err := os.ReadDir(filepath.Join(ca.Dir, interDir)) // sorted
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list intermediates: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || checkIntermediateName(e.Name()) != nil {
			continue // what a crash left, or a person put there
		}
		if len(all) == maxIntermediates {
			return nil, fmt.Errorf("list intermediates: more than %d", maxIntermediates)
		}
		c, err := ca.readIntermediate(e.Name())
		if err != nil {
			return nil, fmt.Errorf("list intermediates: %w", err)
		}
		all = append(all, Intermediate{e.Name(), c})
	}
	return all, nil
}

// WithIntermediate opens another intermediate: the result is the same CA with
// that one to issue. Its passphrase, if it has one, is asked for as when the CA
// was opened. A name that is not there gives [ErrNoIntermediate].
func (ca *CA) WithIntermediate(name string) (*CA, error) {
	dir := ca.Dir
	if name != DefaultIntermediate {
		if err := checkIntermediateName(name); err != nil {
			return nil, err
		}
		dir = filepath.Join(ca.Dir, interDir, name)
	}
	c, err := ca.readIntermediate(name)
	if err != nil {
		return nil, fmt.Errorf("open intermediate: %w", err)
	}
	key, err := readKeyOf(c, filepath.Join(dir, intermediateFile), filepath.Join(dir, interKeyFile), ca.passphrase)
	if err != nil {
		return nil, fmt.Errorf("open intermediate %s: %w", pki.Printable(name), err)
	}
	return &CA{Dir: ca.Dir, Root: ca.Root, Intermediate: c, Name: name, key: key, passphrase: ca.passphrase}, nil
}

// readIntermediate reads the certificate of an intermediate whose name is sound.
func (ca *CA) readIntermediate(name string) (*x509.Certificate, error) {
	dir := filepath.Join(ca.Dir, interDir, name)
	if name == DefaultIntermediate {
		dir = ca.Dir
	} else if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoIntermediate, pki.Printable(name))
	}
	c, err := readOneCertificate(filepath.Join(dir, intermediateFile))
	if err != nil {
		return nil, err
	}
	if err := cert.CheckSignatureFrom(c, ca.Root); err != nil {
		return nil, fmt.Errorf("the intermediate %s is not signed by the root: %w", pki.Printable(name), err)
	}
	return c, nil
}

// AddIntermediate keeps another intermediate under a name: a CA certificate that
// the root has signed, here or where its key lives, and its key, encrypted if
// passphrase is not empty. After a crash it is there whole or not at all; one that
// is there is never overwritten ([ErrIntermediateExists]). The result is the CA
// with this intermediate to issue.
func (ca *CA) AddIntermediate(name string, certificate *x509.Certificate, key crypto.Signer, passphrase []byte) (*CA, error) {
	return writer{}.addIntermediate(ca, name, certificate, key, passphrase)
}

func (w writer) addIntermediate(ca *CA, name string, c *x509.Certificate, key crypto.Signer, passphrase []byte) (added *CA, err error) {
	if err := checkIntermediateName(name); err != nil {
		return nil, err
	}
	if err := ca.fits(c, key); err != nil {
		return nil, err
	}
	release, err := lock(filepath.Join(filepath.Dir(ca.Dir), caLockFile))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	parent := filepath.Join(ca.Dir, interDir)
	if err := prepareKeyDir(parent); err != nil {
		return nil, err
	}
	dir := filepath.Join(parent, name)
	if err := checkVacant(dir); errors.Is(err, ErrCAExists) {
		return nil, fmt.Errorf("%w: %s", ErrIntermediateExists, pki.Printable(name))
	} else if err != nil {
		return nil, err
	}
	if err := removeTemps(dir); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(parent, name+tempMark+"*") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	if err := w.writeKey(filepath.Join(temp, interKeyFile), key, passphrase, ""); err != nil {
		return nil, err // what is left is removed by the next call, under its lock
	}
	if err := w.writeFile(filepath.Join(temp, intermediateFile), encode([][]byte{c.Raw}), certMode); err != nil {
		return nil, err
	}
	if err := os.Rename(temp, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("put the intermediate in place: %w", err), os.RemoveAll(temp))
	}
	if err := w.reached(stepRenamed, dir); err != nil {
		return nil, err
	}
	if err := syncDir(parent); err != nil {
		return nil, err
	}
	return &CA{Dir: ca.Dir, Root: ca.Root, Intermediate: c, Name: name, key: key, passphrase: ca.passphrase}, nil
}

// fits refuses what could not issue below this root.
func (ca *CA) fits(c *x509.Certificate, key crypto.Signer) error {
	switch {
	case c == nil || key == nil:
		return errors.New("an intermediate needs its certificate and its key")
	case !c.BasicConstraintsValid || !c.IsCA:
		return errors.New("the certificate is not that of a CA")
	case !pki.SameKey(c.PublicKey, key.Public()):
		return errors.New("the private key does not belong to the intermediate's certificate")
	}
	if err := cert.CheckSignatureFrom(c, ca.Root); err != nil {
		return fmt.Errorf("the intermediate is not signed by the root: %w", err)
	}
	return nil
}

// checkIntermediateName keeps names to what is one harmless file name everywhere.
func checkIntermediateName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	odd := func(r rune) bool { return !strings.ContainsRune(allowed, r) }
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, odd) || strings.ContainsAny(name[:1], "-_.") ||
		strings.Contains(name, tempMark) || name == DefaultIntermediate || name == rootName {
		return fmt.Errorf("%q cannot name an intermediate: up to 64 lower-case letters, digits, hyphens, underscores and dots, neither %q nor %q",
			pki.Printable(name), DefaultIntermediate, rootName)
	}
	return nil
}
