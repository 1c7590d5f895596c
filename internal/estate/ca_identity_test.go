package estate

import (
	"context"
	"crypto/x509"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// TestAServiceOutlivesItsCertificate: the certificate is replaced in time, for all listeners and without ending them; one
// from files stays, and a replacement that fails leaves the old one.
func TestAServiceOutlivesItsCertificate(t *testing.T) {
	start := time.Now()
	var since atomic.Int64 // the clock is read by servers, too
	clock := func() time.Time { return start.Add(time.Duration(since.Load())) }
	ca, err := keystore.CreateCA(t.TempDir(), keystore.CAOptions{}, start)
	if err != nil {
		t.Fatal(err)
	}
	var trouble error
	issue := func(context.Context) (keystore.Identity, error) {
		if trouble != nil {
			return keystore.Identity{}, trouble
		}
		return issueFor(ca, 90*day, clock())
	}
	id, err := issue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own, err := newOwnIdentity(id, issue, clock)
	if err != nil {
		t.Fatal(err)
	}
	config, user := own.use(tlsnet.Config{Time: clock})
	defer own.drop(user)
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Read(make([]byte, 1)) // the handshake is all there is to it
			}()
		}
	}()
	shown := func() *x509.Certificate {
		t.Helper()
		c, err := tlsnet.Dial(t.Context(), "tcp", l.Addr().String(), &tlsnet.Config{Roots: []*x509.Certificate{ca.Root}, Time: clock})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Peer().Leaf
	}
	first := shown()
	refresh := func(after time.Duration) error {
		since.Store(int64(after))
		return own.refresh(t.Context())
	}
	if err := refresh(59 * day); err != nil || !shown().Equal(first) {
		t.Errorf("replaced too early: %v", err)
	}
	trouble = errors.New("no space")
	if err := refresh(61 * day); !errors.Is(err, trouble) || !shown().Equal(first) {
		t.Errorf("%v", err)
	}
	trouble = nil
	if err := refresh(61 * day); err != nil || shown().Equal(first) || !shown().Equal(own.certificate()) {
		t.Errorf("not replaced: %v", err)
	}
	since.Store(int64(100 * day)) // the first one has ended
	shown()

	files, err := issue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fixed, err := newOwnIdentity(files, nil, clock)
	if err != nil {
		t.Fatal(err)
	}
	leaf := fixed.certificate()
	since.Store(int64(leaf.NotAfter.Sub(start)))
	if fixed.refresh(t.Context()) != nil || fixed.certificate() != leaf {
		t.Error("a certificate from files was replaced")
	}
}

// issueFor makes an identity for 127.0.0.1.
func issueFor(ca *keystore.CA, lifetime time.Duration, now time.Time) (keystore.Identity, error) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return keystore.Identity{}, err
	}
	leaf, err := ca.Issuer().Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"127.0.0.1"}, Lifetime: lifetime, Key: key.Public()}, now)
	if err != nil {
		return keystore.Identity{}, err
	}
	return keystore.Identity{Chain: append([][]byte{leaf.Raw}, ca.Chain()...), Key: key}, nil
}

// TestTheNextLookFitsTheLifetime: a certificate of minutes is looked at in time, one of months every hour, and what failed is
// tried again well before the end.
func TestTheNextLookFitsTheLifetime(t *testing.T) {
	start := time.Now().Truncate(time.Second)
	ca, err := keystore.CreateCA(t.TempDir(), keystore.CAOptions{}, start.Add(-day))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ lifetime, after, wait, again time.Duration }{
		{4 * time.Minute, 0, 139 * time.Second, 12 * time.Second},
		{4 * time.Minute, 130 * time.Second, 9 * time.Second, 12 * time.Second},
		{4 * time.Minute, 3 * time.Minute, time.Second, 12 * time.Second},
		{time.Minute, 0, 34 * time.Second, 3 * time.Second},
		{90 * day, 0, time.Hour, time.Hour},
		{90 * day, 89 * day, time.Second, time.Hour},
	} {
		id, err := issueFor(ca, c.lifetime, start)
		if err != nil {
			t.Fatal(err)
		}
		own, err := newOwnIdentity(id, func(context.Context) (keystore.Identity, error) { return id, nil }, func() time.Time { return start.Add(c.after) })
		if err != nil {
			t.Fatal(err)
		}
		if wait, again := own.wait(false).Round(time.Second), own.wait(true).Round(time.Second); wait != c.wait || again != c.again {
			t.Errorf("%v after %v: the next look in %v (%v after one that failed), not in %v (%v)", c.lifetime, c.after, wait, again, c.wait, c.again)
		}
	}
}

// TestShortLivedIdentitiesAreKeptFresh: the loop itself replaces what runs out, again and again, and warns of what it cannot.
func TestShortLivedIdentitiesAreKeptFresh(t *testing.T) {
	ca, err := keystore.CreateCA(t.TempDir(), keystore.CAOptions{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var made atomic.Int64
	issue := func(context.Context) (keystore.Identity, error) {
		if made.Add(1) == 2 {
			return keystore.Identity{}, errors.New("not now")
		}
		return issueFor(ca, 3*time.Second, time.Now())
	}
	first, err := issueFor(ca, 3*time.Second, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	own, err := newOwnIdentity(first, issue, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	var warned atomic.Int64
	own.warn = func(time.Time, error) { warned.Add(1) }
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- own.keepFresh(ctx) }()
	for begin := time.Now(); made.Load() < 3; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatalf("made %d", made.Load())
		}
	}
	stop()
	if err := <-ended; err != nil || warned.Load() != 1 {
		t.Errorf("%v, %d warnings", err, warned.Load())
	}
}
