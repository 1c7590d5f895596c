//go:build unix

package keystore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

func mustCreateCA(t testing.TB, home string, o CAOptions) *CA {
	t.Helper()
	ca, err := CreateCA(home, o, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestACAIsMadeWholeAndOpensAgain(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	made := mustCreateCA(t, home, CAOptions{})
	if info, err := os.Stat(made.Dir); err != nil || info.Mode().Perm() != 0o700 || made.Dir != filepath.Join(home, "ca") {
		t.Errorf("%v %v", info, err)
	}
	if got, want := names(t, made.Dir), []string{interKeyFile, intermediateFile, rootKeyFile, rootFile}; !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
	for name, want := range map[string]os.FileMode{rootKeyFile: 0o600, interKeyFile: 0o600, rootFile: 0o644, intermediateFile: 0o644} {
		if info, err := os.Stat(filepath.Join(made.Dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	ca, err := OpenCA(home)
	if err != nil {
		t.Fatal(err)
	}
	if !ca.Root.Equal(made.Root) || !ca.Intermediate.Equal(made.Intermediate) {
		t.Error("another CA was opened")
	}
	now := time.Now()
	leaf, err := ca.Issuer().Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"a.example"}, Key: newKey(t).Public()}, now)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := ReadCertificates(ca.RootPath())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pki.Verify(leaf.Raw, pki.VerifyOptions{Roots: roots, Intermediates: ca.Chain(), Time: now, ServerName: "a.example"}); err != nil {
		t.Error(err)
	}
	root, err := ca.RootIssuer()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.Issue(pki.Request{Profile: pki.ProfileIntermediate, CommonName: "Second", Key: newKey(t).Public()}, now); err != nil {
		t.Error(err)
	}
}

func TestTheRootKeyMayBeAway(t *testing.T) {
	home := t.TempDir()
	ca := mustCreateCA(t, home, CAOptions{KeyType: pki.Ed25519})
	if err := os.Remove(filepath.Join(ca.Dir, rootKeyFile)); err != nil {
		t.Fatal(err)
	}
	opened, err := OpenCA(home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opened.RootIssuer(); err == nil {
		t.Error("a key that is away was read")
	}
}

func TestCAOptionsAreKept(t *testing.T) {
	ca := mustCreateCA(t, t.TempDir(), CAOptions{KeyType: pki.P384, Name: "Example", RootLifetime: 100 * 24 * time.Hour})
	if got := pki.Name(ca.Root.Subject); got != "CN=Example Root CA, O=Example" {
		t.Error(got)
	}
	if got := pki.Name(ca.Intermediate.Subject); got != "CN=Example Intermediate CA, O=Example" {
		t.Error(got)
	}
	if got := pki.DescribeKey(ca.Root.PublicKey); got != "ECDSA P-384" {
		t.Error(got)
	}
	if !ca.Intermediate.NotAfter.Equal(ca.Root.NotAfter) {
		t.Errorf("the intermediate ends %v, its root %v", ca.Intermediate.NotAfter, ca.Root.NotAfter)
	}
	a, b := mustCreateCA(t, t.TempDir(), CAOptions{}), mustCreateCA(t, t.TempDir(), CAOptions{})
	if pki.Name(a.Root.Subject) == pki.Name(b.Root.Subject) {
		t.Error("two CAs carry one name")
	}
	for _, o := range []CAOptions{{KeyType: "dsa"}, {Name: strings.Repeat("x", 60)}, {RootLifetime: -1}, {RootLifetime: 24 * time.Hour, IntermediateLifetime: 48 * time.Hour}} {
		home := t.TempDir()
		if _, err := CreateCA(home, o, time.Now()); err == nil {
			t.Errorf("%+v was accepted", o)
		}
		if _, err := OpenCA(home); !errors.Is(err, ErrNoCA) {
			t.Errorf("%+v left a CA: %v", o, err)
		}
	}
}

func TestACAIsNeverOverwritten(t *testing.T) {
	home := t.TempDir()
	first := mustCreateCA(t, home, CAOptions{})
	if _, err := CreateCA(home, CAOptions{}, time.Now()); !errors.Is(err, ErrCAExists) {
		t.Errorf("%v", err)
	}
	// A lone key is enough to stop: it may be all that is left of a CA.
	if err := os.Remove(filepath.Join(first.Dir, rootFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateCA(home, CAOptions{}, time.Now()); !errors.Is(err, ErrCAExists) {
		t.Errorf("%v", err)
	}
	empty := t.TempDir()
	if err := os.Mkdir(filepath.Join(empty, "ca"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustCreateCA(t, empty, CAOptions{})
	file, link := t.TempDir(), t.TempDir()
	mustWrite(t, filepath.Join(file, "ca"), "", 0o600)
	if err := os.Symlink(t.TempDir(), filepath.Join(link, "ca")); err != nil {
		t.Fatal(err)
	}
	for _, home := range []string{file, link} {
		if _, err := CreateCA(home, CAOptions{}, time.Now()); err == nil || !strings.Contains(err.Error(), "in the way") {
			t.Errorf("%v", err)
		}
	}
}

func TestTwoInitsAtOnceMakeOneCA(t *testing.T) {
	home := t.TempDir()
	const n = 8
	var wg sync.WaitGroup
	made, refused := make([]*CA, n), make([]error, n)
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			made[i], refused[i] = CreateCA(home, CAOptions{}, time.Now())
		}()
	}
	wg.Wait()
	var winner *CA
	for i := range n {
		var locked *LockedError
		switch {
		case made[i] != nil && winner != nil:
			t.Fatal("two CAs were made")
		case made[i] != nil:
			winner = made[i]
		case !errors.As(refused[i], &locked) && !errors.Is(refused[i], ErrCAExists):
			t.Errorf("%v", refused[i])
		}
	}
	ca, err := OpenCA(home)
	if err != nil || winner == nil || !ca.Root.Equal(winner.Root) {
		t.Errorf("%v", err)
	}
}

func TestALockIsHeldUntilReleased(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := lock(path); !errors.As(err, &locked) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	release, err = lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

func TestNoCrashLeavesHalfACA(t *testing.T) {
	for n := 1; ; n++ {
		home := t.TempDir()
		w, reached := crashAt(n)
		_, err := w.createCA(home, CAOptions{}, time.Now())
		if err == nil {
			if n < 18 {
				t.Errorf("only %d steps", n)
			}
			return
		}
		_, err = OpenCA(home)
		whole := (*reached)[n-1] == stepRenamed && n == 17
		if whole && err != nil || !whole && !errors.Is(err, ErrNoCA) {
			t.Fatalf("crash at step %d: %v", n, err)
		}
		if whole {
			continue
		}
		mustCreateCA(t, home, CAOptions{})
		if got := names(t, home); !slices.Equal(got, []string{"ca", caLockFile}) {
			t.Errorf("left behind: %v", got)
		}
	}
}

func TestDamagedCAsAreNotOpened(t *testing.T) {
	other := mustCreateCA(t, t.TempDir(), CAOptions{})
	stranger := pkitest.New(t, pkitest.P256)
	for name, c := range map[string]struct {
		damage func(dir string) error
		want   string
	}{
		"other key": {func(d string) error {
			return copyFile(filepath.Join(other.Dir, interKeyFile), filepath.Join(d, interKeyFile))
		}, "does not belong"},
		"other root": {func(d string) error { return WriteCertificates(filepath.Join(d, rootFile), stranger.Root.Raw) }, "not signed by the root"},
		"other intermediate": {func(d string) error {
			return copyFile(filepath.Join(other.Dir, intermediateFile), filepath.Join(d, intermediateFile))
		}, "not signed by the root"},
		"two roots": {func(d string) error {
			return WriteCertificates(filepath.Join(d, rootFile), stranger.Root.Raw, stranger.Root.Raw)
		}, "2 certificates"},
		"key missing":          {func(d string) error { return os.Remove(filepath.Join(d, interKeyFile)) }, "no such file"},
		"intermediate missing": {func(d string) error { return os.Remove(filepath.Join(d, intermediateFile)) }, "no such file"},
		"key open":             {func(d string) error { return os.Chmod(filepath.Join(d, interKeyFile), 0o644) }, "open to others"},
		"root not PEM":         {func(d string) error { return os.WriteFile(filepath.Join(d, rootFile), []byte("x"), 0o600) }, "no certificate"},
	} {
		home := t.TempDir()
		ca := mustCreateCA(t, home, CAOptions{})
		if err := c.damage(ca.Dir); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenCA(home); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenCA(filepath.Join(t.TempDir(), "nowhere")); !errors.Is(err, ErrNoCA) {
		t.Errorf("%v", err)
	}
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

func TestOpenSSLVerifiesWhatTheCAIssues(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	for _, k := range []pki.KeyType{pki.P256, pki.Ed25519, pki.RSA2048} {
		ca := mustCreateCA(t, t.TempDir(), CAOptions{KeyType: k})
		key := newKey(t)
		leaf, err := ca.Issuer().Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"a.example"}, Key: key.Public()}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "live")
		if err := WriteLive(dir, leaf.Raw, ca.Chain(), key); err != nil {
			t.Fatal(err)
		}
		if out, err := pkitest.Run(t, openssl, "verify", "-x509_strict", "-CAfile", ca.RootPath(), "-untrusted", filepath.Join(dir, ChainFile),
			"-purpose", "sslserver", "-verify_hostname", "a.example", filepath.Join(dir, CertFile)); err != nil {
			t.Errorf("%s: %v\n%s", k, err, out)
		}
	}
}
