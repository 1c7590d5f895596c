package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
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
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	a := &app{ui: newUI(null, null, null), now: func() time.Time { return start.Add(time.Duration(since.Load())) }}
	ca, err := keystore.CreateCA(t.TempDir(), keystore.CAOptions{}, start)
	if err != nil {
		t.Fatal(err)
	}
	var trouble error
	issue := func(context.Context) (keystore.Identity, error) {
		if trouble != nil {
			return keystore.Identity{}, trouble
		}
		return issueFrom(ca, pki.Request{Profile: pki.ProfileServer, SANs: []string{"127.0.0.1"}, Lifetime: 90 * day}, pki.P256, a.now())
	}
	own, err := a.newOwnIdentity(t.Context(), nil, issue)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", own.use(tlsnet.Config{Time: a.now}))
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
		c, err := tlsnet.Dial(t.Context(), "tcp", l.Addr().String(), &tlsnet.Config{Roots: []*x509.Certificate{ca.Root}, Time: a.now})
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
	fixed, err := a.newOwnIdentity(t.Context(), &files, nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf := fixed.certificate()
	since.Store(int64(leaf.NotAfter.Sub(start)))
	if fixed.refresh(t.Context()) != nil || fixed.certificate() != leaf || fixed.use(tlsnet.Config{}).ForClient != nil {
		t.Error("a certificate from files was replaced")
	}
}
