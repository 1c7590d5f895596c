package admin

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unicode"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// Where the admin CA is, below a home.
const (
	caFolder   = "ca"
	folder     = "admin"
	rootFile   = "root.pem"
	keyFile    = "root.key"
	tempPrefix = "admin.new-"
)

// Errors of the admin CA.
var (
	ErrNoCA     = errors.New("there is no admin CA yet")
	ErrCAExists = errors.New("there is an admin CA already")
)

// How long things are valid unless somebody says otherwise.
const (
	rootLifetime  = 10 * 365 * 24 * time.Hour
	AdminLifetime = 90 * 24 * time.Hour
)

// maxName bounds an admin's name, in bytes: it goes into a common name (RFC 5280, Appendix A.1).
const maxName = 64

// CA certifies admins, and nobody else: it has a key of its own, and no certificate above it.
type CA struct {
	Dir  string
	Root *x509.Certificate
}

// CAOptions say how an admin CA is made. The zero value is sound.
type CAOptions struct {
	KeyType    pki.KeyType // "": P-256
	Passphrase []byte      // encrypts the key; empty: the file system alone protects it
}

// InitCA makes the admin CA of a home, which must have a CA; [ErrCAExists]. After a crash there is a whole one or none.
func InitCA(home string, o CAOptions, now time.Time) (ca *CA, err error) {
	dir := filepath.Join(home, caFolder, folder)
	if _, err := os.Lstat(dir); err == nil {
		return nil, fmt.Errorf("%w in %s", ErrCAExists, pki.Printable(dir))
	}
	if o.KeyType == "" {
		o.KeyType = pki.P256
	}
	key, err := pki.GenerateKey(o.KeyType)
	if err != nil {
		return nil, err
	}
	id, err := pki.KeyID(key.Public())
	if err != nil {
		return nil, err
	}
	none := 0
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "tlswright admin CA " + hex.EncodeToString(id[:4]), PathLen: &none, Lifetime: rootLifetime}, key, now)
	if err != nil {
		return nil, fmt.Errorf("make the admin CA: %w", err)
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), tempPrefix+"*") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("make the folder of the admin CA: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	if len(o.Passphrase) > 0 {
		err = keystore.WriteEncryptedKey(filepath.Join(temp, keyFile), key, o.Passphrase, pki.PBKDF2)
	} else {
		err = keystore.WriteKey(filepath.Join(temp, keyFile), key)
	}
	if err != nil {
		return nil, err
	}
	if err := keystore.WriteCertificates(filepath.Join(temp, rootFile), root.Raw); err != nil {
		return nil, err
	}
	if err := os.Rename(temp, dir); err != nil { // refused where somebody else was faster
		return nil, fmt.Errorf("put the admin CA in place: %w", err)
	}
	if err := syncFolder(filepath.Dir(dir)); err != nil {
		return nil, fmt.Errorf("put the admin CA in place: %w", err)
	}
	return &CA{Dir: dir, Root: root}, nil
}

// syncFolder has what was renamed in a folder on disk. Where folders cannot be synchronised, as on Windows, they need not be.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// ReadCA reads the admin CA of a home, without its key; [ErrNoCA].
func ReadCA(home string) (*CA, error) {
	dir := filepath.Join(home, caFolder, folder)
	certs, err := keystore.ReadCertificates(filepath.Join(dir, rootFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s", ErrNoCA, pki.Printable(home))
	}
	if err != nil {
		return nil, fmt.Errorf("open the admin CA: %w", err)
	}
	if len(certs) != 1 || !certs[0].IsCA {
		return nil, fmt.Errorf("open the admin CA: %s does not hold one CA certificate", rootFile)
	}
	return &CA{Dir: dir, Root: certs[0]}, nil
}

// Issue certifies an admin: the certificate, and the entry by which it counts once it is added to the CA's records. The
// passphrase is asked for only if the key is encrypted.
func (ca *CA) Issue(name string, roles []Role, key crypto.PublicKey, lifetime time.Duration, passphrase keystore.PassphraseFunc, now time.Time) (*x509.Certificate, store.Admin, error) {
	var entry store.Admin
	if err := CheckName(name); err != nil {
		return nil, entry, err
	}
	signer, err := keystore.ReadKeyWith(filepath.Join(ca.Dir, keyFile), passphrase)
	if err != nil {
		return nil, entry, fmt.Errorf("open the admin CA: %w", err)
	}
	if !pki.SameKey(ca.Root.PublicKey, signer.Public()) {
		return nil, entry, errors.New("open the admin CA: its key is not that of its certificate")
	}
	if lifetime <= 0 {
		lifetime = AdminLifetime
	}
	c, err := pki.Issuer{Certificate: ca.Root, Key: signer}.Issue(pki.Request{Profile: pki.ProfileClient, CommonName: name, Key: key, Lifetime: lifetime}, now)
	if err != nil {
		return nil, entry, err
	}
	entry = store.Admin{Digest: sha256.Sum256(c.Raw), Name: name, NotAfter: c.NotAfter, CreatedAt: now}
	for _, r := range roles {
		entry.Roles = append(entry.Roles, string(r))
	}
	return c, entry, nil
}

// CheckName refuses what would be hard to tell apart in a log.
func CheckName(name string) error {
	odd := func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.@", r)
	}
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, odd) {
		return &pki.RefusedError{Reason: fmt.Sprintf("%q cannot be the name of an admin", pki.Printable(name)), Hint: "letters, digits, - _ . and @, up to 64 of them"}
	}
	return nil
}
