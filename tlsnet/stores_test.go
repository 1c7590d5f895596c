package tlsnet_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

func session(n int) *tlscore.Session {
	return &tlscore.Session{
		Version: wire.VersionTLS13, CipherSuite: wire.TLS_AES_128_GCM_SHA256, Secret: []byte("secret"),
		Issued: time.UnixMilli(1000), Authenticated: time.UnixMilli(1000), Lifetime: time.Hour, Ticket: fmt.Append(nil, "ticket ", n),
	}
}

func stores(t *testing.T) map[string]tlsnet.SessionStore {
	t.Helper()
	files, err := tlsnet.NewFileSessions(filepath.Join(t.TempDir(), "sessions"))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]tlsnet.SessionStore{"memory": tlsnet.NewMemorySessions(3), "files": files}
}

func TestSessionsAreUsedOnceUnlessOneIsLeft(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			if store.Take("a") != nil {
				t.Error("an empty store has a session")
			}
			for i := range 6 {
				store.Put("a", session(i))
			}
			store.Put("a", session(5)) // the same again
			store.Put("b", session(9))
			for _, want := range []int{5, 4, 3, 2, 2} { // four are kept, the newest comes first, the last one stays
				s := store.Take("a")
				if s == nil || !bytes.Equal(s.Ticket, session(want).Ticket) {
					t.Fatalf("got %v, want ticket %d", s, want)
				}
			}
			store.Remove("a", session(2))
			store.Remove("c", session(2))
			if store.Take("a") != nil {
				t.Error("a removed session is still there")
			}
			if s := store.Take("b"); s == nil || string(s.Secret) != "secret" {
				t.Error("the other key lost its session")
			}
		})
	}
}

// TestSessionsWithIDsAreToldApart: they all have the same ticket, none.
func TestSessionsWithIDsAreToldApart(t *testing.T) {
	named := func(id string) *tlscore.Session {
		s := session(0)
		s.Version, s.CipherSuite = wire.VersionTLS12, wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
		s.Ticket, s.SessionID = nil, []byte(id)
		return s
	}
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			for _, id := range []string{"one", "two", "three", "two"} {
				store.Put("a", named(id))
			}
			store.Put("a", session(7))
			store.Remove("a", named("three"))
			store.Remove("a", named("four"))
			for _, want := range []string{"", "two", "one", "one"} {
				if s := store.Take("a"); s == nil || string(s.SessionID) != want {
					t.Fatalf("got %+v, want id %q", s, want)
				}
			}
		})
	}
}

func TestMemorySessionsForgetTheLeastUsed(t *testing.T) {
	m := tlsnet.NewMemorySessions(3)
	for _, key := range []string{"a", "b", "c"} {
		m.Put(key, session(1))
	}
	m.Take("a")
	m.Put("d", session(1))
	for key, want := range map[string]bool{"a": true, "b": false, "c": true, "d": true} {
		if got := m.Take(key) != nil; got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
}

func TestServerSessionsAreBoundedAndUsedOnce(t *testing.T) {
	m := tlsnet.NewMemoryServerSessions(100)
	now := time.Now()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if err := m.Put(fmt.Append(nil, i), []byte("state"), now.Add(time.Hour)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if m.Len() != 100 {
		t.Errorf("%d sessions are kept", m.Len())
	}
	m.Put([]byte("x"), []byte("state"), now.Add(time.Hour))
	if b, ok := m.Take(now, []byte("x")); !ok || string(b) != "state" {
		t.Errorf("%q, %v", b, ok)
	}
	if _, ok := m.Take(now, []byte("x")); ok {
		t.Error("taken twice")
	}
	m.Put([]byte("y"), []byte("state"), now.Add(time.Hour))
	if _, ok := m.Take(now.Add(2*time.Hour), []byte("y")); ok {
		t.Error("taken after its time")
	}
	if m.Put([]byte("z"), make([]byte, 1<<20), now) == nil {
		t.Error("a session of a megabyte was kept")
	}
}

func TestSessionFilesArePrivateAndBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "sessions")
	f, err := tlsnet.NewFileSessions(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1100 {
		f.Put(fmt.Sprint(i), session(i))
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 1024 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	if f.Take("1099") == nil {
		t.Error("the newest is gone")
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Fatalf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := tlsnet.NewFileSessions(dir); err == nil {
		t.Error("a directory was taken that others can look into")
	}
	if _, err := tlsnet.NewFileSessions(filepath.Join(dir, entries[0].Name())); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func FuzzSessionFile(f *testing.F) {
	dir := f.TempDir()
	store, err := tlsnet.NewFileSessions(filepath.Join(dir, "s"))
	if err != nil {
		f.Fatal(err)
	}
	store.Put("a", session(1))
	var path string
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path = p
		}
		return nil
	})
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		store.Take("a")
		store.Put("a", session(2))
		if s := store.Take("a"); s == nil || !bytes.Equal(s.Ticket, session(2).Ticket) {
			t.Error("a broken file cannot be mended")
		}
	})
}

// TestLargeClientChainsGetNoTicket: what does not fit into a ticket is not cut, there is none then. A store keeps it.
func TestLargeClientChainsGetNoTicket(t *testing.T) {
	for _, store := range []bool{false, true} {
		s := newSite(t)
		sc := s.mutual()
		if store {
			sc.ServerSessions = tlsnet.NewMemoryServerSessions(0)
		}
		addr := served(t, sc)
		names := make([]string, 200)
		for i := range names {
			names[i] = fmt.Sprintf("a-rather-long-name-of-a-client-%04d.department.example", i)
		}
		client := s.ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileClient, CommonName: "alice", SANs: names})
		cc := s.clientConfig()
		cc.Identities = []tlsnet.Identity{identity(client)}
		who := newVisitor(t, cc)
		who.visit(addr)
		if f := who.visit(addr); f.Resumed != store {
			t.Errorf("stored %v: resumed %v", store, f.Resumed)
		}
	}
}

// TestEarlyWebLeavesNothingBehind makes connections by early requests, many at once, and counts goroutines.
func TestEarlyWebLeavesNothingBehind(t *testing.T) {
	s := newSite(t)
	run := func() {
		sc := s.early()
		sc.Core.ALPN = tlsnet.HTTPProtocols()
		l := listen(t, sc)
		srv := &tlsnet.HTTPServer{Handler: http.HandlerFunc(report)}
		var serving sync.WaitGroup
		serving.Go(func() { srv.Serve(l) })
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				cc := s.clientConfig()
				if i%2 == 0 {
					cc.Core.ALPN = []string{"http/1.1"}
				}
				rt := &tlsnet.Transport{Config: cc, EarlyData: true}
				defer rt.CloseIdleConnections()
				for range 5 {
					var same sync.WaitGroup
					for range 4 {
						same.Go(func() { do(t, rt, "GET", "https://"+l.Addr().String()+"/", "") })
					}
					same.Go(func() { do(t, rt, "POST", "https://"+l.Addr().String()+"/", "body") })
					same.Wait()
					rt.CloseIdleConnections()
				}
			})
		}
		wg.Wait()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		serving.Wait()
	}
	before := runtime.NumGoroutine()
	run()
	settle(t, before)
}
