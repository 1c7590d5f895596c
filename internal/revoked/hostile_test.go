package revoked

import (
	"context"
	"crypto/x509"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// Somebody between us and the CA gives an older list, which still holds: from before the revocation.
func TestOlderListIsNotTaken(t *testing.T) {
	w := newWorld(t)
	chain := w.withCRL("/crl")
	old := w.list(1, nil)
	w.pass(time.Minute)
	dir := t.TempDir()
	p := w.pool(dir, nil)
	c := w.checker(p)
	w.publish("/crl", w.listFor(2, crl.CertificateHold, nil, chain[0])) // on hold, so the journal has no part in it
	w.expect(c, chain, "revoked")
	w.publish("/crl", old)
	w.pass(2 * time.Hour)
	p.refreshDue()
	w.expect(c, chain, "revoked")
	if s := p.Status().Lists[0]; !strings.Contains(s.Problem, "older") {
		t.Errorf("%+v", s)
	}
	again := w.pool(dir, nil) // the newer one is on disk
	w.pass(2 * time.Hour)
	again.refreshDue()
	w.expect(w.checker(again), chain, "revoked")
	w.publish("/crl", w.list(3, nil))
	w.pass(2 * time.Hour)
	again.refreshDue()
	w.expect(w.checker(again), chain, "")
}

func TestForgedListsChangeNothing(t *testing.T) {
	w := newWorld(t)
	namesake := w.Namesake()
	good, bad := w.withCRL("/crl"), w.withCRL("/crl")
	w.publish("/crl", w.list(5, nil, bad[0]))
	p := w.pool(t.TempDir(), nil)
	c := w.checker(p)
	w.expect(c, good, "")
	now := w.clock()
	forged := func(entries ...*x509.Certificate) []byte {
		der, err := crl.Create(crl.Template{Number: big.NewInt(99), ThisUpdate: now, NextUpdate: now.Add(1000 * time.Hour), Entries: entriesOf(now, entries)}, namesake.Intermediate, namesake.Key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	flipped := w.list(6, nil)
	flipped[len(flipped)-1] ^= 1
	for name, der := range map[string][]byte{"another key's": forged(good[0]), "empty": forged(), "flipped": flipped, "nonsense": []byte("<html>")} {
		w.publish("/crl", der)
		w.pass(2 * time.Hour)
		p.refreshDue()
		w.expect(c, good, "")
		w.expect(c, bad, "revoked")
		if p.Status().Lists[0].Problem == "" {
			t.Errorf("%s: nobody noticed", name)
		}
	}
	// A forged list that came before anybody could judge it gives way to the true one.
	w.publish("/own", forged(good[0]))
	bare := w.client(nil)
	own := w.checker(p, w.url("/own"))
	w.pass(2 * time.Minute)
	p.refreshDue()
	w.expect(own, bare, "unknown")
	w.publish("/own", w.list(7, nil))
	w.pass(2 * time.Minute)
	w.expect(own, bare, "")
}

func entriesOf(now time.Time, revoked []*x509.Certificate) func(func(crl.Entry) bool) {
	return entries(now, crl.KeyCompromise, revoked)
}

func TestOlderAnswersAreNotTaken(t *testing.T) {
	w := newWorld(t)
	chain := w.withOCSP()
	w.life = 100 * time.Hour
	c := w.checker(w.pool("", nil))
	w.expect(c, chain, "")
	k, _ := keyOf(chain)
	c.pool.mu.Lock()
	a := c.pool.answers[k]
	c.pool.mu.Unlock()
	old := a.use()
	w.pass(2 * time.Hour)
	w.revokeByOCSP(chain[0], crl.CertificateHold)
	c.pool.refreshDue()
	w.expect(c, chain, "revoked")
	w.publish("/ocsp", old)
	w.pass(2 * time.Hour)
	c.pool.refreshDue()
	w.expect(c, chain, "revoked")
	if s := c.pool.Status(); s.Trouble != 1 {
		t.Errorf("%+v", s)
	}
}

func TestAnswersOfOthersCountForNothing(t *testing.T) {
	w := newWorld(t)
	namesake := w.Namesake()
	chain, other := w.withOCSP(), w.withOCSP()
	answer := func(c *x509.Certificate, by *pkitest.CA, status ocsp.CertStatus) []byte {
		id, err := ocsp.NewCertID(c.SerialNumber.Bytes(), w.Intermediate, 3)
		if err != nil {
			t.Fatal(err)
		}
		der, err := ocsp.CreateResponse(ocsp.ResponseTemplate{ProducedAt: w.clock(), Singles: []ocsp.Single{{ID: id, Status: status, ThisUpdate: w.clock(), NextUpdate: w.clock().Add(time.Hour)}}}, by.Intermediate, by.Key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for name, der := range map[string][]byte{
		"another's":      answer(other[0], w.CA, ocsp.Good),
		"another key's":  answer(chain[0], namesake, ocsp.Good),
		"unknown":        answer(chain[0], w.CA, ocsp.Unknown),
		"try later":      ocsp.ErrorResponse(ocsp.TryLater),
		"nonsense":       []byte("nonsense"),
		"of another key": answer(chain[0], namesake, ocsp.Revoked),
	} {
		w.publish("/ocsp", der)
		err := w.expect(w.checker(w.pool("", nil)), chain, "unknown")
		if !strings.Contains(err.Error(), "/ocsp") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A CA's addresses lead nowhere private unless somebody has said that they may.
func TestPrivateAddressesAreNotAskedForStrangers(t *testing.T) {
	w := newWorld(t)
	f := fetch.New(fetch.Options{Now: w.clock})
	defer f.Close()
	p := w.pool("", func(o *PoolOptions) { o.Fetcher = f })
	w.publish("/crl", w.list(1, nil))
	err := w.expect(w.checker(p), w.withCRL("/crl"), "unknown")
	if w.count("/crl") != 0 || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("asked %d times: %v", w.count("/crl"), err)
	}
}

func TestDiskIsNotBelieved(t *testing.T) {
	w := newWorld(t)
	chain, answered := w.withCRL("/crl"), w.withOCSP()
	w.publish("/crl", w.list(1, nil, chain[0]))
	w.revokeByOCSP(answered[0], crl.CertificateHold)
	dir := t.TempDir()
	c := w.checker(w.pool(dir, nil))
	w.expect(c, chain, "revoked")
	w.expect(c, answered, "revoked")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if err := os.WriteFile(f, []byte("nonsense"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.setDown(true)
	again := w.checker(w.pool(dir, nil))
	w.expect(again, chain, "revoked") // remembered
	w.expect(again, answered, "unknown")
	info, err := os.Stat(filepath.Join(dir, "revoked.jsonl"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}

func TestJournalSurvivesTornLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "revoked.jsonl")
	now := time.Now()
	j, err := openJournal(file, now)
	if err != nil {
		t.Fatal(err)
	}
	one, two, held, over := key{[32]byte{1}, "1"}, key{[32]byte{2}, "2"}, key{[32]byte{3}, "3"}, key{[32]byte{4}, "4"}
	all := map[key]memo{
		one: {now, crl.KeyCompromise, now.Add(time.Hour), "CRL"}, two: {now, crl.Unspecified, now.Add(48 * time.Hour), "OCSP"},
		held: {now, crl.CertificateHold, now.Add(time.Hour), ""}, over: {now, crl.KeyCompromise, now.Add(-time.Hour), ""},
	}
	for _, n := range []int{3, 0} {
		if fresh, err := j.remember(all); err != nil || len(fresh) != n {
			t.Fatal(fresh, err)
		}
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(`{"issuer":"00`)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if j, err = openJournal(file, now); err != nil {
			t.Fatal(err)
		}
		if m, ok := j.recall(one); !ok || len(j.known) != 2 || !strings.HasSuffix(m.result().Text, "said a CRL") {
			t.Errorf("%v", j.known)
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
	if j, err = openJournal(file, now.Add(2*time.Hour)); err != nil || len(j.known) != 1 {
		t.Error(j, err)
	}
	_ = j.close()
}

// Checks, watches, changes of lists and settings at the same time: what is revoked at the end is refused, and every watch
// of it was told exactly once.
func TestNothingIsMissedInTheTurmoil(t *testing.T) {
	w := newWorld(t)
	b := w.sqlite()
	p := w.pool(t.TempDir(), func(o *PoolOptions) { o.Live = []Live{b.Store} })
	c := w.checker(p)
	w.current(p)
	const clients, each = 8, 20
	var all, told sync.WaitGroup
	for range clients {
		chain := w.client(nil)
		b.file(chain[0])
		for range each {
			all.Go(func() {
				var once sync.Once
				told.Add(1)
				_, err := c.Watch(context.Background(), chain, func(err error) {
					fresh := false
					once.Do(func() { fresh = true; told.Done() })
					if !fresh || verdictOf(err) != "revoked" {
						t.Errorf("told again, or wrongly: %v", err)
					}
				})
				if err != nil { // it was revoked before
					told.Done()
				}
			})
		}
		all.Go(func() { b.revoke(chain[0], crl.KeyCompromise) })
		all.Go(func() { p.changed(nil) })
		all.Go(func() {
			if err := w.mode(p, pki.RevocationSoft).Close(); err != nil {
				t.Error(err)
			}
		})
		defer func() { w.expect(c, chain, "revoked") }()
	}
	all.Wait()
	done := make(chan error, 1)
	go func() { told.Wait(); done <- nil }()
	_ = soon(t, "every watch is told", done)
	if n := p.Status().Watching; n != 0 {
		t.Errorf("%d watches are left", n)
	}
}

func TestManyClientsAreBounded(t *testing.T) {
	w := newWorld(t)
	c := w.mode(w.pool("", nil), pki.RevocationSoft)
	for n := range maxVerdicts + 1000 {
		c.keep([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}, &verdict{}, 0)
	}
	if len(c.verdicts) > maxVerdicts {
		t.Errorf("%d verdicts", len(c.verdicts))
	}
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Error(err)
	}
}

func FuzzParseLists(f *testing.F) {
	ca := pkitest.New(f, pkitest.P256)
	der, err := crl.Create(crl.Template{Number: big.NewInt(1), ThisUpdate: ca.Now, NextUpdate: ca.Now.Add(time.Hour)}, ca.Intermediate, ca.Key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add([]byte("-----BEGIN X509 CRL-----\n" + lines(der) + "-----END X509 CRL-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parseLists(data)
		if err == nil && len(all) == 0 {
			t.Error("neither lists nor an error")
		}
		for i, l := range all {
			if err == nil && (l == nil || i > 0 && l.ThisUpdate.After(all[i-1].ThisUpdate)) {
				t.Error("not in order")
			}
		}
	})
}

func FuzzJournalLine(f *testing.F) {
	f.Add([]byte(`{"issuer":"` + strings.Repeat("ab", 32) + `","serial":"01","at":"2026-11-22T09:00:00Z","reason":1,"until":"2027-11-22T09:00:00Z"}`))
	f.Add([]byte(`{"issuer":"ab","serial":"","reason":7}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, m, err := readLine(text)
		if err != nil {
			return
		}
		if k.serial == "" || !m.reason.Valid() {
			t.Errorf("%v, %v", k, m)
		}
		file := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := openJournal(file, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		_ = j.close()
	})
}

// A responder that swallows questions keeps one client waiting, not every one: the list is there.
func TestSilentResponderHoldsUpOneClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("/crl", w.list(1, nil))
	gate, asked := make(chan struct{}), make(chan struct{}, 100)
	black := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-gate }))
	defer black.Close()
	defer close(gate)
	p := w.pool("", func(o *PoolOptions) { o.Patience = 5 * time.Second })
	c := w.checker(p)
	w.expect(c, w.withCRL("/crl"), "")
	for range 20 {
		w.expect(c, w.client(func(r *pki.Request) {
			r.OCSPServers, r.CRLDistributionPoints = []string{black.URL}, []string{w.url("/crl")}
		}), "")
	}
	if n := len(asked); n != 1 {
		t.Errorf("asked %d times", n)
	}
}
