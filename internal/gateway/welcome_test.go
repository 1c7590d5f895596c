package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// TestWelcome: the page says what the connection is like, runs nothing, and is at one address.
func TestWelcome(t *testing.T) {
	w := newWorld(t)
	w.config.Sites[0].Target = config.Target{Welcome: true}
	w.start()
	c := w.http(nil)
	r, body := get(t, c, "https://app.test/")
	for _, want := range []string{"It works", "TLS 1.3", "Serial number", "tlswright init"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in %s", want, body)
		}
	}
	if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(body, "<script") {
		t.Errorf("policy %q", csp)
	}
	if r, _ := get(t, c, "https://app.test/else"); r.StatusCode != http.StatusNotFound {
		t.Errorf("elsewhere: %d", r.StatusCode)
	}
	posted, err := c.Post("https://app.test/", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer posted.Body.Close()
	if _, err := io.Copy(io.Discard, posted.Body); err != nil || posted.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d %v", posted.StatusCode, err)
	}
}

// TestOurOwnLooksAreNoRefusals: what our own program is refused is neither told nor kept; what others are is.
func TestOurOwnLooksAreNoRefusals(t *testing.T) {
	w := newWorld(t)
	var ours atomic.Pointer[string]
	w.options.IsOurs = func(remote string) bool { at := ours.Load(); return at != nil && *at == remote }
	w.start()
	for _, isOurs := range []bool{true, false} {
		nc, err := net.Dial("tcp", w.addr())
		if err != nil {
			t.Fatal(err)
		}
		if at := nc.LocalAddr().String(); isOurs {
			ours.Store(&at)
		}
		c, err := tlsnet.Client(nc, w.client("stranger.test", nil))
		if err == nil {
			err = c.HandshakeContext(t.Context())
		}
		if err == nil {
			t.Error("a stranger was let in")
		}
		_ = nc.Close()
	}
	w.told.denial(t, reasonUnknownName)
	refusals := slices.DeleteFunc(w.told.all(), func(e Event) bool { return e.Kind != "denied" })
	if len(refusals) != 1 {
		t.Errorf("%d refusals were told, not one", len(refusals))
	}
}

// TestAShortLifeIsRenewedInTime, also where the first attempt fails: the next one comes before the certificate ends.
func TestAShortLifeIsRenewedInTime(t *testing.T) {
	w := newWorld(t)
	ca, err := keystore.CreateCA(t.TempDir(), keystore.CAOptions{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var ahead atomic.Int64 // by how much the clock of the gateway is
	w.options.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	var asked atomic.Int32
	var first atomic.Pointer[x509.Certificate]
	w.options.OwnCA = func(_ context.Context, names []string, key pki.KeyType) (id keystore.Identity, err error) {
		if asked.Add(1) == 2 { // the next attempt is to be made within the twenty seconds that are left
			ahead.Store(int64(time.Until(first.Load().NotAfter) - 20*time.Second))
			return id, errors.New("just now it cannot be")
		}
		if id.Key, err = pki.GenerateKey(key); err != nil {
			return id, err
		}
		leaf, err := ca.Issuer().Issue(pki.Request{Profile: pki.ProfileServer, SANs: names, Key: id.Key.Public(), Lifetime: 10 * time.Minute}, w.options.Now())
		if err != nil {
			return id, err
		}
		if first.CompareAndSwap(nil, leaf) { // it is due in a moment
			ahead.Store(int64(time.Until(leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore)*2/3)) - time.Second))
		}
		id.Chain = append([][]byte{leaf.Raw}, ca.Chain()...)
		return id, nil
	}
	w.config.Sites[0].Certificate = config.Certificates{Own: true}
	w.start()
	w.told.wait(t, "another certificate", func(e Event) bool { return e.Kind == "certificate" })
	if now, end := w.options.Now(), first.Load().NotAfter; now.After(end) {
		t.Errorf("the second certificate came %v after the end of the first", now.Sub(end))
	}
	if n := asked.Load(); n < 3 {
		t.Errorf("asked %d times: nothing failed", n)
	}
}
