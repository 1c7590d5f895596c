package tlsnet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// TestStreamSurvivesManyHandovers hands an end over again and again while bytes flow in both directions.
func TestStreamSurvivesManyHandovers(t *testing.T) {
	for name, v := range versions() {
		t.Run(name, func(t *testing.T) {
			st := newSite(t)
			cc, sc := st.clientConfig(), st.mutual()
			cc.Core.MaxVersion = v
			cc.Identities = []tlsnet.Identity{identity(st.client)}
			a, b := tcpPair(t)
			c, s := connected(t, cc, sc, a, b)
			defer c.Close()
			const total, pieces = 1 << 20, 64
			sent := bytes.Repeat([]byte("0123456789abcde\n"), total/16)
			done := make(chan error, 1)
			go func() {
				_, err := c.Write(sent)
				done <- errors.Join(err, c.CloseWrite())
			}()
			back := make(chan error, 1)
			go func() {
				got, err := io.ReadAll(c)
				if !bytes.Equal(got, sent) {
					err = errors.Join(err, errors.New("what came back is something else"))
				}
				back <- err
			}()
			piece := make([]byte, total/pieces+1) // so that records and pieces do not go together
			for at, n := 0, 0; at < total; at += n {
				n = min(len(piece), total-at)
				if _, err := io.ReadFull(s, piece[:n]); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Write(piece[:n]); err != nil {
					t.Fatal(err)
				}
				nc, state, err := s.Detach()
				if err != nil {
					t.Fatal(err)
				}
				if s, err = tlsnet.Attach(nc, sc, state); err != nil {
					t.Fatal(err)
				}
				if s.Peer().CommonName() != "alice" {
					t.Fatalf("the client is %q", s.Peer().CommonName())
				}
			}
			if n, err := s.Read(piece); err != io.EOF {
				t.Errorf("at the end came %d bytes, %v", n, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if err := errors.Join(<-done, <-back); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDetachedConnDoesNothing(t *testing.T) {
	st := newSite(t)
	a, b := tcpPair(t)
	c, s := ends(t, st.clientConfig(), st.serverConfig(), a, b)
	if _, _, err := s.Detach(); err == nil {
		t.Error("a connection was detached before its handshake")
	}
	go c.Handshake()
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	reading := make(chan error, 1)
	go func() {
		_, err := s.Read(make([]byte, 10))
		reading <- err
	}()
	nc, state, err := s.Detach()
	if err != nil || nc != b {
		t.Fatal(err)
	}
	if err := <-reading; !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, tlsnet.ErrDetached) {
		t.Errorf("the Read that was under way: %v", err)
	}
	if _, err := s.Read(make([]byte, 10)); !errors.Is(err, tlsnet.ErrDetached) {
		t.Errorf("Read: %v", err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, tlsnet.ErrDetached) {
		t.Errorf("Write: %v", err)
	}
	if err := s.CloseWrite(); !errors.Is(err, tlsnet.ErrDetached) {
		t.Errorf("CloseWrite: %v", err)
	}
	if err := s.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close: %v", err)
	}
	if _, err := s.Export("EXPORTER-x", nil, 1); err == nil {
		t.Error("Export gave something")
	}
	if _, _, err := s.Detach(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Detach: %v", err)
	}
	again, err := tlsnet.Attach(nc, st.serverConfig(), state)
	if err != nil {
		t.Fatal("the connection beneath was closed, or:", err)
	}
	mustWrite(t, again, "still here")
	mustRead(t, c, "still here")
}

// TestAttachJudgesThePeer: who goes on decides whom to trust.
func TestAttachJudgesThePeer(t *testing.T) {
	st, other := newSite(t), newSite(t)
	a, b := tcpPair(t)
	cc := st.clientConfig()
	cc.Identities = []tlsnet.Identity{identity(st.client)}
	c, s := connected(t, cc, st.mutual(), a, b)
	nc, state, err := s.Detach()
	if err != nil {
		t.Fatal(err)
	}
	strict := st.mutual()
	strict.VerifyPeer = func(_ context.Context, p tlsnet.Peer, _ tlscore.Facts) error {
		if p.CommonName() == "alice" {
			return errors.New("alice is not welcome here")
		}
		return nil
	}
	for name, sc := range map[string]*tlsnet.Config{"other roots": other.mutual(), "another policy": strict} {
		if _, err := tlsnet.Attach(nc, sc, state); err == nil || errors.Is(err, tlsnet.ErrNotDetached) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err = tlsnet.Attach(nc, st.mutual(), state); err != nil || !s.Peer().Verified() {
		t.Fatalf("%v, peer %v", err, s.Peer())
	}
	nc, state, err = c.Detach()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tlsnet.Attach(nc, other.clientConfig(), state); err == nil {
		t.Error("a client took a server of another CA")
	}
	l := listen(t, st.serverConfig())
	if _, err := l.Attach(nc, state); !errors.Is(err, tlsnet.ErrNotDetached) {
		t.Errorf("a listener took a client's connection: %v", err)
	}
	if c, err = tlsnet.Attach(nc, st.clientConfig(), state); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, "hello")
	mustRead(t, c, "hello")
}

// TestHandoverKeepsBytes detaches where a line was read in part, and the next record has come in part.
func TestHandoverKeepsBytes(t *testing.T) {
	for name, v := range versions() {
		t.Run(name, func(t *testing.T) {
			st := newSite(t)
			a, b := tcpPair(t)
			gate, reads := &gated{Conn: a}, &counted{Conn: b}
			cc := st.stdClient()
			cc.MaxVersion = uint16(v)
			c := tls.Client(gate, cc)
			s, err := tlsnet.Server(reads, st.serverConfig())
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- s.Handshake() }()
			if err := errors.Join(c.Handshake(), <-done); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, c, "first second ")
			mustRead(t, s, "first ") // "second " is open, and not read
			gate.hold()
			mustWrite(t, c, "third") // half of it comes
			mustRead(t, s, "s")
			half := gate.sent()
			// What has come is read at once, and then the wait for more is cut short: no record is complete.
			buf := make([]byte, 1000)
			n, err := s.Read(buf)
			if err != nil || string(buf[:n]) != "econd " {
				t.Fatalf("%q, %v", buf[:n], err)
			}
			for by, before := 20*time.Millisecond, reads.n; reads.n < before+len(half); by *= 2 { // a deadline that has passed reads nothing
				s.SetReadDeadline(time.Now().Add(by))
				if n, err := s.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("%q, %v", buf[:n], err)
				}
			}
			nc, state, err := s.Detach()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(state, half) {
				t.Error("the beginning of the record is not handed over")
			}
			if s, err = tlsnet.Attach(nc, st.serverConfig(), state); err != nil {
				t.Fatal(err)
			}
			gate.release(t)
			mustRead(t, s, "third")
			mustWrite(t, s, "answer")
			mustRead(t, c, "answer")
		})
	}
}

// gated lets half of what is written pass while it is held.
type gated struct {
	net.Conn
	held       bool
	went, rest []byte
}

func (g *gated) Write(b []byte) (int, error) {
	if !g.held {
		return g.Conn.Write(b)
	}
	g.went, g.rest = bytes.Clone(b[:len(b)/2]), bytes.Clone(b[len(b)/2:])
	if _, err := g.Conn.Write(g.went); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (g *gated) hold()        { g.held = true }
func (g *gated) sent() []byte { return g.went }
func (g *gated) release(t *testing.T) {
	t.Helper()
	g.held = false
	mustWrite(t, g.Conn, string(g.rest))
}

// counted counts the bytes that are read from it.
type counted struct {
	net.Conn
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n += n
	return n, err
}

// TestListenerTakesConnectionsOver: what a listener attaches resumes with its tickets.
func TestListenerTakesConnectionsOver(t *testing.T) {
	st := newSite(t)
	old, fresh := listen(t, st.serverConfig()), listen(t, st.serverConfig())
	cc := st.clientConfig()
	cc.Sessions = tlsnet.NewMemorySessions(4)
	d := dialer(t, cc)
	served := make(chan *tlsnet.Conn, 1)
	go func() {
		c, err := old.AcceptConn()
		if err == nil {
			err = c.Handshake()
		}
		if err != nil {
			t.Error(err)
		}
		served <- c
	}()
	c, err := d.Dial(t.Context(), "tcp", old.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	nc, state, err := (<-served).Detach() // it owes its tickets still
	if err != nil {
		t.Fatal(err)
	}
	s, err := fresh.Attach(nc, state)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustWrite(t, s, "with tickets")
	mustRead(t, c, "with tickets")
	mustWrite(t, s, "x")
	mustRead(t, c, "x") // the tickets stand before it
	if n := c.Facts().TicketsReceived; n != tlsnet.DefaultTickets {
		t.Errorf("%d tickets came, want %d", n, tlsnet.DefaultTickets)
	}
}

func FuzzAttach(f *testing.F) {
	st := newSite(f)
	a, b := tcpPair(f)
	c, s := connected(f, st.clientConfig(), st.serverConfig(), a, b)
	for _, c := range []*tlsnet.Conn{c, s} {
		_, state, err := c.Detach()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(state)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, state []byte) {
		here, there := net.Pipe()
		there.Close()
		defer here.Close()
		for _, config := range []*tlsnet.Config{st.clientConfig(), st.serverConfig()} {
			c, err := tlsnet.Attach(here, config, state)
			if err != nil {
				continue
			}
			c.Peer()
			io.Copy(io.Discard, c)
			io.Copy(c, strings.NewReader("hello"))
			c.Close()
		}
	})
}
