//go:build unix

package keystore

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// cheap keeps tests fast; what it protects lives for a moment.
const cheap = pki.KDF("pbkdf2:1000")

// asker offers one passphrase and notes for which files it was asked.
type asker struct {
	secret string
	asked  []string
}

func (a *asker) ask(path string) ([]byte, error) {
	a.asked = append(a.asked, filepath.Base(path))
	return []byte(a.secret), nil
}

func TestEncryptedKeysAreReadWithTheirPassphrase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "key.pem")
	key := newKey(t)
	if err := WriteEncryptedKey(path, key, []byte("secret"), cheap); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	a := &asker{secret: "secret"}
	got, err := ReadKeyWith(path, a.ask)
	if err != nil || !pki.SameKey(got.Public(), key.Public()) || !slices.Equal(a.asked, []string{"key.pem"}) {
		t.Errorf("asked for %v: %v", a.asked, err)
	}
	if _, err := ReadKey(path); !errors.Is(err, pki.ErrEncryptedKey) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	if _, err := ReadKeyWith(path, (&asker{secret: "wrong"}).ask); !errors.Is(err, pki.ErrWrongPassphrase) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	a.asked = nil
	var perm *PermissionError
	if _, err := ReadKeyWith(path, a.ask); !errors.As(err, &perm) || len(a.asked) > 0 {
		t.Errorf("asked for %v: %v", a.asked, err)
	}
	if err := WriteEncryptedKey(path, key, nil, cheap); err == nil {
		t.Error("an empty passphrase was taken")
	}
	plain := filepath.Join(t.TempDir(), "plain.pem")
	if err := WriteKey(plain, key); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeyWith(plain, a.ask); err != nil || len(a.asked) > 0 {
		t.Errorf("asked for %v: %v", a.asked, err)
	}
}

func TestIdentitiesMayHaveEncryptedKeys(t *testing.T) {
	l := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	f := l.Files()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := WriteEncryptedKey(path, l.Key, []byte("secret"), cheap); err != nil {
		t.Fatal(err)
	}
	a := &asker{secret: "secret"}
	if id, err := LoadIdentityWith(f.FullChain, path, a.ask); err != nil || len(id.Chain) != 2 {
		t.Errorf("%v", err)
	}
	if _, err := LoadIdentity(f.FullChain, path); !errors.Is(err, pki.ErrEncryptedKey) {
		t.Errorf("%v", err)
	}
}

func TestPassphraseFilesAreTheirFirstLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pass")
	for text, want := range map[string]string{
		"secret": "secret", "secret\n": "secret", "secret\r\nmore\n": "secret", " with spaces \n": " with spaces ",
		"": "", "\nsecret": "", "a\x00b\n": "", strings.Repeat("x", 5000): "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadPassphraseFile(path)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%.20q: %q, %v", text, got, err)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	var perm *PermissionError
	if _, err := ReadPassphraseFile(path); !errors.As(err, &perm) || !strings.Contains(err.Error(), "passphrase "+path) || perm.Hint == "" {
		t.Errorf("%v", err)
	}
	if _, err := ReadPassphraseFile(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestACAMayBeUnderAPassphrase(t *testing.T) {
	home := t.TempDir()
	secret := []byte("secret")
	made := mustCreateCA(t, home, CAOptions{Passphrase: secret, KDF: cheap})
	clear(secret) // what the caller does with his copy is his own affair
	if _, err := made.RootIssuer(); err != nil {
		t.Errorf("%v", err)
	}
	for _, name := range []string{rootKeyFile, interKeyFile} {
		if text, err := os.ReadFile(filepath.Join(made.Dir, name)); err != nil || !strings.HasPrefix(string(text), "-----BEGIN ENCRYPTED PRIVATE KEY-----") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenCA(home); !errors.Is(err, pki.ErrEncryptedKey) {
		t.Errorf("%v", err)
	}
	if _, err := OpenCAWith(home, (&asker{secret: "wrong"}).ask); !errors.Is(err, pki.ErrWrongPassphrase) {
		t.Errorf("%v", err)
	}
	a := &asker{secret: "secret"}
	ca, err := OpenCAWith(home, a.ask)
	if err != nil || !slices.Equal(a.asked, []string{interKeyFile}) {
		t.Fatalf("asked for %v: %v", a.asked, err)
	}
	root, err := ca.RootIssuer()
	if err != nil || !slices.Equal(a.asked, []string{interKeyFile, rootKeyFile}) || !pki.SameKey(root.Key.Public(), ca.Root.PublicKey) {
		t.Errorf("asked for %v: %v", a.asked, err)
	}
	seen, err := ReadCA(home)
	if err != nil || !seen.Root.Equal(ca.Root) || seen.Issuer().Key != nil {
		t.Errorf("%v", err)
	}
	if _, err := seen.RootIssuer(); !errors.Is(err, pki.ErrEncryptedKey) {
		t.Errorf("%v", err)
	}
	if _, err := ReadCA(t.TempDir()); !errors.Is(err, ErrNoCA) {
		t.Errorf("%v", err)
	}
	if _, err := CreateCA(t.TempDir(), CAOptions{Passphrase: []byte("x"), KDF: "md5"}, time.Now()); err == nil {
		t.Error("an unknown key derivation was taken")
	}
}

func TestWhatACAContainsCanBeAdjusted(t *testing.T) {
	one := 1
	ca := mustCreateCA(t, t.TempDir(), CAOptions{Adjust: func(r *pki.Request) {
		if r.Profile == pki.ProfileRoot {
			r.PathLen = &one
		}
		r.CommonName = "My " + string(r.Profile)
	}})
	if ca.Root.MaxPathLen != 1 || ca.Root.Subject.CommonName != "My root" || ca.Intermediate.Subject.CommonName != "My intermediate" {
		t.Errorf("%d %s %s", ca.Root.MaxPathLen, ca.Root.Subject, ca.Intermediate.Subject)
	}
}

// sub issues another intermediate under the root of ca.
func sub(t *testing.T, ca *CA, name string) (*pki.Issuer, error) {
	t.Helper()
	root, err := ca.RootIssuer()
	if err != nil {
		return nil, err
	}
	key := newKey(t)
	c, err := root.Issue(pki.Request{Profile: pki.ProfileIntermediate, CommonName: name, Key: key.Public()}, time.Now())
	if err != nil {
		return nil, err
	}
	return &pki.Issuer{Certificate: c, Key: key}, nil
}

func TestACAHasSeveralIntermediates(t *testing.T) {
	home := t.TempDir()
	ca := mustCreateCA(t, home, CAOptions{})
	for _, name := range []string{"zeta", "clients.2026"} {
		i, err := sub(t, ca, name)
		if err != nil {
			t.Fatal(err)
		}
		var secret []byte
		if name == "zeta" {
			secret = []byte("secret")
		}
		added, err := ca.AddIntermediate(name, i.Certificate, i.Key, secret)
		if err != nil || added.Name != name || !added.Intermediate.Equal(i.Certificate) || !pki.SameKey(added.Issuer().Key.Public(), i.Key.Public()) {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := ca.AddIntermediate(name, i.Certificate, i.Key, nil); !errors.Is(err, ErrIntermediateExists) {
			t.Errorf("%s, twice: %v", name, err)
		}
	}
	a := &asker{secret: "secret"}
	ca, err := OpenCAWith(home, a.ask)
	if err != nil || len(a.asked) > 0 || ca.Name != DefaultIntermediate {
		t.Fatalf("asked for %v: %v", a.asked, err)
	}
	all, err := ca.Intermediates()
	if err != nil || len(all) != 3 || all[0].Name != DefaultIntermediate || all[1].Name != "clients.2026" || all[2].Name != "zeta" || len(a.asked) > 0 {
		t.Fatalf("%v %v", all, err)
	}
	for i, it := range all {
		other, err := ca.WithIntermediate(it.Name)
		if err != nil || !other.Intermediate.Equal(it.Certificate) || other.Name != it.Name {
			t.Errorf("%s: %v", it.Name, err)
			continue
		}
		leaf, err := other.Issuer().Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"a.example"}, Key: newKey(t).Public()}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pki.Verify(leaf.Raw, pki.VerifyOptions{Roots: []*x509.Certificate{ca.Root}, Intermediates: other.Chain(), Time: time.Now(), ServerName: "a.example"}); err != nil {
			t.Errorf("%s: %v", it.Name, err)
		}
		if asked := len(a.asked) > 0; asked != (i == 2) {
			t.Errorf("%s: asked for %v", it.Name, a.asked)
		}
	}
	if _, err := ca.WithIntermediate("nobody"); !errors.Is(err, ErrNoIntermediate) {
		t.Errorf("%v", err)
	}
	for _, dir := range []string{filepath.Join(ca.Dir, interDir), filepath.Join(ca.Dir, interDir, "zeta")} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v %v", info, err)
		}
	}
}

func TestOnlyTheRootsOwnIntermediatesAreKept(t *testing.T) {
	ca := mustCreateCA(t, t.TempDir(), CAOptions{})
	good, err := sub(t, ca, "Second")
	if err != nil {
		t.Fatal(err)
	}
	stranger := pkitest.New(t, pkitest.P256)
	leaf, err := ca.Issuer().Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"a.example"}, Key: good.Key.Public()}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, i := range map[string]pki.Issuer{
		"stranger": stranger.Issuer(), "leaf": {Certificate: leaf, Key: good.Key},
		"other key": {Certificate: good.Certificate, Key: newKey(t)}, "nothing": {},
	} {
		if _, err := ca.AddIntermediate("x", i.Certificate, i.Key, nil); err == nil {
			t.Errorf("%s was kept", name)
		}
	}
	for _, name := range []string{"", DefaultIntermediate, "Upper", "a/b", "..", ".hidden", "-x", "ä", strings.Repeat("x", 65), "a" + tempMark + "b"} {
		if _, err := ca.AddIntermediate(name, good.Certificate, good.Key, nil); err == nil {
			t.Errorf("the name %q was taken", name)
		}
		if _, err := ca.WithIntermediate(name); err == nil && name != DefaultIntermediate {
			t.Errorf("the name %q was opened", name)
		}
	}
	if all, err := ca.Intermediates(); err != nil || len(all) != 1 {
		t.Errorf("%v %v", all, err)
	}
}

func TestNoCrashLeavesHalfAnIntermediate(t *testing.T) {
	home := t.TempDir()
	ca := mustCreateCA(t, home, CAOptions{})
	i, err := sub(t, ca, "Second")
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		w, _ := crashAt(n)
		if _, err := w.addIntermediate(ca, "second", i.Certificate, i.Key, nil); err == nil {
			if n < 9 {
				t.Errorf("only %d steps", n)
			}
			return
		}
		_, err := ca.WithIntermediate("second")
		if whole := err == nil; !whole && !errors.Is(err, ErrNoIntermediate) {
			t.Fatalf("crash at step %d: %v", n, err)
		} else if whole {
			if err := os.RemoveAll(filepath.Join(ca.Dir, interDir, "second")); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := ca.Intermediates(); err != nil || len(all) != 1 {
			t.Fatalf("crash at step %d: %v %v", n, all, err)
		}
	}
}

func TestDamagedIntermediatesAreNotOpened(t *testing.T) {
	ca := mustCreateCA(t, t.TempDir(), CAOptions{})
	i, err := sub(t, ca, "Second")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.AddIntermediate("second", i.Certificate, i.Key, nil); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(ca.Dir, interDir, "second")
	if err := WriteKey(filepath.Join(dir, interKeyFile), newKey(t)); err != nil {
		t.Fatal(err)
	}
	var mismatch *MismatchError
	if _, err := ca.WithIntermediate("second"); !errors.As(err, &mismatch) {
		t.Errorf("%v", err)
	}
	stranger := pkitest.New(t, pkitest.P256)
	if err := WriteCertificates(filepath.Join(dir, intermediateFile), stranger.Intermediate.Raw); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.WithIntermediate("second"); err == nil || !strings.Contains(err.Error(), "not signed by the root") {
		t.Errorf("%v", err)
	}
	if _, err := ca.Intermediates(); err == nil {
		t.Error("listed")
	}
}

func TestTokensNeedAnotherBuild(t *testing.T) {
	const uri = "pkcs11:token=none;object=none?pin-value=1234"
	file := filepath.Join(t.TempDir(), "key")
	mustWrite(t, file, uri+"\n", 0o600)
	for _, path := range []string{uri, file} {
		_, err := ReadKey(path)
		if err == nil || strings.Contains(err.Error(), "1234") {
			t.Errorf("%v", err)
		}
	}
	for s, want := range map[string]bool{"pkcs11:object=x": true, "PKCS11:object=x": true, "pkcs11:": false, "pkcs11.pem": false, "": false} {
		if IsTokenURI(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}
