package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

const (
	loadClients  = 200
	loadDuration = 30 * time.Second
	warmUp       = 2 * time.Second
	loadFile     = 64 << 10 // bytes
)

// TestAcceptTwoHundredClientsForHalfAMinute: half of them are ours, half are crypto/tls; half speak HTTP/1.1, half HTTP/2.
// Each makes a new connection after every ten requests. Not one request may fail, and when the clients are gone, the
// server has as many goroutines and open files as before them, and hardly more memory.
func TestAcceptTwoHundredClientsForHalfAMinute(t *testing.T) {
	needAccept(t)
	p, dir := newPKI(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), upPayload()[:loadFile], 0o600); err != nil {
		t.Fatal(err)
	}
	bin := binary(t)

	// A server that has had its first clients and rests is what the other one is compared with.
	rested := startServing(t, bin, p.leaves[ecdsaP256], "--dir", dir)
	load(t, p, rested.url, warmUp)
	idleFiles := settle(t, rested, 0)
	idleGoroutines, _ := rested.goroutines(t)

	s := startServing(t, bin, p.leaves[ecdsaP256], "--dir", dir)
	load(t, p, s.url, warmUp)
	settle(t, s, idleFiles)
	before := s.resident(t)
	ours := runtime.NumGoroutine()
	requests := load(t, p, s.url, loadDuration)
	files := settle(t, s, idleFiles)
	after := s.resident(t)
	if left := runtime.NumGoroutine(); left > ours {
		t.Errorf("the clients left %d goroutines behind", left-ours)
	}
	goroutines, list := s.goroutines(t)
	t.Logf("%d requests; open files %d, at rest %d; goroutines %d, at rest %d; memory %d MiB, before %d MiB",
		requests, files, idleFiles, goroutines, idleGoroutines, after>>20, before>>20)
	if files > idleFiles {
		t.Errorf("%d open files are left, %d at rest", files, idleFiles)
	}
	if goroutines > idleGoroutines {
		t.Errorf("%d goroutines are left, %d at rest:\n%s", goroutines, idleGoroutines, list)
	}
	// The runtime keeps freed memory for a while; a leak of one record buffer per connection would be far beyond this.
	if after > before+before/2+16<<20 {
		t.Errorf("memory grew from %d to %d MiB", before>>20, after>>20)
	}
	if requests < loadClients {
		t.Errorf("%d requests are too few to say anything", requests)
	}
}

// settle waits until the server has no more than want open files, or, with want 0, until their number rests for a second.
func settle(t *testing.T, s *serving, want int) int {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last, still := s.descriptors(t), 0
	for range 150 {
		<-tick.C
		now := s.descriptors(t)
		if still++; now != last {
			last, still = now, 0
		}
		if want > 0 && now <= want || want == 0 && still >= 10 {
			return now
		}
	}
	return last
}

// load runs the clients and returns how many requests they made. Each failure is an error of the test.
func load(t *testing.T, p *pki, url string, d time.Duration) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var requests, failures atomic.Int64
	var wg sync.WaitGroup
	for i := range loadClients {
		wg.Go(func() {
			for ctx.Err() == nil {
				n, err := tenRequests(ctx, p, i, url+"/file")
				requests.Add(n)
				if err != nil && failures.Add(1) <= 10 {
					t.Errorf("client %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	if n := failures.Load(); n > 0 {
		t.Errorf("%d failures", n)
	}
	return requests.Load()
}

// tenRequests makes one connection and requests on it, until ctx ends.
func tenRequests(ctx context.Context, p *pki, client int, url string) (int64, error) {
	proto := tlsnet.HTTPProtocols()[client%2]
	a := asks{name: serverName, alpn: httpProtocols(proto)}
	var rt http.RoundTripper
	if client%4 < 2 {
		rt = &tlsnet.Transport{Config: a.config(p, tlscore.RoleClient), DisableCompression: true}
	} else {
		rt = &http.Transport{TLSClientConfig: goConfig(p, a), ForceAttemptHTTP2: slices.Contains(a.alpn, "h2"), DisableCompression: true}
	}
	defer rt.(interface{ CloseIdleConnections() }).CloseIdleConnections()
	want := upPayload()[:loadFile]
	for n := range int64(10) {
		if ctx.Err() != nil {
			return n, nil
		}
		// The request itself does not end with the time: it must succeed.
		req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, url, nil)
		if err != nil {
			return n, err
		}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			return n, fmt.Errorf("%s: %w", proto, err)
		}
		body, err := io.ReadAll(resp.Body)
		err = errors.Join(err, resp.Body.Close())
		if err == nil {
			err = want.same("the file", body)
		}
		if err == nil && (resp.StatusCode != http.StatusOK || !strings.HasSuffix(resp.Proto, map[string]string{"h2": "2.0"}[proto])) {
			err = errors.New(resp.Status + " " + resp.Proto)
		}
		if err != nil {
			return n, fmt.Errorf("%s: %w", proto, err)
		}
	}
	return 10, nil
}
