package devhttps

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

// Lifetimes of what is made. The leaf's is short as nobody revokes anything here; it is renewed while it is served.
const (
	caLifetime      = 5 * 365 * 24 * time.Hour
	DefaultLifetime = 7 * 24 * time.Hour
	minLifetime     = 3 * time.Second
	maxLifetime     = 90 * 24 * time.Hour
)

// NamePrefix begins the name of every root of this package.
const NamePrefix = "tlswright dev "

// CA is the local root with its intermediate. Both are confined to [Constraints].
type CA struct {
	*keystore.CA
	Dir string // its folder: the key, and what was noted about stores
}

// Dir is the folder of the local root below the home folder.
func Dir(home string) string { return filepath.Join(home, "dev") }

// Open reads the local root. Where there is none the error is [keystore.ErrNoCA].
func Open(home string) (*CA, error) {
	dir := Dir(home)
	ca, err := keystore.OpenCA(dir)
	if err != nil {
		return nil, err
	}
	return &CA{CA: ca, Dir: dir}, nil
}

// OpenRoot reads what is left of the local root: enough to take it out of stores, whatever has become of its keys. Where
// there is none the error is [keystore.ErrNoCA].
func OpenRoot(home string) (*CA, error) {
	ca, err := Open(home)
	if err == nil || errors.Is(err, keystore.ErrNoCA) {
		return ca, err
	}
	dir := Dir(home)
	certs, err := keystore.ReadCertificates(filepath.Join(dir, "ca", "root.pem"))
	if err != nil {
		return nil, err
	}
	return &CA{CA: &keystore.CA{Dir: filepath.Join(dir, "ca"), Root: certs[0]}, Dir: dir}, nil
}

// OpenOrMake reads the local root, or makes it; where another process is just making it, it waits for that one.
func OpenOrMake(ctx context.Context, home string, now time.Time) (ca *CA, made bool, err error) {
	for attempt := 0; ; attempt++ {
		if ca, err = Open(home); err == nil {
			return ca, false, ca.check(now)
		}
		if !errors.Is(err, keystore.ErrNoCA) {
			return nil, false, err
		}
		if ca, err = create(home, now); err == nil {
			return ca, true, nil
		}
		var locked *keystore.LockedError
		if !errors.As(err, &locked) && !errors.Is(err, keystore.ErrCAExists) || attempt >= 100 {
			return nil, false, err
		}
		select {
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// create makes root and intermediate. The root's key signs the intermediate and is never written: what is on disk can
// certify no more than the intermediate may, whatever a program thinks of constraints in roots. The folder appears whole, or
// not at all.
func create(home string, now time.Time) (ca *CA, err error) {
	dir := Dir(home)
	release, err := keystore.HoldVacant(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	root, inter, key, err := newCA(now)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(dir, "ca.tlswright-tmp-*") // a name that HoldVacant clears away, should we not get to its end
	if err != nil {
		return nil, fmt.Errorf("make the folder of the local root: %w", err)
	}
	secret, err := pki.MarshalPrivateKeyPEM(key)
	if err == nil {
		err = keystore.WriteFile(filepath.Join(temp, "intermediate.key"), secret, 0o600)
		clear(secret)
	}
	if err == nil {
		err = keystore.WriteCertificates(filepath.Join(temp, "intermediate.pem"), inter.Raw)
	}
	if err == nil {
		err = keystore.WriteCertificates(filepath.Join(temp, "root.pem"), root.Raw)
	}
	if err == nil {
		err = os.Rename(temp, filepath.Join(dir, "ca"))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the local root: %w", err), os.RemoveAll(temp))
	}
	return Open(home)
}

// newCA makes root and intermediate, with the intermediate's key.
func newCA(now time.Time) (root, inter *x509.Certificate, key crypto.Signer, err error) {
	var id [4]byte
	_, _ = rand.Read(id[:]) // crypto/rand never fails
	host, _ := os.Hostname()
	if host = Label(host); host == "" {
		host = "local"
	}
	name := fmt.Sprintf("%s%.20s %s", NamePrefix, host, hex.EncodeToString(id[:]))
	subject := pkix.Name{Organization: []string{name}}
	rootKey, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return nil, nil, nil, err
	}
	if key, err = pki.GenerateKey(pki.P256); err != nil {
		return nil, nil, nil, err
	}
	req := pki.Request{Profile: pki.ProfileRoot, Subject: subject, CommonName: name + " Root CA", Lifetime: caLifetime}
	confine(&req)
	if root, err = pki.SelfSign(req, rootKey, now); err != nil {
		return nil, nil, nil, fmt.Errorf("make the local root: %w", err)
	}
	req = pki.Request{Profile: pki.ProfileIntermediate, Subject: subject, CommonName: name + " Intermediate CA", Lifetime: caLifetime, Key: key.Public()}
	confine(&req)
	if inter, err = (pki.Issuer{Certificate: root, Key: rootKey}).Issue(req, now); err != nil {
		return nil, nil, nil, fmt.Errorf("make the local intermediate: %w", err)
	}
	return root, inter, key, nil
}

// confine limits what a stolen key is good for: to local names, and to servers. Both certificates of the CA are limited, as
// some programs, Java among them, do not look at what a root says about itself.
func confine(req *pki.Request) {
	spec, err := pki.BuiltinProfile(req.Profile)
	if err != nil {
		return // the profiles of a CA are built in
	}
	spec.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	req.Spec, req.NameConstraints = &spec, Constraints()
}

// ExpiredError says that the local root is too old to go on with.
type ExpiredError struct{ Until time.Time }

// Error implements error.
func (e *ExpiredError) Error() string {
	return "the local root ends on " + e.Until.UTC().Format(time.DateOnly)
}

// Hint says what to do.
func (e *ExpiredError) Hint() string {
	return "take it out everywhere and begin anew: tlswright dev --undo"
}

// check refuses a root that is about to end: certificates from it would surprise somebody within days.
func (c *CA) check(now time.Time) error {
	if now.Add(DefaultLifetime).After(c.Root.NotAfter) {
		return &ExpiredError{Until: c.Root.NotAfter}
	}
	return nil
}

// RootFile is the file of the root, for programs that take one.
func (c *CA) RootFile() string { return c.RootPath() }

// CheckLifetime refuses lifetimes of certificates that make no sense.
func CheckLifetime(life time.Duration) error {
	if life < minLifetime || life > maxLifetime {
		return fmt.Errorf("a certificate's lifetime of %v: from %v to %v is possible", life, minLifetime, maxLifetime)
	}
	return nil
}

// Issue makes a server certificate for names (see [CheckName]), with a fresh key.
func (c *CA) Issue(names []string, life time.Duration, now time.Time) (keystore.Identity, error) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return keystore.Identity{}, err
	}
	issuer := c.Issuer()
	issuer.Chain = []*x509.Certificate{c.Root}
	leaf, err := issuer.Issue(pki.Request{
		Profile: pki.ProfileServer, SANs: names, Key: key.Public(),
		// A short life is not eaten up by what clocks may be behind.
		NotBefore: now.Add(-min(pki.Backdate, life/10)).Truncate(time.Second), Lifetime: life,
	}, now)
	if err != nil {
		return keystore.Identity{}, fmt.Errorf("issue for %s: %w", pki.Printable(strings.Join(names, ", ")), err)
	}
	return keystore.Identity{Chain: append([][]byte{leaf.Raw}, c.Chain()...), Key: key}, nil
}

// Roots are what programs have to trust.
func (c *CA) Roots() []*x509.Certificate { return []*x509.Certificate{c.Root} }
