package acmeserver_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/acmeserver"
)

// TestNodesShareNonces has one node take a nonce that another one has given out, and refuse what that one has taken.
func TestNodesShareNonces(t *testing.T) {
	var mu sync.Mutex
	used := make(map[[16]byte]bool)
	var trouble error
	w := newWorld(t, func(o *acmeserver.Options) {
		o.Base = "https://ca.test"
		o.UseNonce = func(_ context.Context, id [16]byte, expires time.Time) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			if left := time.Until(expires); left < time.Hour || left > 2*time.Hour {
				t.Errorf("a fresh nonce is to be kept for %v", left)
			}
			again := used[id]
			used[id] = true
			return !again, trouble
		}
	})
	second, err := acmeserver.New(t.Context(), w.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Close() })
	other := httptest.NewTLSServer(second)
	t.Cleanup(other.Close)
	c := w.stranger()
	first := c.base
	const url = "https://ca.test/acme/new-account"
	body := c.sign(url, []byte(`{"termsOfServiceAgreed":true}`), nil)
	elsewhere := strings.Replace(first, w.web.URL, other.URL, 1) + "/new-account"
	send := func(to string) *answer {
		if strings.HasPrefix(to, other.URL) {
			r, err := other.Client().Post(to, "application/jose+json", strings.NewReader(string(body)))
			if err != nil {
				t.Fatal(err)
			}
			_ = r.Body.Close()
			return &answer{status: r.StatusCode}
		}
		return c.send(to, "application/jose+json", body)
	}
	if a := send(elsewhere); a.status != 201 {
		t.Fatalf("a nonce of another node: %d", a.status)
	}
	if a := send(first + "/new-account"); a.status != 400 || !strings.HasSuffix(a.problem().Type, "badNonce") {
		t.Errorf("what another node has taken: %d %s", a.status, a.body)
	}
	trouble = errors.New("the database is away")
	body = c.sign(url, []byte(`{"termsOfServiceAgreed":true}`), nil)
	if a := send(first + "/new-account"); a.status != 500 {
		t.Errorf("nobody knows whether it was used: %d %s", a.status, a.body)
	}
}
