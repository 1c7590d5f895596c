package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/tlsnet"
)

// parking is a world whose connections without HTTP are parked as soon as nothing comes, and what it says at their ends.
func parking(t *testing.T) (w *world, target net.Listener, lines chan AccessLine) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("nothing is parked here")
	}
	w = newWorld(t)
	lines = make(chan AccessLine, 32)
	w.options.parkAfter = 5 * time.Millisecond
	w.options.Answered = func(l AccessLine) { lines <- l }
	target = serveEach(t, "tcp", "127.0.0.1:0", func(c net.Conn) { _, _ = io.Copy(c, c) })
	w.stream(config.Target{URL: "tcp://" + target.Addr().String()})
	return w, target, lines
}

// parked waits until n connections are parked.
func (w *world) parked(n int) {
	w.t.Helper()
	l := w.g.listeners[0]
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		found := 0
		for c := range l.streams {
			if p := c.pair.Load(); p != nil && p.IsParked() {
				found++
			}
		}
		l.mu.Unlock()
		if found == n {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%d connections are parked, not %d", found, n)
		}
	}
}

// dialed is a connection that has said something and heard it back.
func (w *world) dialed(leaf *pkitest.Leaf) *tlsnet.Conn {
	w.t.Helper()
	c, err := tlsnet.Dial(w.t.Context(), "tcp", w.addr(), w.client("app.test", leaf))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	w.says(c, "hello")
	return c
}

func (w *world) says(c net.Conn, text string) {
	w.t.Helper()
	_ = c.SetDeadline(time.Now().Add(40 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		w.t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		w.t.Fatalf("%q %v", got, err)
	}
}

// ended checks that a connection is closed, and was noted with what it has carried.
func (w *world) ended(c net.Conn, lines chan AccessLine, carried int64, why string) {
	w.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(40 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		w.t.Errorf("the open connection: %v", err)
	}
	select {
	case l := <-lines:
		if l.Received != carried || l.Sent != carried || !strings.Contains(l.Error, why) {
			w.t.Errorf("noted: %+v; want %d bytes and %q", l, carried, why)
		}
	case <-time.After(40 * time.Second):
		w.t.Error("its end was not noted")
	}
}

func TestParkedConnectionsGoOn(t *testing.T) {
	w, _, lines := parking(t)
	w.start()
	var open []*tlsnet.Conn
	for range 20 {
		open = append(open, w.dialed(nil))
	}
	for range 3 {
		w.parked(len(open))
		for i, c := range open {
			w.says(c, fmt.Sprintf("text %3d", i))
		}
	}
	w.parked(len(open))
	for _, c := range open {
		if got, err := converse(c, "end"); err != nil || got != "end" {
			t.Errorf("%q %v", got, err)
		}
	}
	for range open {
		if l := <-lines; l.Received != 5+3*8+3 || l.Sent != l.Received || l.Error != "" {
			t.Errorf("noted: %+v", l)
		}
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(time.Millisecond) { // some may take their leave in the background
		n, addresses := w.g.limits.open()
		if n == 0 && addresses == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections of %d addresses are counted still", n, addresses)
		}
	}
}

func TestParkedConnectionsOfRevokedClientsAreClosed(t *testing.T) {
	w, _, lines := parking(t)
	a, alice := w.estate(true)
	w.start()
	c := w.dialed(alice)
	w.parked(1)
	w.revoke(a, alice)
	w.ended(c, lines, 5, "closed")
}

func TestParkedConnectionsThatNewRulesRefuseAreClosed(t *testing.T) {
	w, _, lines := parking(t)
	w.mutual(&w.config.Sites[0], access.Rule{CN: "*"})
	w.start()
	alice, bob := w.dialed(issueClient(w.ca, "alice")), w.dialed(issueClient(w.ca, "bob"))
	w.parked(2)
	w.reload(func(c *config.Gateway) { c.Sites[0].Clients.Policy = allow("alice") })
	w.ended(bob, lines, 5, "closed")
	w.parked(1)
	w.says(alice, "still")
}

func TestParkedConnectionsEndWhenPatienceDoes(t *testing.T) {
	w, _, lines := parking(t)
	w.options.Grace = 100 * time.Millisecond
	w.start()
	c := w.dialed(nil)
	w.parked(1)
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	w.ended(c, lines, 5, "canceled")
}

// TestParkedConnectionsThatAreIdleForTooLongEnd gives more time where the test itself was silent for too long.
func TestParkedConnectionsThatAreIdleForTooLongEnd(t *testing.T) {
	for idle := 500 * time.Millisecond; idle < time.Minute; idle *= 4 {
		w, _, lines := parking(t)
		w.config.Limits.Idle = idle
		w.start()
		c, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), w.client("app.test", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, err = io.WriteString(c, "hello")
		if _, rerr := io.ReadFull(c, make([]byte, 5)); err == nil && rerr == nil {
			w.ended(c, lines, 5, relay.ErrIdle.Error())
			return
		}
	}
	t.Error("nothing is carried within half a minute")
}

// The connection beneath is a wrapper where a proxy says who the client is.
func TestConnectionsOfAProxyAreParked(t *testing.T) {
	w, _, _ := parking(t)
	w.config.Listeners[0].Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	w.start()
	nc, err := net.Dial("tcp", w.addr())
	if err != nil {
		t.Fatal(err)
	}
	from := netip.MustParseAddrPort("192.0.2.7:4711")
	_, err = nc.Write(relay.AppendProxy(nil, relay.ProxyHeader{Source: from, Destination: netip.MustParseAddrPort("192.0.2.1:443")}))
	c, cerr := tlsnet.Client(nc, w.client("app.test", nil))
	if err := errors.Join(err, cerr); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for range 3 {
		w.says(c, "hello")
		w.parked(1)
	}
}
