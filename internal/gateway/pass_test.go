package gateway

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ocsp"
	"github.com/tlswright/tlswright/tlsnet"
)

func TestStaplesAreSentOnceTheyAreThere(t *testing.T) {
	w := newWorld(t)
	var down sync.Mutex // held while the responder is not to answer
	responder := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		down.Lock()
		defer down.Unlock()
		body, _ := io.ReadAll(r.Body)
		request, err := ocsp.ParseRequest(body)
		if err != nil {
			t.Error(err)
			return
		}
		now := time.Now().Truncate(time.Second)
		der, err := ocsp.CreateResponse(ocsp.ResponseTemplate{Singles: []ocsp.Single{{ID: request.IDs[0], ThisUpdate: now, NextUpdate: now.Add(time.Hour)}}, ProducedAt: now}, w.ca.Intermediate, w.ca.Key)
		if err != nil {
			t.Error(err)
		}
		_, _ = out.Write(der)
	}))
	defer responder.Close()
	f := w.ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileServer, SANs: []string{"app.test"}, OCSPServers: []string{responder.URL}}).Files()
	w.config.Sites[0].Certificate.Files = []config.CertificateFiles{{Chain: f.FullChain, Key: f.Key}}
	hasStaple := func() bool {
		c, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), w.client("app.test", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return len(c.Peer().Staple) > 0
	}
	down.Lock()
	w.start()
	if hasStaple() { // and it did not wait for the responder
		t.Error("a staple out of nothing")
	}
	down.Unlock()
	for end := time.Now().Add(time.Minute); !hasStaple(); {
		if time.Now().After(end) {
			t.Fatal("the staple does not come")
		}
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	down.Lock()
	defer down.Unlock()
	w.start()
	if !hasStaple() {
		t.Error("after a restart there is no staple, though it is on disk")
	}
}

func TestNamesOfSites(t *testing.T) {
	w := newWorld(t)
	one, wild, address := w.site("one", "one.test"), w.site("wild", "*.one.test"), w.site("address", "127.0.0.1")
	one.Target, wild.Target, address.Target = config.Target{Status: 201}, config.Target{Status: 202}, config.Target{Status: 203}
	w.config.Sites = []config.Site{one, wild, address}
	w.start()
	for host, want := range map[string]int{"one.test": 201, "a.one.test": 202, "A.ONE.test": 202, "127.0.0.1": 203} {
		c := w.client(host, nil)
		if host == "127.0.0.1" {
			c.ServerName = ""
		}
		tr := &tlsnet.Transport{Config: c}
		if host != "127.0.0.1" {
			tr.Connect = w.http(nil).Transport.(*tlsnet.Transport).Connect
		}
		_, port, _ := net.SplitHostPort(w.addr())
		resp, err := (&http.Client{Transport: tr}).Get("https://" + host + ":" + port + "/")
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v, %v; want %d", host, resp, err, want)
			continue
		}
		_ = resp.Body.Close()
		tr.CloseIdleConnections()
	}
	for _, name := range []string{"a.b.one.test", "test", "xone.test"} {
		c := w.client(name, nil)
		c.Insecure = true
		if _, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), c); err == nil || !strings.Contains(err.Error(), "unrecognized_name") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFoldersAreServed(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(w.dir, "public")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(w.config.Sites[0].Certificate.Files[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"a.txt": "text", ".secret": "hidden", "sub/b.txt": "below", "looks-harmless.txt": string(key)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(w.dir, "denials.jsonl"), filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	w.config.Sites[0].Target = config.Target{Dir: dir}
	w.start()
	for path, want := range map[string]int{"/a.txt": 200, "/sub/b.txt": 200, "/sub": 301, "/": 200, "/.secret": 404, "/looks-harmless.txt": 404, "/out": 404, "/none": 404} {
		if resp, body := get(t, w.http(nil), "https://app.test"+path); resp.StatusCode != want || strings.Contains(body, "hidden") {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	w.told.wait(t, "what was withheld", func(e Event) bool { return e.Kind == "withheld" && e.Path == "/looks-harmless.txt" })
}

// slowBackend answers in pieces, each when it is told to, and speaks a protocol of its own after an upgrade.
func slowBackend(t *testing.T, next chan string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream":
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Trailer", "X-End")
			for piece := range next {
				fmt.Fprint(w, piece)
				w.(http.Flusher).Flush()
			}
			w.Header().Set("X-End", "yes")
		case "/upgrade":
			c, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			line, _ := buf.ReadString('\n')
			fmt.Fprint(c, strings.ToUpper(line))
		case "/upload":
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestStreamingUpgradesAndUploadsPassThrough(t *testing.T) {
	for _, alpn := range tlsnet.HTTPProtocols() {
		next := make(chan string)
		w := newWorld(t)
		w.config.Sites[0].Target = config.Target{URL: slowBackend(t, next)}
		w.config.Limits.BodyBytes = 8 << 20
		w.start()
		c := w.http(nil, alpn)
		got := make(chan *http.Response, 1)
		go func() {
			resp, err := c.Get("https://app.test/stream")
			if err != nil {
				t.Error(err)
			}
			got <- resp
		}()
		next <- "one\n"
		resp := <-got
		if resp == nil {
			t.FailNow()
		}
		r := bufio.NewReader(resp.Body)
		if line, err := r.ReadString('\n'); err != nil || line != "one\n" { // before the answer has ended
			t.Errorf("%s: %q, %v", alpn, line, err)
		}
		next <- "two\n"
		close(next)
		if rest, err := io.ReadAll(r); err != nil || string(rest) != "two\n" || resp.Trailer.Get("X-End") != "yes" {
			t.Errorf("%s: %q, %v, trailer %v", alpn, rest, err, resp.Trailer)
		}
		big := make([]byte, 5<<20)
		rand.Read(big)
		up, err := c.Post("https://app.test/upload", "application/octet-stream", bytes.NewReader(big))
		if err != nil {
			t.Fatal(err)
		}
		if body := readAll(t, up); body != fmt.Sprint(len(big)) {
			t.Errorf("%s: the upload: %q", alpn, body)
		}
		over, err := c.Post("https://app.test/upload", "application/octet-stream", bytes.NewReader(make([]byte, 9<<20)))
		if err == nil && over.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: what is too large: %s", alpn, over.Status)
		}
	}
	t.Run("upgrade", func(t *testing.T) {
		w := newWorld(t)
		w.config.Sites[0].Target = config.Target{URL: slowBackend(t, nil)}
		w.start()
		cc := w.client("app.test", nil)
		cc.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
		c, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), cc)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /upgrade HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v, %v", resp, err)
		}
		fmt.Fprint(c, "hello\n")
		if line, err := r.ReadString('\n'); err != nil || line != "HELLO\n" {
			t.Errorf("%q, %v", line, err)
		}
	})
}

func TestUpstreamThatIsNotThereIsTold(t *testing.T) {
	w := newWorld(t)
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	w.config.Sites[0].Target = config.Target{URL: "http://" + address}
	w.start()
	for _, alpn := range tlsnet.HTTPProtocols() {
		if resp, _ := get(t, w.http(nil, alpn), "https://app.test/x"); resp.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: %s", alpn, resp.Status)
		}
	}
	if e := w.told.wait(t, "the upstream", func(e Event) bool { return e.Kind == "upstream" }); e.Path != "/x" || e.Text == "" {
		t.Errorf("told: %+v", e)
	}
}

func TestCounterCounts(t *testing.T) {
	c := newCounter()
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	same := netip.MustParseAddr("2001:db8::2")
	l := &listener{}
	for i, s := range []struct {
		addr netip.Addr
		want string
	}{{a, ""}, {a, ""}, {a, "address"}, {b, ""}, {same, ""}, {b, "address"}, {netip.Addr{}, ""}, {netip.MustParseAddr("192.0.2.9"), "listener"}} {
		if got := c.enter(l, s.addr, 100, 5, 2); got != s.want {
			t.Errorf("%d: %q, want %q", i, got, s.want)
		}
	}
	if got := c.enter(&listener{}, netip.MustParseAddr("192.0.2.8"), 5, 0, 0); got != "connections" {
		t.Errorf("in all: %q", got)
	}
	if got := c.move(a, b, 2); got != "address" {
		t.Errorf("moving to a full address: %q", got)
	}
	if got := c.move(a, netip.MustParseAddr("192.0.2.7"), 2); got != "" {
		t.Errorf("moving: %q", got)
	}
	for _, addr := range []netip.Addr{a, netip.MustParseAddr("192.0.2.7"), b, same, {}} {
		c.leave(l, addr)
	}
	if all, addresses := c.open(); all != 0 || addresses != 0 || len(c.byDoor) != 0 {
		t.Errorf("%d from %d, %v", all, addresses, c.byDoor)
	}
}

func FuzzHostOf(f *testing.F) {
	for _, s := range []string{"app.test", "APP.test.:443", "[::1]:8443", "[::1]", "127.0.0.1:1", "a b", "a:b:c", "", ":443", "[fe80::1%25eth0]:1", "[[[]]", "[a.test]", "a[b]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, authority string) {
		host, ok := hostOf(authority)
		if !ok {
			return
		}
		if host != canonicalHost(host) || strings.ContainsAny(host, "/?#@ \r\n") {
			t.Errorf("%q gives %q", authority, host)
		}
		if again, ok := hostOf(host); ok && again != host && !strings.Contains(host, ":") {
			t.Errorf("%q gives %q, which gives %q", authority, host, again)
		}
	})
}

func FuzzRoutes(f *testing.F) {
	for _, s := range []string{"/admin/x", "/a/../admin", "/%2561dmin", "//admin", "/admin;x/y", "/x\\..\\admin", "/", "/./admin", "/public/%2e%2e/admin"} {
		f.Add(s)
	}
	s := &site{routes: []*route{{c: &config.Route{Path: "/admin"}, path: "/admin"}}}
	f.Fuzz(func(t *testing.T, p string) {
		r, status := s.routeOf("GET", p)
		clean := canonicalPath(p)
		if canonicalPath(clean) != clean && !strings.ContainsAny(clean, "%;\\") {
			t.Errorf("%q becomes %q, which becomes %q", p, clean, canonicalPath(clean))
		}
		// Whatever reads as a path below /admin must be under its rules, or be refused.
		if under := clean == "/admin" || strings.HasPrefix(clean, "/admin/"); under && r == nil && status == 0 {
			t.Errorf("%q is below /admin, and goes past its rules", p)
		}
	})
}

func TestTargetsAreReachedWithTheCertificatesOfNow(t *testing.T) {
	behind := newWorld(t)
	behind.stream(config.Target{Echo: true})
	behind.mutual(&behind.config.Sites[0], access.Rule{CN: "second"})
	behind.start()
	w := newWorld(t)
	dir := filepath.Join(w.dir, "front")
	put := func(cn string) {
		t.Helper()
		l := issueClient(behind.ca, cn)
		if err := keystore.WriteLive(dir, l.Chain[0], l.Chain[1:], l.Key); err != nil {
			t.Fatal(err)
		}
	}
	put("first")
	w.stream(config.Target{URL: "tls://" + behind.addr(), ServerName: "app.test", CA: behind.ca.RootFile(),
		Cert: filepath.Join(dir, keystore.FullChainFile), Key: filepath.Join(dir, keystore.KeyFile)})
	w.start()
	if got, err := w.talk(w.client("app.test", nil), "text"); err == nil && got == "text" {
		t.Error("the first certificate was let in")
	}
	put("second")
	for end := time.Now().Add(time.Minute); ; {
		if got, err := w.talk(w.client("app.test", nil), "text"); err == nil && got == "text" {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the new certificate is not used")
		}
	}
}

func TestNoRequestLeavesTheFolderOfItsTarget(t *testing.T) {
	w := newWorld(t)
	w.config.Sites[0].Target = config.Target{URL: backend(t) + "/base"}
	w.start()
	for path, want := range map[string]string{"/x": "GET /base/x ", "/x/..%2fy": "", "/../secret": "", "/x/../../secret": "", "/%2e%2e/secret": "", "/..%5csecret": "", "/..;/secret": "", "/%252e%252e/secret": "", "/a..b": "GET /base/a..b "} {
		for _, alpn := range tlsnet.HTTPProtocols() {
			req, err := http.NewRequest("GET", "https://app.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Opaque = "//app.test" + path
			resp, err := w.http(nil, alpn).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if body := readAll(t, resp); resp.StatusCode != 200 && want != "" || want == "" && resp.StatusCode != 400 || !strings.HasPrefix(body, want) {
				t.Errorf("%s over %s: %s %q", path, alpn, resp.Status, body)
			}
		}
	}
}

func TestStalledStreamsOfHTTP2AreBrokenOff(t *testing.T) {
	next := make(chan string)
	close(next)
	w := newWorld(t)
	w.options.stall = 100 * time.Millisecond
	w.config.Sites[0].Target = config.Target{URL: slowBackend(t, next)}
	w.start()
	c := w.http(nil, tlsnet.ProtocolHTTP2)
	r, hold := io.Pipe()
	defer hold.Close()
	go func() { _, _ = hold.Write([]byte("the beginning")) }()
	resp, err := c.Post("https://app.test/upload", "text/plain", r)
	if err == nil {
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Error("an upload that has stopped was answered")
		}
	}
	// One that moves, and one whose answer takes its time, are left alone.
	if resp, _ := get(t, c, "https://app.test/stream"); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
}
