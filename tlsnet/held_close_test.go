package tlsnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlscore"
)

// gated is a connection whose writes can be made to wait, and who notes the time that they are given meanwhile.
type gated struct {
	net.Conn
	in chan struct{} // a write has come to the gate

	mu    sync.Mutex
	gate  chan struct{} // nil: open
	given []time.Time
}

func newGated(c net.Conn) *gated { return &gated{Conn: c, in: make(chan struct{}, 100)} }

func (g *gated) shut() (open func()) {
	gate := make(chan struct{})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gate = gate
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.gate = nil
		close(gate)
	})
}

func (g *gated) Write(p []byte) (int, error) {
	g.mu.Lock()
	gate := g.gate
	g.mu.Unlock()
	if gate != nil {
		g.in <- struct{}{}
		<-gate
	}
	return g.Conn.Write(p)
}

func (g *gated) SetWriteDeadline(at time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gate != nil {
		g.given = append(g.given, at)
		return nil
	}
	return g.Conn.SetWriteDeadline(at)
}

func (g *gated) deadlines() []time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.given
}

// halves is a connection that writes half of the next piece, as a socket does whose buffer is full until the deadline.
type halves struct {
	net.Conn
	next bool
}

func (h *halves) Write(p []byte) (int, error) {
	if h.next {
		h.next = false
		n, _ := h.Conn.Write(p[:len(p)/2])
		return n, os.ErrDeadlineExceeded
	}
	return h.Conn.Write(p)
}

// TestTheKernelIsGivenNothingTwice: what a slow peer has of the bytes in front of close_notify is not sent once more.
func TestTheKernelIsGivenNothingTwice(t *testing.T) {
	c, s := heldPair(t, time.Hour)
	await(t, "the server is done", s.shake.done.Load)
	h := &halves{Conn: c.nc}
	c.raw, c.nc, c.host = rawConn(c.nc), h, &host{}
	// As if the kernel protected what is sent, so that what arrives is what it would protect.
	if err := c.machine.Offload(tlscore.Sent, func(tlscore.RecordKeys) error { return nil }); err != nil {
		t.Fatal(err)
	}
	c.kernel = &KernelTLS{Sent: true}
	text := bytes.Repeat([]byte("0123456789"), 100)
	if _, err := c.Write(text); err != nil {
		t.Fatal(err)
	}
	h.next = true
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	raw := s.NetConn()
	raw.SetReadDeadline(time.Now().Add(time.Minute))
	got, err := io.ReadAll(raw)
	if i := bytes.Index(got, text[:100]); i >= 0 {
		got = got[i:]
	}
	if err != nil || !bytes.HasPrefix(got, text) || len(got) > len(text)+len("\x01\x00") {
		t.Errorf("the peer gets %d bytes, %d were written: %v", len(got), len(text), err)
	}
}

// TestReadsWaitInOneLine: while a record of ours cannot leave, Reads do not add up to goroutines that want to send what is held.
func TestReadsWaitInOneLine(t *testing.T) {
	for range 20 {
		if readsInOneLine(t) {
			return
		}
	}
	t.Fatal("what was written at once came in pieces, twenty times")
}

// readsInOneLine is false where the peer's three records did not come in one piece, as they must for this.
func readsInOneLine(t *testing.T) bool {
	c, s := heldPair(t, time.Hour)
	await(t, "the server is done", s.shake.done.Load)
	g := newGated(c.nc)
	c.nc = g
	open := g.shut()
	defer open()
	one := make([]byte, 1)
	say := func() error { _, err := s.Write(one); return err }
	read := func() {
		t.Helper()
		if _, err := io.ReadFull(c, one); err != nil {
			t.Fatal(err)
		}
	}
	// Data, a KeyUpdate that wants an answer, data. The answer comes to the gate and has the lock of the write half; what was
	// written before that is held back.
	if err := errors.Join(say(), s.KeyUpdate(true), say()); err != nil {
		t.Fatal(err)
	}
	read()
	if _, err := c.Write([]byte("held")); err != nil {
		t.Fatal(err)
	}
	read()
	<-g.in
	if !c.held.some.Load() {
		return false
	}
	before := runtime.NumGoroutine()
	for range 1000 {
		if err := say(); err != nil {
			t.Fatal(err)
		}
		read()
	}
	if n := runtime.NumGoroutine(); n > before+20 {
		t.Errorf("%d goroutines before, %d after 1000 records of one byte", before, n)
	}
	return true
}

// heldListener is a listener whose connections hold back, and are gated.
type heldListener struct {
	net.Listener
	last *gated
}

func (l *heldListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.last = newGated(c)
	return l.last, nil
}

func newHeldListener(t *testing.T) (l *Listener, beneath *heldListener, dial func() (*Conn, error)) {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	beneath = &heldListener{Listener: tcp}
	if l, err = NewListener(beneath, &Config{Identities: []Identity{{Chain: leaf.Chain, Key: leaf.Key}}, WriteDelay: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, beneath, func() (*Conn, error) {
		return Dial(context.Background(), "tcp", tcp.Addr().String(), &Config{Roots: ca.Roots(), ServerName: "localhost"})
	}
}

// TestCloseLeavesTimeToWhatIsUnderWay: Close does not bound what the timer is sending by the moment that it has itself.
func TestCloseLeavesTimeToWhatIsUnderWay(t *testing.T) {
	l, beneath, dial := newHeldListener(t)
	go func() {
		if c, err := dial(); err == nil {
			io.Copy(io.Discard, c)
		}
	}()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := nc.(*Conn)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	g := beneath.last
	open := g.shut()
	defer open()
	if _, err := c.Write([]byte("held")); err != nil {
		t.Fatal(err)
	}
	<-g.in // the timer sends it
	begun := time.Now()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "somebody bounds it", func() bool { return len(g.deadlines()) > 0 })
	if d := g.deadlines()[0].Sub(begun); d < time.Second {
		t.Errorf("what is under way is given %v", d)
	}
}

// TestCloseBesideTheHandshake is for the race detector.
func TestCloseBesideTheHandshake(t *testing.T) {
	l, _, dial := newHeldListener(t)
	for i := range 20 {
		go func() {
			if c, err := dial(); err == nil {
				c.Close()
			}
		}()
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c := nc.(*Conn)
		done := make(chan struct{})
		go func() { c.Handshake(); close(done) }()
		for range i * 200 {
			runtime.Gosched()
		}
		c.Close()
		<-done
	}
}
