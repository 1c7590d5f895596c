package tlsnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// pairs are the two kinds of connections that everything must work over.
func pairs(t *testing.T, f func(t *testing.T, a, b net.Conn)) {
	t.Run("tcp", func(t *testing.T) { a, b := tcpPair(t); f(t, a, b) })
	t.Run("pipe", func(t *testing.T) {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		f(t, a, b)
	})
}

func TestDataArrivesWhateverTheSizesOfWritesAndReads(t *testing.T) {
	s := newSite(t)
	data := make([]byte, 1<<20+12345)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	for _, sizes := range [][2]int{{1 << 20, 1}, {1, 7}, {100, 64}, {4096, 4096}, {16384, 16384}, {16385, 20000}, {70000, 32768}, {1 << 20, 1 << 20}} {
		pairs(t, func(t *testing.T, a, b net.Conn) {
			c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, b)
			data := data
			if sizes[0] == 1 || sizes[1] == 1 {
				data = data[:20000]
			}
			go func() {
				for rest := data; len(rest) > 0; {
					n, err := c.Write(rest[:min(len(rest), sizes[0])])
					if err != nil {
						t.Errorf("write: %v", err)
						break
					}
					rest = rest[n:]
				}
				c.CloseWrite()
			}()
			var got bytes.Buffer
			if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{sv}, make([]byte, sizes[1])); err != nil {
				t.Fatalf("sizes %v: read: %v", sizes, err)
			}
			if !bytes.Equal(got.Bytes(), data) {
				t.Fatalf("sizes %v: %d bytes arrived, not the %d sent", sizes, got.Len(), len(data))
			}
		})
	}
}

func TestFactsAndPeerAreKnownAtBothEnds(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	cc, sc := s.clientConfig(), s.mutual()
	cc.Identities = []tlsnet.Identity{identity(s.client)}
	cc.Core.ALPN, sc.Core.ALPN = []string{"x", "y"}, []string{"y"}
	c, sv := connected(t, cc, sc, a, b)
	for _, e := range []*tlsnet.Conn{c, sv} {
		f := e.Facts()
		if !f.HandshakeComplete || f.Version != wire.VersionTLS13 || f.ALPN != "y" || f.ServerName != "localhost" {
			t.Errorf("facts: %+v", f)
		}
		if p := e.Peer(); !p.Verified() || !p.Root().Equal(s.ca.Root) || len(p.Raw) != 2 || p.Problem != nil {
			t.Errorf("peer: %+v", p)
		}
	}
	if cn := sv.Peer().CommonName(); cn != "alice" {
		t.Errorf("the server knows its client as %q", cn)
	}
	x, err := c.Export("EXPORTER-test", []byte("context"), 32)
	if err != nil {
		t.Fatal(err)
	}
	y, err := sv.Export("EXPORTER-test", []byte("context"), 32)
	if err != nil || !bytes.Equal(x, y) {
		t.Errorf("exported %x and %x, %v", x, y, err)
	}
}

// trickle hands out a connection's bytes a few at a time, and its end together with the last of them.
type trickle struct {
	net.Conn
	n int
}

func (c *trickle) Read(p []byte) (int, error) {
	c.n = c.n%7 + 1
	return c.Conn.Read(p[:min(len(p), c.n)])
}

func TestDataArrivesInWhateverPiecesTheNetworkMakes(t *testing.T) {
	s := newSite(t)
	data := bytes.Repeat([]byte("0123456789"), 10_000)
	for _, size := range []int{10, 100, 100_000} {
		a, b := tcpPair(t)
		c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, &trickle{Conn: b})
		go func() { c.Write(data); c.CloseWrite() }()
		var got bytes.Buffer
		_, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{sv}, make([]byte, size))
		if err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("%d at a time: %d bytes, %v", size, got.Len(), err)
		}
	}
}

func TestCopyMovesEverythingBothWays(t *testing.T) {
	s := newSite(t)
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	pairs(t, func(t *testing.T, a, b net.Conn) {
		c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, b)
		go func() {
			if n, err := c.ReadFrom(bytes.NewReader(data)); err != nil || n != int64(len(data)) {
				t.Errorf("ReadFrom: %d, %v", n, err)
			}
			c.CloseWrite()
		}()
		var got bytes.Buffer
		first := make([]byte, 5) // a Read before leaves the rest of a record to WriteTo
		if _, err := io.ReadFull(sv, first); err != nil {
			t.Fatal(err)
		}
		got.Write(first)
		if n, err := sv.WriteTo(&got); err != nil || n != int64(len(data)-5) || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("WriteTo: %d, %v", n, err)
		}
	})
	a, b := tcpPair(t)
	c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, b)
	go func() { c.Write([]byte("part")); a.Close() }()
	var got bytes.Buffer
	if _, err := io.Copy(&got, sv); err != io.ErrUnexpectedEOF || got.String() != "part" {
		t.Errorf("copy of a cut stream: %q, %v", got.String(), err)
	}
}

func TestPeerCanBeAskedAfterItsCertificatesWereCollected(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	c, _ := connected(t, s.clientConfig(), s.serverConfig(), a, b)
	for range 3 {
		if p := c.Peer(); !p.Verified() || !p.Leaf.Equal(s.server.Certificate) || !p.Root().Equal(s.ca.Root) || len(p.Chain) != 3 {
			t.Fatalf("peer: %+v", p)
		}
		runtime.GC()
	}
}

func TestEndOfStreamTellsCloseNotifyFromTruncation(t *testing.T) {
	s := newSite(t)
	pairs(t, func(t *testing.T, a, b net.Conn) {
		c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, b)
		go func() { c.Write([]byte("whole")); c.Close() }()
		mustRead(t, sv, "whole")
		for range 2 {
			if n, err := sv.Read(make([]byte, 10)); n != 0 || err != io.EOF {
				t.Errorf("after close_notify: %d, %v", n, err)
			}
		}
	})
	pairs(t, func(t *testing.T, a, b net.Conn) {
		c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, b)
		go func() { c.Write([]byte("part")); a.Close() }()
		mustRead(t, sv, "part")
		for range 2 {
			if n, err := sv.Read(make([]byte, 10)); n != 0 || err != io.ErrUnexpectedEOF {
				t.Errorf("after a cut: %d, %v", n, err)
			}
		}
	})
}

func TestHalfCloseLeavesTheOtherHalfOpen(t *testing.T) {
	s := newSite(t)
	pairs(t, func(t *testing.T, a, b net.Conn) {
		c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, b)
		done := make(chan error, 1)
		go func() {
			c.Write([]byte("question"))
			done <- c.CloseWrite()
		}()
		got, err := io.ReadAll(sv)
		if err != nil || string(got) != "question" {
			t.Fatalf("server read %q, %v", got, err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("more")); !errors.Is(err, tlscore.ErrWriteClosed) {
			t.Errorf("write after CloseWrite: %v", err)
		}
		go func() { sv.Write([]byte("answer")); sv.Close() }()
		if got, err := io.ReadAll(c); err != nil || string(got) != "answer" {
			t.Errorf("client read %q, %v", got, err)
		}
	})
}

func TestReadDeadlineCanBeOutlived(t *testing.T) {
	s := newSite(t)
	pairs(t, func(t *testing.T, a, b net.Conn) {
		c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, b)
		sv.SetReadDeadline(time.Unix(1, 0))
		_, err := sv.Read(make([]byte, 10))
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read past its deadline: %v", err)
		}
		sv.SetReadDeadline(time.Time{})
		go c.Write([]byte("late"))
		mustRead(t, sv, "late")
	})
}

func TestPassedWriteDeadlineSendsNothing(t *testing.T) {
	s := newSite(t)
	pairs(t, func(t *testing.T, a, b net.Conn) {
		c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, b)
		c.SetWriteDeadline(time.Unix(1, 0))
		if n, err := c.Write([]byte("never")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("write past its deadline: %d, %v", n, err)
		}
		c.SetWriteDeadline(time.Time{})
		go c.Write([]byte("later"))
		mustRead(t, sv, "later")
	})
}

func TestWriteDeadlineInsideARecordIsFinal(t *testing.T) {
	s := newSite(t)
	a, b := net.Pipe()
	defer b.Close()
	c, _ := connected(t, s.clientConfig(), s.serverConfig(), a, b)
	started := make(chan struct{})
	go func() {
		io.ReadFull(b, make([]byte, 100)) // the middle of the record
		close(started)
		c.SetWriteDeadline(time.Unix(1, 0))
	}()
	n, err := c.Write(make([]byte, 1000))
	<-started
	var ne net.Error
	if n != 0 || !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatalf("write cut off: %d, %v", n, err)
	}
	c.SetWriteDeadline(time.Time{})
	if _, again := c.Write([]byte("x")); again != err {
		t.Errorf("the write half lives on: %v", again)
	}
	if err := c.CloseWrite(); err == nil {
		t.Error("close_notify inside a record")
	}
}

func TestCloseInterruptsReadAndWrite(t *testing.T) {
	s := newSite(t)
	pairs(t, func(t *testing.T, a, b net.Conn) {
		c, _ := connected(t, s.clientConfig(), s.serverConfig(), a, b)
		var wg sync.WaitGroup
		writing := make(chan struct{})
		wg.Go(func() {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("read survived Close")
			}
		})
		wg.Go(func() {
			var err error
			for n := 0; err == nil; n++ {
				if n == 1 {
					close(writing)
				}
				_, err = c.Write(make([]byte, 100))
				if n == 0 && b.RemoteAddr().Network() == "pipe" {
					break
				}
			}
		})
		if b.RemoteAddr().Network() == "pipe" {
			io.ReadFull(b, make([]byte, 10)) // now Write is under way
		} else {
			<-writing
		}
		c.Close()
		wg.Wait()
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		if _, err := c.Write([]byte("x")); err == nil {
			t.Error("write after Close")
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("read after Close")
		}
		if err := c.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SetDeadline after Close: %v", err)
		}
	})
}

// stuck is a connection whose writes block until it is closed, once armed.
type stuck struct {
	net.Conn
	armed   chan struct{}
	writing chan struct{}
	closed  chan struct{}
	once    sync.Once
}

func newStuck(c net.Conn) *stuck {
	return &stuck{Conn: c, armed: make(chan struct{}), writing: make(chan struct{}, 16), closed: make(chan struct{})}
}

func (s *stuck) Write(p []byte) (int, error) {
	select {
	case <-s.armed:
		s.writing <- struct{}{}
		<-s.closed
		return 0, net.ErrClosed
	default:
		return s.Conn.Write(p)
	}
}

func (s *stuck) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Conn.Close()
}

func TestReadNeverWaitsForABlockedWrite(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	st := newStuck(b)
	c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, st)
	close(st.armed)
	go sv.Write([]byte("blocked"))
	<-st.writing
	// Each of these asks the server for a KeyUpdate of its own, which it cannot send.
	for range 5 {
		if err := c.KeyUpdate(true); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, c, "hello")
		mustRead(t, sv, "hello")
	}
	sv.Close()
}

func TestReadDoesNotWaitForItsOwnAnswer(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	st := newStuck(b)
	c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, st)
	close(st.armed)
	for range 5 {
		if err := c.KeyUpdate(true); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, c, "hello")
		mustRead(t, sv, "hello")
	}
	<-st.writing // somebody else is stuck with the answer
	st.Close()
}

func TestKeyUpdateIsAnsweredAndInvisible(t *testing.T) {
	s := newSite(t)
	pairs(t, func(t *testing.T, a, b net.Conn) {
		c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, b)
		go io.Copy(sv, sv)
		for i := range 20 {
			if err := c.KeyUpdate(i%2 == 0); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, c, "ping")
			mustRead(t, c, "ping")
		}
		c.Close()
	})
}

func TestHandshakeIsMadeByTheFirstReadOrWrite(t *testing.T) {
	s := newSite(t)
	pairs(t, func(t *testing.T, a, b net.Conn) {
		c, sv := ends(t, s.clientConfig(), s.serverConfig(), a, b)
		go c.Write([]byte("hello"))
		mustRead(t, sv, "hello")
		if !c.Facts().HandshakeComplete {
			t.Error("no handshake")
		}
	})
}

func TestHandshakeErrorIsSticky(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	cc := s.clientConfig()
	cc.ServerName = "elsewhere.test"
	c, sv := ends(t, cc, s.serverConfig(), a, b)
	go sv.Handshake()
	first := c.Handshake()
	if codeOf(first) != tlscore.CodeCertificateRejected {
		t.Fatalf("wrong name: %v", first)
	}
	if again := c.Handshake(); again != first {
		t.Errorf("second Handshake: %v", again)
	}
	if _, err := c.Read(make([]byte, 1)); err != first {
		t.Errorf("Read: %v", err)
	}
	if _, err := c.Write([]byte("x")); err != first {
		t.Errorf("Write: %v", err)
	}
}

func TestHandshakeEndsWithItsContext(t *testing.T) {
	s := newSite(t)
	pairs(t, func(t *testing.T, a, b net.Conn) {
		_, sv := ends(t, s.clientConfig(), s.serverConfig(), a, b)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- sv.HandshakeContext(ctx) }()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled handshake: %v", err)
		}
		if _, err := sv.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("read after it: %v", err)
		}
	})
}

func TestHandshakeTimesOut(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	sc := s.serverConfig()
	sc.HandshakeTimeout = 10 * time.Millisecond
	_, sv := ends(t, s.clientConfig(), sc, a, b)
	err := sv.Handshake()
	var ne net.Error
	if err != tlsnet.ErrHandshakeTimeout || !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("silent peer: %v", err)
	}
}

func TestPeerThatClosesDuringTheHandshakeIsToldApart(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	_, sv := ends(t, s.clientConfig(), s.serverConfig(), a, b)
	a.Close()
	if err := sv.Handshake(); codeOf(err) != tlscore.CodePeerClosedEarly || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("silent close: %v", err)
	}
}
