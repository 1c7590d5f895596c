package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// lineServer answers each connection with a greeting and then with what it gets, in capitals, until its end.
func lineServer(t testing.TB, network, address string, greet func(net.Conn) string) net.Listener {
	t.Helper()
	return serveEach(t, network, address, func(c net.Conn) {
		_, _ = io.WriteString(c, greet(c))
		b, _ := io.ReadAll(c)
		_, _ = c.Write(bytes.ToUpper(b))
	})
}

// serveEach serves each connection, and closes it.
func serveEach(t testing.TB, network, address string, serve func(net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				serve(c)
			}()
		}
	}()
	return l
}

func hello(net.Conn) string { return "hello\n" }

// stream turns the world's listener into one without HTTP.
func (w *world) stream(target config.Target) *config.Site {
	w.config.Listeners[0].Protocol = config.ProtocolTLS
	w.config.Sites[0].Target = target
	return &w.config.Sites[0]
}

// talk sends text over a TLS connection, ends its half, and returns what came until the end.
func (w *world) talk(c *tlsnet.Config, text string) (string, error) {
	w.t.Helper()
	conn, err := tlsnet.Dial(w.t.Context(), "tcp", w.addr(), c)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return converse(conn, text)
}

func converse(c interface {
	net.Conn
	CloseWrite() error
}, text string) (string, error) {
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	if err := c.CloseWrite(); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

func TestStreamsGoToTheTarget(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	lineServer(t, "unix", socket, hello)
	tcp := lineServer(t, "tcp", "127.0.0.1:0", hello)
	for name, target := range map[string]config.Target{"tcp": {URL: "tcp://" + tcp.Addr().String()}, "unix": {URL: "unix:" + socket}, "echo": {Echo: true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.stream(target)
			w.start()
			want := "hello\nTEXT"
			if name == "echo" {
				want = "text"
			}
			if got, err := w.talk(w.client("app.test", nil), "text"); err != nil || got != want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestStreamsOverTLSToTheTarget(t *testing.T) {
	// The target is another gateway, which asks for a certificate.
	behind := newWorld(t)
	s := behind.stream(config.Target{Echo: true})
	behind.mutual(s, access.Rule{CN: "front"})
	behind.start()
	front := behind.ca.Client(pkitest.P256, "front").Files()
	w := newWorld(t)
	target := config.Target{URL: "tls://" + behind.addr(), ServerName: "app.test", CA: behind.ca.RootFile(), Cert: front.FullChain, Key: front.Key}
	w.stream(target)
	w.start()
	if got, err := w.talk(w.client("app.test", nil), "text"); err != nil || got != "text" {
		t.Errorf("got %q, %v", got, err)
	}

	t.Run("client mode", func(t *testing.T) {
		plain := newWorld(t)
		plain.stream(target)
		plain.config.Listeners[0].Protocol = config.ProtocolPlain
		plain.config.Sites[0].Certificate = config.Certificates{}
		plain.config.Sites[0].Hosts = nil
		plain.start()
		c, err := net.Dial("tcp", plain.addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got, err := converse(c.(*net.TCPConn), "text"); err != nil || got != "text" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("pinned", func(t *testing.T) {
		for _, right := range []bool{true, false} {
			pinned := newWorld(t)
			other := target
			pin := pki.PinSPKI(behind.ca.Root)
			if !right {
				pin = pki.PinSPKI(pinned.ca.Root)
			}
			other.Pins, other.PinsAlone = []string{pin.String()}, true
			pinned.stream(other)
			pinned.start()
			got, err := pinned.talk(pinned.client("app.test", nil), "text")
			if right != (err == nil && got == "text") {
				t.Errorf("right pin %v: %q, %v", right, got, err)
			}
		}
	})
}

func TestClientModeOfHTTP(t *testing.T) {
	behind := newWorld(t)
	behind.config.Sites[0].Target = config.Target{URL: backend(t)}
	behind.mutual(&behind.config.Sites[0], access.Rule{CN: "front"})
	behind.start()
	front := behind.ca.Client(pkitest.P256, "front").Files()
	w := newWorld(t)
	w.config.Sites[0] = config.Site{Name: "out", Target: config.Target{URL: "https://" + behind.addr(), ServerName: "app.test", CA: behind.ca.RootFile(), Cert: front.FullChain, Key: front.Key}}
	w.config.Listeners[0].Protocol = config.ProtocolPlain
	w.start()
	req, _ := http.NewRequest("GET", "http://"+w.addr()+"/x", nil)
	req.Host = "app.test"
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if body := readAll(t, resp); resp.StatusCode != 200 || !strings.Contains(body, "GET /x") || !strings.Contains(body, "Client-Cert: :") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestProxyProtocolSaysWhoTheClientIs(t *testing.T) {
	heads := make(chan relay.ProxyHeader, 4)
	target := lineServer(t, "tcp", "127.0.0.1:0", func(c net.Conn) string {
		h, err := relay.ReadProxy(c)
		if err != nil {
			t.Error(err)
		}
		heads <- h
		return "ok "
	})
	w := newWorld(t)
	s := w.stream(config.Target{URL: "tcp://" + target.Addr().String(), ProxyProtocol: true})
	w.mutual(s)
	w.config.Listeners[0].Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	w.start()
	from := netip.MustParseAddrPort("192.0.2.7:4711")
	d, err := tlsnet.NewDialer(w.client("app.test", issueClient(w.ca, "alice")))
	if err != nil {
		t.Fatal(err)
	}
	d.Connect = func(_ context.Context, network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		if err == nil {
			_, err = c.Write(relay.AppendProxy(nil, relay.ProxyHeader{Source: from, Destination: netip.MustParseAddrPort("192.0.2.1:443")}))
		}
		return c, err
	}
	c, err := d.Dial(t.Context(), "tcp", w.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := converse(c, "text"); err != nil || got != "ok TEXT" {
		t.Errorf("got %q, %v", got, err)
	}
	h := <-heads
	if h.Source != from || h.Authority != "app.test" || h.SSL == nil || h.SSL.CommonName != "alice" || h.SSL.Version != "TLSv1.3" || !h.SSL.Certificate || !h.SSL.Verified {
		t.Errorf("the target was told %+v %+v", h, h.SSL)
	}

	// A trusted peer that sends none is not served.
	if _, err := w.talk(w.client("app.test", issueClient(w.ca, "alice")), "text"); err == nil {
		t.Error("a connection without the header was served")
	}
	w.told.wait(t, "the missing header", func(e Event) bool { return e.Kind == "warning" && strings.Contains(e.Text, "PROXY") })
}

func TestLimitsOfConnections(t *testing.T) {
	w := newWorld(t)
	w.stream(config.Target{Echo: true})
	w.config.Limits.PerAddress = 2
	w.start()
	var open []net.Conn
	for range 2 {
		c, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), w.client("app.test", nil))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	if _, err := w.talk(w.client("app.test", nil), "x"); err == nil {
		t.Error("the third connection of an address was served")
	}
	w.told.wait(t, "the limit", func(e Event) bool { return e.Kind == "limited" && strings.Contains(e.Text, "address") })
	for _, c := range open {
		if got, err := converse(c.(*tlsnet.Conn), "x"); err != nil || got != "x" {
			t.Errorf("got %q, %v", got, err)
		}
		_ = c.Close()
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); { // the others have ended; when they are counted off is the gateway's business
		if got, err := w.talk(w.client("app.test", nil), "x"); err == nil && got == "x" {
			return
		}
	}
	t.Error("nobody is served any more")
}

func TestHandshakesThatTakeTooLongAreEnded(t *testing.T) {
	w := newWorld(t)
	w.config.Limits.Handshake = 50 * time.Millisecond
	w.start()
	c, err := net.Dial("tcp", w.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadAll(c); err != nil && os.IsTimeout(err) {
		t.Error(err)
	}
}

func TestManySilentClientsDoNotStopTheRest(t *testing.T) {
	n := 200
	if os.Getenv("TLSWRIGHT_ACCEPT") == "1" {
		n = 4000
	}
	w := newWorld(t)
	w.start()
	for i := range n {
		c, err := net.Dial("tcp", w.addr())
		if err != nil {
			t.Skipf("no more than %d connections can be had here: %v", i, err)
		}
		defer c.Close()
		fmt.Fprint(c, "\x16\x03\x01\x02") // the beginning of a ClientHello
	}
	if resp, _ := get(t, w.http(nil), "https://app.test/"); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
}
