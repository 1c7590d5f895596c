package scan

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

// TestOneConnectionAtATime scans a server that keeps connections open, with one place at the door: the session that is kept
// for later questions must not bar it.
func TestOneConnectionAtATime(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	defer server.Close()
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	s := New(Options{Concurrency: 1, Offline: true, Simulate: true, HostTimeout: 5 * time.Minute})
	found, err := s.Scan(t.Context(), Target{Host: at.Addr().String(), Port: int(at.Port())})
	if err != nil {
		t.Fatal(err)
	}
	if f := found[0]; len(f.Gaps) > 0 || f.HTTP == nil || f.HTTP.Status != 200 || f.Features.Resumption13 != "yes" {
		t.Errorf("gaps %v, HTTP %+v, resumption %q", f.Gaps, f.HTTP, f.Features.Resumption13)
	}
}
