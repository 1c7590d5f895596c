package keystore

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// The files of a CA under the home folder.
const (
	caDir            = "ca"
	rootFile         = "root.pem"
	rootKeyFile      = "root.key"
	intermediateFile = "intermediate.pem"
	interKeyFile     = "intermediate.key"
	caLockFile       = "ca.lock"
)

// ErrNoCA is returned by OpenCA when the home folder holds no CA.
var ErrNoCA = errors.New("there is no CA yet")

// ErrCAExists is returned by CreateCA when the home folder holds a CA already.
var ErrCAExists = errors.New("there is a CA already")

// CAOptions say what CreateCA makes. The zero value is sound.
type CAOptions struct {
	KeyType pki.KeyType // of root and intermediate; "" is P-256
	// Name is the owner's name in the certificates: "NAME Root CA" and "NAME
	// Intermediate CA". "" is tlswright, and then a piece of the root's key identifier
	// follows, so that two such CAs never carry one name.
	Name                 string
	RootLifetime         time.Duration // 0: 10 years
	IntermediateLifetime time.Duration // 0: 5 years, at most the root's
	// Passphrase encrypts both private keys; empty: they are protected by the file
	// system only. It is copied into the CA that is made, and not cleared.
	Passphrase []byte
	KDF        pki.KDF // how the passphrase becomes a key; "" is PBKDF2
	// Adjust may change what root and intermediate shall contain, before each is
	// signed: name constraints, policies, where revocation is published. Nil: nothing.
	Adjust func(*pki.Request)
}

// CA is the own CA of a home folder: a root, and the intermediate that issues.
type CA struct {
	Dir          string // the folder of its files
	Root         *x509.Certificate
	Intermediate *x509.Certificate
	// Name tells intermediates apart: [DefaultIntermediate] is the one made with the
	// root, others were added with [CA.AddIntermediate].
	Name       string
	key        crypto.Signer // of the intermediate; nil: see ReadCA
	passphrase PassphraseFunc
}

// Issuer is the intermediate with its key: what issues leaves. The key is nil in
// what [ReadCA] returned.
func (ca *CA) Issuer() pki.Issuer {
	return pki.Issuer{Certificate: ca.Intermediate, Key: ca.key}
}

// Chain is what a server sends after its leaf: the intermediate, DER.
func (ca *CA) Chain() [][]byte { return [][]byte{ca.Intermediate.Raw} }

// RootIssuer reads the root's key, which signs intermediates only and may have
// been moved off this machine. If it is encrypted, the passphrase is asked for as
// when the CA was opened.
func (ca *CA) RootIssuer() (pki.Issuer, error) {
	path := filepath.Join(ca.Dir, rootKeyFile)
	key, err := ReadKeyWith(path, ca.passphrase)
	if err != nil {
		return pki.Issuer{}, err
	}
	if !pki.SameKey(ca.Root.PublicKey, key.Public()) {
		return pki.Issuer{}, &MismatchError{CertFile: ca.RootPath(), KeyFile: path}
	}
	return pki.Issuer{Certificate: ca.Root, Key: key}, nil
}

// RootPath is the file of the root certificate, for --ca flags of other programs.
func (ca *CA) RootPath() string { return filepath.Join(ca.Dir, rootFile) }

// OpenCA is [OpenCAWith] for keys without a passphrase.
func OpenCA(home string) (*CA, error) { return OpenCAWith(home, nil) }

// OpenCAWith opens the CA of a home folder; without one the error is [ErrNoCA].
// The passphrase is asked for only if a key is encrypted: the intermediate's now,
// those of the root and of other intermediates when they are needed. The root's
// key is not touched.
func OpenCAWith(home string, passphrase PassphraseFunc) (*CA, error) {
	ca, err := ReadCA(home)
	if err != nil {
		return nil, err
	}
	ca.passphrase = passphrase
	path := filepath.Join(ca.Dir, interKeyFile)
	if ca.key, err = readKeyOf(ca.Intermediate, filepath.Join(ca.Dir, intermediateFile), path, passphrase); err != nil {
		return nil, fmt.Errorf("open CA: %w", err)
	}
	return ca, nil
}

// ReadCA reads the certificates of the CA of a home folder and none of its keys:
// enough to show it, or to trust it, without anybody being asked for a
// passphrase. Without a CA the error is [ErrNoCA].
func ReadCA(home string) (*CA, error) {
	dir := filepath.Join(home, caDir)
	if _, err := os.Stat(filepath.Join(dir, rootFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s", ErrNoCA, pki.Printable(home))
	}
	ca := &CA{Dir: dir, Name: DefaultIntermediate}
	for _, f := range []struct {
		name string
		to   **x509.Certificate
	}{{rootFile, &ca.Root}, {intermediateFile, &ca.Intermediate}} {
		c, err := readOneCertificate(filepath.Join(dir, f.name))
		if err != nil {
			return nil, fmt.Errorf("open CA: %w", err)
		}
		*f.to = c
	}
	if err := cert.CheckSignatureFrom(ca.Intermediate, ca.Root); err != nil {
		return nil, fmt.Errorf("open CA: the intermediate is not signed by the root: %w", err)
	}
	return ca, nil
}

// readOneCertificate reads a file that must hold one certificate.
func readOneCertificate(path string) (*x509.Certificate, error) {
	certs, err := ReadCertificates(path)
	if err != nil {
		return nil, err
	}
	if len(certs) != 1 {
		return nil, fmt.Errorf("%s holds %d certificates, not one", filepath.Base(path), len(certs))
	}
	return certs[0], nil
}

// readKeyOf reads the key of a certificate and checks that it is.
func readKeyOf(c *x509.Certificate, certFile, keyFile string, passphrase PassphraseFunc) (crypto.Signer, error) {
	key, err := ReadKeyWith(keyFile, passphrase)
	if err != nil {
		return nil, err
	}
	if !pki.SameKey(c.PublicKey, key.Public()) {
		return nil, &MismatchError{CertFile: certFile, KeyFile: keyFile}
	}
	return key, nil
}

// CreateCA makes root and intermediate under home/ca. The four files are written
// in a folder beside and renamed into place together: after a crash there is a
// whole CA or none. Two calls at once are kept apart by a lock ([*LockedError]);
// an existing CA is never overwritten ([ErrCAExists]).
func CreateCA(home string, o CAOptions, now time.Time) (*CA, error) {
	return writer{}.createCA(home, o, now)
}

func (w writer) createCA(home string, o CAOptions, now time.Time) (ca *CA, err error) {
	release, err := HoldVacant(home)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	dir := filepath.Join(home, caDir)
	made, err := newCA(o, now)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(home, caDir+tempMark+"*") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("make CA folder: %w", err)
	}
	if err := w.writeCA(temp, made, o); err != nil {
		return nil, err // what is left is removed by the next call, under its lock
	}
	if err := os.Rename(temp, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("put the CA in place: %w", err), os.RemoveAll(temp))
	}
	if err := w.reached(stepRenamed, dir); err != nil {
		return nil, err
	}
	if err := syncDir(home); err != nil {
		return nil, err
	}
	made.ca.Dir = dir
	if secret := bytes.Clone(o.Passphrase); len(secret) > 0 {
		made.ca.passphrase = func(string) ([]byte, error) { return secret, nil }
	}
	return made.ca, nil
}

// newMaterial is a CA that exists in memory only, with the root's key.
type newMaterial struct {
	ca      *CA
	rootKey crypto.Signer
}

func newCA(o CAOptions, now time.Time) (*newMaterial, error) {
	if o.KeyType == "" {
		o.KeyType = pki.P256
	}
	rootKey, err := pki.GenerateKey(o.KeyType)
	if err != nil {
		return nil, err
	}
	interKey, err := pki.GenerateKey(o.KeyType)
	if err != nil {
		return nil, err
	}
	name, suffix := strings.TrimSpace(o.Name), ""
	if name == "" {
		id, err := pki.KeyID(rootKey.Public())
		if err != nil {
			return nil, err
		}
		name, suffix = "tlswright", " "+hex.EncodeToString(id[:4])
	}
	subject := pkix.Name{Organization: []string{name}}
	if o.Adjust == nil {
		o.Adjust = func(*pki.Request) {}
	}
	rootRequest := pki.Request{Profile: pki.ProfileRoot, Subject: subject, CommonName: name + " Root CA" + suffix, Lifetime: o.RootLifetime}
	o.Adjust(&rootRequest)
	root, err := pki.SelfSign(rootRequest, rootKey, now)
	if err != nil {
		return nil, fmt.Errorf("make root: %w", err)
	}
	interRequest := pki.Request{
		Profile: pki.ProfileIntermediate, Subject: subject, CommonName: name + " Intermediate CA" + suffix,
		Key: interKey.Public(), Lifetime: o.IntermediateLifetime,
	}
	o.Adjust(&interRequest)
	inter, err := pki.Issuer{Certificate: root, Key: rootKey}.Issue(interRequest, now)
	if err != nil {
		return nil, fmt.Errorf("make intermediate: %w", err)
	}
	ca := &CA{Root: root, Intermediate: inter, Name: DefaultIntermediate, key: interKey}
	return &newMaterial{ca: ca, rootKey: rootKey}, nil
}

// HoldVacant keeps others from making a CA in a home folder until release is
// called, and removes what attempts that crashed have left there. Where there is a
// CA the error is [ErrCAExists]. The folder is made with mode 0700 if it is missing.
func HoldVacant(home string) (release func() error, err error) {
	if err := prepareKeyDir(home); err != nil {
		return nil, err
	}
	if release, err = lock(filepath.Join(home, caLockFile)); err != nil {
		return nil, err
	}
	dir := filepath.Join(home, caDir)
	if err = checkVacant(dir); err == nil {
		err = removeTemps(dir)
	}
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}

func (w writer) writeCA(dir string, m *newMaterial, o CAOptions) error {
	if err := w.writeKey(filepath.Join(dir, rootKeyFile), m.rootKey, o.Passphrase, o.KDF); err != nil {
		return err
	}
	if err := w.writeKey(filepath.Join(dir, interKeyFile), m.ca.key, o.Passphrase, o.KDF); err != nil {
		return err
	}
	if err := w.writeFile(filepath.Join(dir, intermediateFile), encode([][]byte{m.ca.Intermediate.Raw}), certMode); err != nil {
		return err
	}
	return w.writeFile(filepath.Join(dir, rootFile), encode([][]byte{m.ca.Root.Raw}), certMode)
}

// checkVacant makes sure that nothing is at dir; an empty folder is removed.
func checkVacant(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at %s: %w", pki.Printable(dir), err)
	case !info.IsDir():
		return fmt.Errorf("%s is in the way: it is not a folder", pki.Printable(dir))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look at %s: %w", pki.Printable(dir), err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%w in %s", ErrCAExists, pki.Printable(dir))
	}
	if err := os.Remove(dir); err != nil {
		return fmt.Errorf("replace the empty folder: %w", err)
	}
	return nil
}
