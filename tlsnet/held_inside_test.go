package tlsnet

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
)

// heldPair is an established pair over TCP, whose client holds back.
func heldPair(t *testing.T, by time.Duration) (c, s *Conn) {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	if c, err = Client(a, &Config{Roots: ca.Roots(), ServerName: "localhost", WriteDelay: by}); err != nil {
		t.Fatal(err)
	}
	if s, err = Server(b, &Config{Identities: []Identity{{Chain: leaf.Chain, Key: leaf.Key}}}); err != nil {
		t.Fatal(err)
	}
	go s.Handshake()
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c, s
}

// await waits for a condition that another goroutine brings about.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("not in a minute: " + what)
		}
	}
}

// TestDelayThatEndsBehindTheDeadline: the timer cannot send then, and what is held leaves once the deadline is moved.
func TestDelayThatEndsBehindTheDeadline(t *testing.T) {
	for by := 20 * time.Millisecond; by < time.Minute; by *= 2 {
		c, s := heldPair(t, by)
		if _, err := c.Write([]byte("late")); err != nil {
			t.Fatal(err)
		}
		c.SetWriteDeadline(time.Unix(1, 0))
		if !c.held.some.Load() {
			c.Close() // this machine was too slow: it has left
			continue
		}
		await(t, "the timer finds the deadline", func() bool { return c.held.stuck.Load() || !c.held.some.Load() })
		if !c.held.stuck.Load() {
			c.Close() // the timer had looked at the deadline before it was set
			continue
		}
		c.SetWriteDeadline(time.Now()) // moved, but in vain
		await(t, "the timer finds the deadline again", c.held.stuck.Load)
		c.SetDeadline(time.Time{})
		got := make([]byte, 4)
		if _, err := io.ReadFull(s, got); err != nil || string(got) != "late" {
			t.Fatalf("read %q, %v", got, err)
		}
		return
	}
	t.Fatal("this machine is too slow to set a deadline within half a minute")
}

// TestIdleConnectionHoldsNothing: no buffer and no timer, whatever made the last bytes leave.
func TestIdleConnectionHoldsNothing(t *testing.T) {
	const forever = 24 * time.Hour
	for name, f := range map[string]func(c *Conn){
		"the delay":     func(c *Conn) { c.held.timer.Reset(0) },
		"Read":          func(c *Conn) { go c.Read(make([]byte, 1)) },
		"Flush":         func(c *Conn) { c.Flush() },
		"a full record": func(c *Conn) { c.Write(make([]byte, 16<<10-4)) },
		"a long Write":  func(c *Conn) { c.Write(make([]byte, 40<<10)) },
		"CloseWrite":    func(c *Conn) { c.CloseWrite() },
		"Close":         func(c *Conn) { c.Close() },
		"Abort":         func(c *Conn) { c.Abort() },
		"a failure": func(c *Conn) {
			c.nc.(*net.TCPConn).CloseWrite()
			c.held.timer.Reset(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := heldPair(t, forever)
			go io.Copy(io.Discard, s)
			if _, err := c.Write([]byte("held")); err != nil || !c.held.some.Load() || c.held.buf == nil {
				t.Fatal("nothing is held", err)
			}
			f(c)
			await(t, "nothing is held", func() bool { return !c.held.some.Load() })
			c.out.mu.Lock()
			defer c.out.mu.Unlock()
			if c.held.buf != nil || c.held.n != 0 || c.held.timer.Stop() {
				t.Errorf("%d bytes, buffer %v; or the timer still runs", c.held.n, c.held.buf != nil)
			}
		})
	}
}
