//go:build unix

package keystore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

func TestLiveFoldersHoldWhatCertbotsHold(t *testing.T) {
	l := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	dir := filepath.Join(t.TempDir(), "live", "localhost")
	if err := WriteLive(dir, l.Chain[0], l.Chain[1:], l.Key); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir), []string{CertFile, ChainFile, FullChainFile, KeyFile}; !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
	cert, chain := content(t, filepath.Join(dir, CertFile)), content(t, filepath.Join(dir, ChainFile))
	if content(t, filepath.Join(dir, FullChainFile)) != cert+chain {
		t.Error("fullchain.pem is not cert.pem and chain.pem")
	}
	for name, want := range map[string]os.FileMode{CertFile: 0o644, ChainFile: 0o644, FullChainFile: 0o644, KeyFile: 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	certs, err := ReadCertificates(filepath.Join(dir, FullChainFile))
	if err != nil || len(certs) != 2 || !certs[0].Equal(l.Certificate) {
		t.Errorf("%d certificates, %v", len(certs), err)
	}
}

func TestNoCrashLeavesHalfAFileInALiveFolder(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	before, after := ca.Server(pkitest.P256), ca.Server(pkitest.Ed25519)
	for n := 1; ; n++ {
		dir := filepath.Join(t.TempDir(), "live")
		if err := WriteLive(dir, before.Chain[0], before.Chain[1:], before.Key); err != nil {
			t.Fatal(err)
		}
		w, reached := crashAt(n)
		err := w.writeLive(dir, after.Chain[0], after.Chain[1:], after.Key)
		if err == nil {
			if n < 16 {
				t.Errorf("only %d steps", n)
			}
			return
		}
		key, kerr := ReadKey(filepath.Join(dir, KeyFile))
		certs, cerr := ReadCertificates(filepath.Join(dir, FullChainFile))
		if kerr != nil || cerr != nil {
			t.Fatalf("after %v: %v %v", *reached, kerr, cerr)
		}
		if !pki.SameKey(key.Public(), before.Key.Public()) && !pki.SameKey(key.Public(), after.Key.Public()) {
			t.Errorf("after %v: a key of neither generation", *reached)
		}
		if !pki.SameKey(key.Public(), certs[0].PublicKey) {
			var mismatch *MismatchError
			if _, err := LoadIdentity(filepath.Join(dir, FullChainFile), filepath.Join(dir, KeyFile)); !errors.As(err, &mismatch) {
				t.Errorf("two generations go unnoticed: %v", err)
			}
		}
		// The next write puts everything right and leaves nothing of the crash.
		if err := WriteLive(dir, after.Chain[0], after.Chain[1:], after.Key); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadIdentity(filepath.Join(dir, FullChainFile), filepath.Join(dir, KeyFile)); err != nil {
			t.Error(err)
		}
		if got := names(t, dir); len(got) != 4 {
			t.Errorf("left behind: %v", got)
		}
	}
}

func TestLiveFoldersOfSymlinksKeepThem(t *testing.T) {
	l := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	base := t.TempDir()
	archive, live := filepath.Join(base, "archive"), filepath.Join(base, "live")
	if err := WriteLive(archive, l.Chain[0], l.Chain[1:], l.Key); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(live, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range names(t, archive) {
		if err := os.Symlink(filepath.Join("..", "archive", name), filepath.Join(live, name)); err != nil {
			t.Fatal(err)
		}
	}
	next := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	if err := WriteLive(live, next.Chain[0], next.Chain[1:], next.Key); err != nil {
		t.Fatal(err)
	}
	id, err := LoadIdentity(filepath.Join(archive, FullChainFile), filepath.Join(archive, KeyFile))
	if err != nil || !pki.SameKey(id.Key.Public(), next.Key.Public()) {
		t.Errorf("%v", err)
	}
	if info, err := os.Lstat(filepath.Join(live, KeyFile)); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%v %v", info, err)
	}
}

func TestALiveFolderIsWrittenByOneAtATime(t *testing.T) {
	l := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	dir := filepath.Join(t.TempDir(), "live")
	var inner error
	tried := false
	w := writer{at: func(step, string) error {
		if !tried {
			tried = true
			inner = WriteLive(dir, l.Chain[0], l.Chain[1:], l.Key)
		}
		return nil
	}}
	if err := w.writeLive(dir, l.Chain[0], l.Chain[1:], l.Key); err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if !errors.As(inner, &locked) {
		t.Errorf("the second writer: %v", inner)
	}
}

func TestIdentitiesAreChecked(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l, other := ca.Server(pkitest.P256), ca.Server(pkitest.P256)
	rsa, pss := ca.Server(pkitest.RSA2048).Files(), ca.Server(pkitest.RSAPSS).Files()
	f, g := l.Files(), other.Files()
	dir := t.TempDir()
	file := func(name string, parts ...string) string {
		var text string
		for _, p := range parts {
			text += content(t, p)
		}
		mustWrite(t, filepath.Join(dir, name), text, 0o600)
		return filepath.Join(dir, name)
	}
	if id, err := LoadIdentity(file("combined", f.Key, f.FullChain), ""); err != nil || len(id.Chain) != 2 {
		t.Errorf("one file for all: %v", err)
	}
	if _, err := LoadIdentity(pss.FullChain, rsa.Key); err != nil {
		// Tools that know nothing of id-RSASSA-PSS write such keys as plain RSA ones.
		t.Errorf("a plain RSA key with its restricted certificate: %v", err)
	}
	long := make([]string, 11)
	for i := range long {
		long[i] = f.Cert
	}
	for name, c := range map[string]struct{ cert, key, want string }{
		"other key":           {f.FullChain, g.Key, "does not belong"},
		"wrong order":         {file("reversed", f.Chain, f.Cert), f.Key, "certificate 2 of that file, which must come first"},
		"no certificate":      {f.Key, f.Key, "no certificate"},
		"no key":              {f.FullChain, f.Cert, "no private key"},
		"missing certificate": {filepath.Join(dir, "missing"), f.Key, "no such file"},
		"missing key":         {f.FullChain, filepath.Join(dir, "missing"), "no such file"},
		"eleven":              {file("long", long...), f.Key, "11 certificates"},
		"PSS key, RSA leaf":   {rsa.FullChain, pss.Key, "restricted to RSASSA-PSS"},
	} {
		if _, err := LoadIdentity(c.cert, c.key); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	junk := filepath.Join(dir, "junk")
	mustWrite(t, junk, string(pki.AppendCertificatePEM(nil, []byte("junk"))), 0o644)
	if _, err := LoadIdentity(junk, f.Key); err == nil || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("junk: %v", err)
	}
	if err := os.Chmod(f.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	var perm *PermissionError
	if _, err := LoadIdentity(f.FullChain, f.Key); !errors.As(err, &perm) {
		t.Errorf("open key: %v", err)
	}
}

func TestAHeldLiveFolderIsNobodyElses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "live", "localhost")
	held, err := HoldLive(dir)
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := HoldLive(dir); !errors.As(err, &locked) {
		t.Errorf("a second one holds it: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that nothing was written to stays: %v", err)
	}
	if held, err = HoldLive(dir); err != nil {
		t.Fatal(err)
	}
	l := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	if err := errors.Join(held.Write(l.Chain[0], l.Chain[1:], l.Key), held.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadIdentity(filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile)); err != nil {
		t.Error(err)
	}
}
