package revoked

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// books are records of the world's intermediate.
type books struct {
	*store.Store
	w      *world
	issuer store.Issuer
}

func (w *world) by() store.By { return store.By{Actor: "tester", At: w.clock()} }

// enter makes the intermediate known to a store.
func (w *world) enter(s *store.Store) *books {
	w.t.Helper()
	i, err := s.Introduce(w.t.Context(), store.Issuer{Name: "CN=CA", KeyHash: IssuerKey(w.Intermediate), Certificate: w.Intermediate.Raw}, w.by())
	if err != nil {
		w.t.Fatal(err)
	}
	return &books{s, w, i}
}

func (w *world) sqlite() *books {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), filepath.Join(w.t.TempDir(), "ca.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.Close() })
	return w.enter(s)
}

// file records a certificate.
func (b *books) file(c *x509.Certificate) {
	b.w.t.Helper()
	id, err := b.Reserve(context.Background(), store.NewRequest{By: b.w.by(), Issuer: b.issuer.ID, Serial: c.SerialNumber.Bytes(), Profile: "client", Asked: "{}"})
	if err == nil {
		err = b.Record(context.Background(), store.NewCertificate{By: b.w.by(), ID: id, Issuer: b.issuer.ID, Profile: "client", Subject: "CN=alice",
			DER: c.Raw, Digest: sha256.Sum256(c.Raw), NotBefore: c.NotBefore, NotAfter: c.NotAfter})
	}
	if err != nil {
		b.w.t.Fatal(err)
	}
}

func (b *books) revoke(c *x509.Certificate, reason crl.Reason) {
	b.w.t.Helper()
	if err := b.Revoke(context.Background(), b.issuer.ID, c.SerialNumber.Bytes(), store.Revocation{At: b.w.clock(), Reason: uint8(reason)}, b.w.by()); err != nil {
		b.w.t.Fatal(err)
	}
}

// current waits until a pool follows its records.
func (w *world) current(p *Pool) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		ok := true
		for _, l := range p.Status().Live {
			ok = ok && l.Current
		}
		switch {
		case ok:
			return
		case time.Now().After(deadline):
			w.t.Fatalf("the records are not followed: %+v", p.Status().Live)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A revocation in the records ends what rests on the certificate. Nothing else than the event can end the wait: nobody is
// asked, and the clock of the statements stands still.
func TestRevocationInTheRecordsTakesEffect(t *testing.T) {
	t.Parallel()
	t.Run("SQLite, this process", func(t *testing.T) {
		w := newWorld(t)
		b := w.sqlite()
		w.takesEffect(b, b)
	})
	t.Run("SQLite, another process", func(t *testing.T) {
		w := newWorld(t)
		w.takesEffect(anotherProcess(w))
	})
}

// takesEffect revokes in some records, and follows others of the same CA.
func (w *world) takesEffect(mine, theirs *books) {
	t := w.t
	t.Helper()
	alice, bob := w.client(nil), w.client(nil)
	theirs.file(alice[0])
	theirs.file(bob[0])
	p := w.pool("", func(o *PoolOptions) { o.Live = []Live{mine.Store} })
	c := w.checker(p)
	w.current(p)
	over := w.connect(c, alice)
	stopBob, err := c.Watch(t.Context(), bob, func(err error) { t.Errorf("bob: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	defer stopBob()
	w.expect(c, alice, "")
	if err := c.Close(); err != nil { // settings have changed, the connections go on
		t.Fatal(err)
	}
	c = w.checker(p)
	theirs.revoke(alice[0], crl.KeyCompromise)
	err = soon(t, "revoked in the records", over)
	var e *Error
	if !errors.As(err, &e) || !e.Revoked() || e.Result.Reason != crl.KeyCompromise || e.Certificate.Subject.CommonName != "alice" {
		t.Errorf("%v", err)
	}
	w.expect(c, alice, "revoked")
	w.expect(c, bob, "")
	if n := p.Status().Watching; n != 1 {
		t.Errorf("%d watches", n)
	}
	stopBob()
	if n := len(p.checkers); n != 1 {
		t.Errorf("%d checkers", n)
	}
}

func anotherProcess(w *world) (mine, theirs *books) {
	theirs = w.sqlite()
	s, err := store.Open(w.t.Context(), theirs.Path())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.Close() })
	return w.enter(s), theirs
}

func TestHoldEndsWithItsRelease(t *testing.T) {
	w := newWorld(t)
	b := w.sqlite()
	chain := w.client(nil)
	b.file(chain[0])
	dir := t.TempDir()
	p := w.pool(dir, func(o *PoolOptions) { o.Live = []Live{b.Store} })
	c := w.checker(p)
	w.current(p)
	held := w.connect(c, chain)
	b.revoke(chain[0], crl.CertificateHold)
	if err := soon(t, "put on hold", held); !strings.Contains(err.Error(), "on hold") {
		t.Error(err)
	}
	w.expect(c, chain, "revoked")
	if err := b.Release(t.Context(), b.issuer.ID, chain[0].SerialNumber.Bytes(), w.by()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); c.Check(t.Context(), chain) != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never released")
		}
	}
	if n := p.Status().Revoked; n != 0 {
		t.Errorf("%d are remembered as revoked for good", n)
	}
}

func TestRecordsDecideForTheirOwnOnly(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	b := w.sqlite()
	p := w.pool("", func(o *PoolOptions) { o.Live = []Live{b.Store} })
	c := w.checker(p)
	w.current(p)
	unknown := w.client(nil)
	err := w.expect(c, unknown, "unknown") // signed with the CA's key, and not in its books
	if !strings.Contains(err.Error(), "know of no such certificate") {
		t.Error(err)
	}
	w.expect(w.mode(p, pki.RevocationSoft), unknown, "")
	other.publish("/crl", other.list(1, nil))
	w.expect(c, other.withCRL("/crl"), "")
	b.file(unknown[0])
	w.pass(2 * time.Second)
	w.expect(c, unknown, "")
}

// deaf are records that can be made silent, or begin late.
type deaf struct {
	Live
	silent atomic.Bool
	begin  chan struct{} // not nil: nothing is heard before it is closed
}

var errDeaf = errors.New("the database is gone")

func (d *deaf) StatusOf(ctx context.Context, issuer [32]byte, serial []byte) (store.Status, error) {
	if d.silent.Load() {
		return store.Status{}, errDeaf
	}
	return d.Live.StatusOf(ctx, issuer, serial)
}

func (d *deaf) Follow(ctx context.Context, f store.Follower) {
	if d.begin != nil {
		select {
		case <-d.begin:
		case <-ctx.Done():
			return
		}
	}
	d.Live.Follow(ctx, store.Follower{Told: func(c []store.Change) {
		if !d.silent.Load() {
			f.Told(c)
		}
	}, Sure: func(at time.Time) {
		if d.silent.Load() {
			f.Failed(errDeaf)
			return
		}
		f.Sure(at)
	}, Failed: f.Failed})
}

func TestSilentRecordsFailClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.sqlite()
	bare, listed := w.client(nil), w.withCRL("/crl")
	b.file(bare[0])
	b.file(listed[0])
	w.publish("/crl", w.list(1, nil))
	d := &deaf{Live: b.Store}
	p := w.pool("", func(o *PoolOptions) { o.Live = []Live{d} })
	c := w.checker(p)
	w.current(p)
	w.expect(c, bare, "")
	w.expect(c, listed, "")
	d.silent.Store(true)
	for deadline := time.Now().Add(time.Minute); p.lives[0].isCurrent(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still sure")
		}
	}
	b.revoke(bare[0], crl.KeyCompromise) // which nobody hears of
	err := w.expect(c, bare, "unknown")
	if !strings.Contains(err.Error(), "the database is gone") {
		t.Error(err)
	}
	w.expect(c, listed, "") // by the CRL, which holds
	d.silent.Store(false)
	w.current(p)
	w.pass(2 * time.Second)
	w.expect(c, bare, "revoked")
}

// Once it was heard that a certificate is revoked, neither a restart without network nor an older statement helps it.
func TestRevocationIsRemembered(t *testing.T) {
	w := newWorld(t)
	b := w.sqlite()
	chain := w.withOCSP()
	b.file(chain[0])
	dir := t.TempDir()
	before := w.checker(w.pool(dir, nil))
	w.expect(before, chain, "") // an answer that holds for an hour is on disk now
	p := w.pool(dir, func(o *PoolOptions) { o.Live = []Live{b.Store} })
	c := w.checker(p)
	w.current(p)
	over := w.connect(c, chain)
	b.revoke(chain[0], crl.KeyCompromise)
	soon(t, "revoked", over)
	w.setDown(true)
	again := w.pool(dir, nil) // neither network nor records
	w.expect(w.checker(again), chain, "revoked")
	w.expect(w.mode(again, pki.RevocationSoft), chain, "revoked")
}

// A connection is made and its certificate revoked before the changes can be heard: that is found out when they can.
func TestRevocationBeforeAnythingWasHeardIsNotMissed(t *testing.T) {
	w := newWorld(t)
	b := w.sqlite()
	chain := w.client(nil)
	b.file(chain[0])
	d := &deaf{Live: b.Store, begin: make(chan struct{})}
	p := w.pool("", func(o *PoolOptions) { o.Live = []Live{d} })
	c := w.checker(p)
	over := w.connect(c, chain)
	b.revoke(chain[0], crl.KeyCompromise)
	w.expect(c, chain, "revoked") // nothing is kept as long as nothing is heard
	close(d.begin)
	if got := verdictOf(soon(t, "the changes can be heard", over)); got != "revoked" {
		t.Error(got)
	}
}
