package tlsnet_test

import (
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// gate is a connection whose writes wait, once it is shut, until it is opened, is closed, or the deadline passes.
type gate struct {
	net.Conn
	mu       sync.Mutex
	changed  *sync.Cond
	shut     bool
	closed   bool
	waiting  bool
	deadline *time.Timer
	late     bool
}

func newGate(c net.Conn) *gate {
	g := &gate{Conn: c}
	g.changed = sync.NewCond(&g.mu)
	return g
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	for g.shut && !g.closed && !g.late {
		g.waiting = true
		g.changed.Broadcast()
		g.changed.Wait()
	}
	late := g.late && g.shut
	g.mu.Unlock()
	if late {
		return 0, os.ErrDeadlineExceeded
	}
	return g.Conn.Write(p)
}

func (g *gate) set(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	g.changed.Broadcast()
}

func (g *gate) awaitWriter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.waiting {
		g.changed.Wait()
	}
}

func (g *gate) Close() error {
	err := g.Conn.Close() // before who waits goes on: nothing of his may leave
	g.set(func() { g.closed = true })
	return err
}

func (g *gate) SetWriteDeadline(at time.Time) error {
	g.set(func() {
		if g.deadline != nil {
			g.deadline.Stop()
		}
		g.late = false
		if !at.IsZero() {
			g.deadline = time.AfterFunc(time.Until(at), func() { g.set(func() { g.late = true }) })
		}
	})
	return g.Conn.SetWriteDeadline(at)
}

// TestCloseDoesNotWaitForHeldBytesUnderWay, on a listener's connection, and they come nevertheless.
func TestCloseDoesNotWaitForHeldBytesUnderWay(t *testing.T) {
	st := newSite(t)
	l, err := tlsnet.NewListener(oneConn{}, delayed(st.serverConfig(), time.Microsecond))
	if err != nil {
		t.Fatal(err)
	}
	a, b := tcpPair(t)
	g := newGate(b)
	s := l.Upgrade(g)
	c, err := tlsnet.Client(a, st.clientConfig())
	if err != nil {
		t.Fatal(err)
	}
	go s.Handshake()
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	g.set(func() { g.shut = true })
	mustWrite(t, s, "slow")
	g.awaitWriter()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	g.set(func() {
		if g.closed {
			t.Error("Close has broken off what was under way")
		}
		g.shut = false
	})
	if got, err := io.ReadAll(c); err != nil || string(got) != "slow" {
		t.Errorf("read %q, %v", got, err)
	}
}

// TestCloseBreaksOffAWriteThatCollects as any other.
func TestCloseBreaksOffAWriteThatCollects(t *testing.T) {
	st := newSite(t)
	a, b := tcpPair(t)
	g := newGate(a)
	c, _ := connected(t, delayed(st.clientConfig(), forever), st.serverConfig(), g, b)
	g.set(func() { g.shut = true })
	mustWrite(t, c, "held")
	done := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, 20_000))
		done <- err
	}()
	g.awaitWriter()
	c.Close()
	if err := <-done; err == nil {
		t.Error("the Write has succeeded")
	}
}
