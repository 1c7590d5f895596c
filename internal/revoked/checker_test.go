package revoked

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/wire"
)

func TestNamedCRLIsFetchedAndKept(t *testing.T) {
	w := newWorld(t)
	good, bad := w.withCRL("/crl"), w.withCRL("/crl")
	w.publish("/crl", w.list(1, nil, bad[0]))
	dir := t.TempDir()
	p := w.pool(dir, nil)
	c := w.checker(p)
	w.expect(c, good, "")
	err := w.expect(c, bad, "revoked")
	var e *Error
	if !errors.As(err, &e) || e.Alert() != wire.AlertCertificateRevoked || e.Result.Reason != crl.KeyCompromise || e.Result.At.IsZero() || e.Reason != pki.ReasonRevoked {
		t.Errorf("%+v", e)
	}
	for range 5 {
		w.expect(c, good, "")
	}
	if n := w.count("/crl"); n != 1 {
		t.Errorf("asked %d times", n)
	}

	// A restart without network: what is on disk is enough, as long as it holds.
	w.setDown(true)
	again := w.checker(w.pool(dir, nil))
	w.expect(again, good, "")
	w.expect(again, bad, "revoked")
	w.pass(25 * time.Hour)
	err = w.expect(again, good, "unknown")
	if errors.As(err, &e); e.Alert() != wire.AlertCertificateUnknown || !strings.Contains(err.Error(), "out of date") || !strings.Contains(err.Error(), "503") {
		t.Errorf("%v", err)
	}
	w.expect(again, bad, "revoked")
	w.expect(w.mode(again.pool, pki.RevocationSoft), good, "")
	w.expect(w.mode(again.pool, pki.RevocationSoft), bad, "revoked")
	w.expect(w.mode(again.pool, pki.RevocationOff), bad, "")
}

func TestOCSPIsAskedAndKept(t *testing.T) {
	w := newWorld(t)
	good, bad := w.withOCSP(), w.withOCSP()
	w.revokeByOCSP(bad[0], crl.Superseded)
	dir := t.TempDir()
	c := w.checker(w.pool(dir, nil))
	w.expect(c, good, "")
	w.expect(c, bad, "revoked")
	w.expect(c, good, "")
	if n := w.count("/ocsp"); n != 2 {
		t.Errorf("asked %d times", n)
	}
	w.setDown(true)
	again := w.checker(w.pool(dir, nil))
	w.expect(again, good, "")
	w.expect(again, bad, "revoked")
	w.pass(2 * time.Hour)
	w.expect(again, good, "unknown")
	w.expect(again, bad, "revoked")
}

func TestCRLStandsInForADeadResponder(t *testing.T) {
	w := newWorld(t)
	chain := w.client(func(r *pki.Request) {
		r.OCSPServers, r.CRLDistributionPoints = []string{w.url("/dead")}, []string{w.url("/crl")}
	})
	c := w.checker(w.pool("", nil))
	err := w.expect(c, chain, "unknown")
	if !strings.Contains(err.Error(), "404") {
		t.Error(err)
	}
	w.publish("/crl", w.list(1, nil))
	w.pass(2 * time.Minute) // failures are remembered for one
	w.expect(c, chain, "")
}

func TestUnknownStatusIsExplained(t *testing.T) {
	w := newWorld(t)
	bare := w.client(nil)
	err := w.expect(w.checker(w.pool("", nil)), bare, "unknown")
	var e *Error
	if !errors.As(err, &e) || e.Certificate != bare[0] || e.Hint == "" || !strings.Contains(e.Text, "alice") {
		t.Errorf("%+v", err)
	}
	nobody := w.pool("", func(o *PoolOptions) { o.Fetcher = nil })
	w.publish("/crl", w.list(1, nil))
	w.expect(w.checker(nobody), w.withCRL("/crl"), "unknown")
	if w.count("/crl") != 0 {
		t.Error("fetched though nobody may")
	}
	strict := w.checker(w.pool("", nil))
	strict.o.ShortLived = 400 * 24 * time.Hour
	w.expect(strict, bare, "")
	w.expect(strict, []*x509.Certificate{w.Root}, "")
}

func TestRevokedCAIsRefused(t *testing.T) {
	w := newWorld(t)
	chain := w.withCRL("/crl")
	w.publish("/crl", w.list(1, nil))
	der, err := crl.Create(crl.Template{Number: w.Root.SerialNumber, ThisUpdate: w.clock(), NextUpdate: w.clock().Add(time.Hour),
		Entries: entries(w.clock(), crl.CACompromise, []*x509.Certificate{w.Intermediate})}, w.Root, w.RootKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "root.crl")
	write(t, file, der)
	p := w.pool("", nil)
	w.expect(w.checker(p), chain, "") // nobody offers to tell
	err = w.expect(w.checker(p, file), chain, "revoked")
	var e *Error
	if !errors.As(err, &e) || e.Depth != 1 || e.Certificate != w.Intermediate {
		t.Errorf("%+v", err)
	}
	w.expect(w.checker(p), chain, "revoked") // it is remembered now
}

// The list of a CA whose own status is offered, and cannot be had.
func TestUnknownCAIsRefusedWhereSomebodyOffersToTell(t *testing.T) {
	w := newWorld(t)
	chain := w.withCRL("/crl")
	w.publish("/crl", w.list(1, nil))
	der, err := crl.Create(crl.Template{Number: w.Root.SerialNumber, ThisUpdate: w.clock().Add(-48 * time.Hour), NextUpdate: w.clock().Add(-24 * time.Hour)}, w.Root, w.RootKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "root.crl")
	write(t, file, der)
	w.expect(w.checker(w.pool("", nil), file), chain, "unknown")
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	temp := file + ".new"
	if err := errors.Join(os.WriteFile(temp, data, 0o600), os.Rename(temp, file)); err != nil {
		t.Fatal(err)
	}
}

func TestConfiguredFileIsReadAgain(t *testing.T) {
	w := newWorld(t)
	chain := w.client(nil)
	file := filepath.Join(t.TempDir(), "ca.crl")
	p := w.pool("", nil)
	if _, err := New(Options{Pool: p, Mode: pki.RevocationHard, CRLs: []string{file}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	write(t, file, []byte("nonsense"))
	if _, err := New(Options{Pool: p, Mode: pki.RevocationHard, CRLs: []string{file}}); err == nil {
		t.Error("a file that is no CRL")
	}
	write(t, file, w.list(1, nil))
	c := w.checker(p, file)
	revoked := w.connect(c, chain)
	write(t, file, []byte("nonsense"))
	w.pass(time.Minute)
	p.refreshDue()
	w.expect(c, chain, "") // the list that was read goes on
	if s := p.Status().Lists[0]; s.Problem == "" {
		t.Errorf("%+v", s)
	}
	write(t, file, w.list(2, nil, chain[0]))
	w.pass(time.Minute)
	p.refreshDue()
	if got := verdictOf(soon(t, "the file changed", revoked)); got != "revoked" {
		t.Error(got)
	}
	w.expect(c, chain, "revoked")
}

func TestConfiguredURLMayBePrivate(t *testing.T) {
	w := newWorld(t)
	chain := w.client(nil)
	w.publish("/own", w.list(1, nil, chain[0]))
	p := w.pool("", func(o *PoolOptions) { o.Fetcher = nil })
	w.expect(w.checker(p, w.url("/own")), chain, "revoked")
	for _, place := range []string{"http://", "http://[", "/none/such"} {
		if c, err := New(Options{Pool: p, CRLs: []string{place}}); err == nil {
			t.Errorf("%s was taken: %v", place, c)
		}
	}
}

func TestSeveralListsInOneFile(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	mine, theirs := w.client(nil), other.client(nil)
	file := filepath.Join(t.TempDir(), "all.pem")
	var text []byte
	for _, der := range [][]byte{w.list(1, nil, mine[0]), other.list(1, nil, theirs[0])} {
		text = fmt.Appendf(text, "-----BEGIN X509 CRL-----\n%s-----END X509 CRL-----\n", lines(der))
	}
	write(t, file, text)
	c := w.checker(w.pool("", nil), file)
	w.expect(c, mine, "revoked")
	w.expect(c, theirs, "revoked")
}

func TestDeltasAreFetched(t *testing.T) {
	w := newWorld(t)
	good, bad := w.withCRL("/crl"), w.withCRL("/crl")
	w.publish("/crl", w.list(5, func(tm *crl.Template) { tm.Freshest = []string{w.url("/delta")} }))
	c := w.checker(w.pool("", nil))
	w.expect(c, good, "")
	w.publish("/delta", w.list(6, func(tm *crl.Template) { tm.Base = big.NewInt(5) }, bad[0]))
	w.pass(2 * time.Minute)
	c.pool.refreshDue()
	w.expect(c, good, "")
	w.expect(c, bad, "revoked")
}

func TestVerdictsAreFoundOnce(t *testing.T) {
	w := newWorld(t)
	w.publish("/crl", w.list(1, nil))
	chain := w.withCRL("/crl")
	c := w.checker(w.pool("", nil))
	w.expect(c, chain, "")
	allocs := testing.AllocsPerRun(100, func() {
		if c.Check(context.Background(), chain) != nil {
			t.Error("refused")
		}
	})
	if allocs > 1 { // the hash
		t.Errorf("%v allocations", allocs)
	}
}

// DESIGN: a stale CRL or OCSP answer fails closed where revocation is demanded.
func TestStaleStatementsFailClosed(t *testing.T) {
	w := newWorld(t)
	w.publish("/crl", w.list(1, nil))
	file := filepath.Join(t.TempDir(), "ca.crl")
	write(t, file, w.list(1, nil))
	for name, chain := range map[string][]*x509.Certificate{"CRL": w.withCRL("/crl"), "OCSP": w.withOCSP(), "file": w.client(nil)} {
		p := w.pool(t.TempDir(), nil)
		var files []string
		if name == "file" {
			files = append(files, file)
		}
		hard, soft := w.checker(p, files...), w.mode(p, pki.RevocationSoft, files...)
		w.expect(hard, chain, "")
		w.setDown(true)
		w.pass(24*time.Hour + time.Minute)
		err := w.expect(hard, chain, "unknown")
		if err == nil || !strings.Contains(err.Error(), "out of date") && !strings.Contains(err.Error(), "503") {
			t.Errorf("%s: %v", name, err)
		}
		w.expect(soft, chain, "")
		w.setDown(false)
		w.pass(-24*time.Hour - time.Minute)
	}
}

// One check finds out that a certificate was revoked: the connections that rest on it hear of it.
func TestWhatACheckFindsIsToldToAll(t *testing.T) {
	w := newWorld(t)
	w.publish("/crl", w.list(1, nil))
	chain := w.withCRL("/crl")
	p := w.pool("", nil)
	over := w.connect(w.checker(p), chain)
	file := filepath.Join(t.TempDir(), "ca.crl")
	write(t, file, w.list(2, nil, chain[0]))
	other := w.checker(p, file) // of another site
	w.expect(other, chain, "revoked")
	if got := verdictOf(soon(t, "found by another check", over)); got != "revoked" {
		t.Error(got)
	}
}
