package monitor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
)

// receiver takes what a webhook and Slack get, and checks it as its documentation says, with nothing of ours.
type receiver struct {
	*httptest.Server
	key  string
	down bool

	mu      sync.Mutex
	refused int
	hooks   []map[string]any
	slacks  []map[string]any
}

func newReceiver(t *testing.T, key string) *receiver {
	r := &receiver{key: key}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		var got map[string]any
		if err != nil || json.Unmarshal(body, &got) != nil {
			t.Errorf("%s got %q, %v", q.URL.Path, body, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case r.down:
			r.refused++
			w.WriteHeader(http.StatusBadGateway)
		case q.URL.Path == "/slack":
			r.slacks = append(r.slacks, got)
		default:
			mac := hmac.New(sha256.New, []byte(r.key))
			io.WriteString(mac, q.Header.Get("X-Tlswright-Time")+".")
			mac.Write(body)
			if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); q.Header.Get("X-Tlswright-Signature") != want || q.Header.Get("Idempotency-Key") != got["id"] {
				t.Errorf("signed %q, want %q; key %q of %v", q.Header.Get("X-Tlswright-Signature"), want, q.Header.Get("Idempotency-Key"), got["id"])
			}
			r.hooks = append(r.hooks, got)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) set(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// An incident reaches a signed webhook and Slack once, though both are out of order for an hour.
func TestAnIncidentReachesItsReceivers(t *testing.T) {
	l := newLab(t)
	r := newReceiver(t, "the key of the hook")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(r.key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.c.Channels = []config.Channel{{Name: "hook", Kind: "webhook", URL: r.URL + "/hook", Secret: secret}, {Name: "slack", Kind: "slack", URL: r.URL + "/slack"}}
	l.watched("web", l.server(l.leaf(pkitest.P256, 20*day)).address)
	r.set(true)
	l.check(0)
	for range 60 {
		l.now = l.now.Add(time.Minute)
		l.deliver()
	}
	r.set(false)
	for range 30 {
		l.now = l.now.Add(time.Minute)
		l.deliver()
	}
	told := func(list []map[string]any, text string) (n int) {
		for _, m := range list {
			whole, _ := json.Marshal(m)
			if strings.Contains(string(whole), text) {
				n++
			}
		}
		return n
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused < 10 || told(r.hooks, "runs out") != 1 || told(r.slacks, "runs out") != 1 {
		t.Errorf("after %d refusals the hook got %v, Slack %v", r.refused, r.hooks, r.slacks)
	}
	if hook := r.hooks[0]; hook["event"] != "opened" || hook["severity"] != "warning" || hook["kind"] != "expiry" || hook["affected"] != 1.0 {
		t.Errorf("the hook got %v", hook)
	}
}
