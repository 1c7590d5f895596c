package pkitest

import (
	"crypto"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki"
)

const day = 24 * time.Hour

// CA is a root with one intermediate, both of one key type and valid from two
// years ago on.
type CA struct {
	Type         KeyType
	Now          time.Time // when the leaves are issued
	Root         *x509.Certificate
	Intermediate *x509.Certificate
	RootKey      crypto.Signer
	Key          crypto.Signer // the intermediate's

	t testing.TB
}

// New makes a CA. Two CAs carry different names.
func New(t testing.TB, k KeyType) *CA {
	t.Helper()
	return newCA(t, k, time.Now(), rootRole, intermediateRole)
}

// Stranger makes a CA of the same key type that shares no key with others, to be
// the one that nobody trusts.
func (ca *CA) Stranger() *CA {
	ca.t.Helper()
	return newCA(ca.t, ca.Type, ca.Now, strangerRole, intermediateRole)
}

// Namesake makes a CA with this one's names but other keys.
func (ca *CA) Namesake() *CA {
	ca.t.Helper()
	if ca.Type == RSA2048 {
		ca.t.Fatal("a namesake needs keys of its own, and RSA keys are shared")
	}
	other := &CA{Type: ca.Type, Now: ca.Now, t: ca.t}
	other.build(ca.Root.Subject.CommonName, ca.Intermediate.Subject.CommonName, rootRole, intermediateRole)
	return other
}

func newCA(t testing.TB, k KeyType, now time.Time, root, intermediate role) *CA {
	t.Helper()
	ca := &CA{Type: k, Now: now, t: t}
	mark, err := pki.GenerateKey(pki.Ed25519) // its identifier makes the names differ
	if err != nil {
		t.Fatal(err)
	}
	id, err := pki.KeyID(mark.Public())
	if err != nil {
		t.Fatal(err)
	}
	suffix := string(k) + " " + pki.Fingerprint(id)[:8]
	ca.build("Test Root "+suffix, "Test Intermediate "+suffix, root, intermediate)
	return ca
}

func (ca *CA) build(rootName, interName string, root, intermediate role) {
	ca.t.Helper()
	start := ca.Now.Add(-730 * day)
	ca.RootKey = newKey(ca.t, ca.Type, root)
	ca.Key = newKey(ca.t, ca.Type, intermediate)
	var err error
	ca.Root, err = pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: rootName, NotBefore: start, Lifetime: 3650 * day}, ca.RootKey, ca.Now)
	if err != nil {
		ca.t.Fatalf("make root: %v", err)
	}
	ca.Intermediate, err = pki.Issuer{Certificate: ca.Root, Key: ca.RootKey}.Issue(pki.Request{
		Profile: pki.ProfileIntermediate, CommonName: interName, Key: ca.Key.Public(), NotBefore: start, Lifetime: 1825 * day,
	}, ca.Now)
	if err != nil {
		ca.t.Fatalf("make intermediate: %v", err)
	}
}

// Issuer is the intermediate with its key.
func (ca *CA) Issuer() pki.Issuer { return pki.Issuer{Certificate: ca.Intermediate, Key: ca.Key} }

// Roots is what a peer trusts who trusts this CA.
func (ca *CA) Roots() []*x509.Certificate { return []*x509.Certificate{ca.Root} }

// RootFile writes the root as PEM into the test's temporary folder and returns the
// path.
func (ca *CA) RootFile() string {
	ca.t.Helper()
	return writeFile(ca.t, ca.t.TempDir(), "root.pem", pki.AppendCertificatePEM(nil, ca.Root.Raw))
}

func writeFile(t testing.TB, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
