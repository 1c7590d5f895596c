package tlsnet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// early is serverConfig that takes early data.
func (s *site) early() *tlsnet.Config {
	c := s.serverConfig()
	c.Core.MaxEarlyData = 16 << 10
	return c
}

// answerEarly serves connections that send one question, early or not, and answers each at once.
func answerEarly(t *testing.T, l *tlsnet.Listener, taken *atomic.Int32) {
	for {
		c, err := l.AcceptConn()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 1000)
			for {
				n, err := c.ReadEarly(buf)
				if err != nil {
					break
				}
				taken.Add(1)
				c.Write(append([]byte("early "), buf[:n]...))
			}
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				c.Write(append([]byte("plain "), buf[:n]...))
			}
		}()
	}
}

// ask dials, sends a question early where that is possible, and returns the first answer.
func ask(t *testing.T, d *tlsnet.Dialer, addr, question string) (answer string, f tlscore.Facts) {
	t.Helper()
	c, err := d.DialEarly(t.Context(), "tcp", addr, []byte(question))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f = c.Facts()
	if f.EarlyData != tlscore.EarlyDataAccepted {
		if _, err := c.Read(make([]byte, 10)); !errors.Is(err, tlsnet.ErrEarlyDataRejected) {
			t.Fatalf("Read: %v", err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, tlsnet.ErrEarlyDataRejected) {
			t.Fatalf("Write: %v", err)
		}
		c.ForgetEarly()
		mustWrite(t, c, question)
	}
	buf := make([]byte, 100)
	n, err := io.ReadAtLeast(c, buf, len("early "+question))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the tickets that go behind the first answer have come when the second is there
		mustWrite(t, c, "more")
		mustRead(t, c, "plain more")
	}
	return string(buf[:n]), f
}

func earlyListener(t *testing.T, c *tlsnet.Config) (*tlsnet.Listener, *atomic.Int32) {
	t.Helper()
	l := listen(t, c)
	taken := new(atomic.Int32)
	go answerEarly(t, l, taken)
	return l, taken
}

func dialer(t *testing.T, c *tlsnet.Config) *tlsnet.Dialer {
	t.Helper()
	d, err := tlsnet.NewDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEarlyDataIsAnsweredBeforeTheHandshakeIsDone(t *testing.T) {
	s := newSite(t)
	sc := s.early()
	sc.Core.ClientAuth = tlscore.RequireClientCert
	l, taken := earlyListener(t, sc)
	cc := s.clientConfig()
	cc.Identities = []tlsnet.Identity{identity(s.client)}
	d := dialer(t, cc)
	if got, f := ask(t, d, l.Addr().String(), "one"); got != "plain one" || f.EarlyData != tlscore.EarlyDataNone {
		t.Errorf("first: %q, %v", got, f.EarlyData)
	}
	for range 3 {
		if got, f := ask(t, d, l.Addr().String(), "two"); got != "early two" || f.EarlyData != tlscore.EarlyDataAccepted {
			t.Errorf("then: %q, %v", got, f.EarlyData)
		}
	}
	if taken.Load() != 3 {
		t.Errorf("taken %d times", taken.Load())
	}
}

func TestEarlyDataIsRefusedWhereItMustBe(t *testing.T) {
	for name, change := range map[string]func(s *site, sc *tlsnet.Config, d *tlsnet.Dialer) string{
		"too much": func(*site, *tlsnet.Config, *tlsnet.Dialer) string { return string(make([]byte, 17<<10)) },
		"none":     func(_ *site, sc *tlsnet.Config, _ *tlsnet.Dialer) string { sc.Core.MaxEarlyData = 0; return "x" },
		"policy": func(_ *site, sc *tlsnet.Config, _ *tlsnet.Dialer) string {
			sc.Core.ClientAuth = tlscore.RequestClientCert
			return "x"
		},
		"protocol": func(_ *site, sc *tlsnet.Config, _ *tlsnet.Dialer) string { sc.Core.ALPN = []string{"b"}; return "x" },
		"retry":    func(_ *site, sc *tlsnet.Config, _ *tlsnet.Dialer) string { sc.Core.RetryAlways = true; return "x" },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			sc := s.early()
			sc.Core.ALPN = []string{"a", "b"}
			l, taken := earlyListener(t, sc)
			cc := s.clientConfig()
			cc.Core.ALPN = []string{"a", "b"}
			d := dialer(t, cc)
			ask(t, d, l.Addr().String(), "one")
			other := *sc
			question := change(s, &other, d)
			if err := l.SetConfig(&other); err != nil {
				t.Fatal(err)
			}
			if len(question) > 100 {
				c, err := d.DialEarly(t.Context(), "tcp", l.Addr().String(), []byte(question))
				if err != nil {
					t.Fatal(err)
				}
				if f := c.Facts(); f.EarlyData != tlscore.EarlyDataNone || !f.Resumed {
					t.Errorf("%v, resumed %v", f.EarlyData, f.Resumed)
				}
				c.Close()
				return
			}
			if got, _ := ask(t, d, l.Addr().String(), question); got != "plain "+question {
				t.Errorf("got %q", got)
			}
			if taken.Load() != 0 {
				t.Error("early data was taken")
			}
		})
	}
}

// TestReadNeverReturnsEarlyData: a server that does not ask takes none, and one that asks must read it to its end.
func TestReadNeverReturnsEarlyData(t *testing.T) {
	s := newSite(t)
	l := listen(t, s.early())
	answers := make(chan string, 10)
	serve := func(f func(c *tlsnet.Conn)) {
		c, err := l.AcceptConn()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		f(c)
	}
	read := func(c *tlsnet.Conn) {
		buf := make([]byte, 100)
		n, err := c.Read(buf)
		if err != nil {
			t.Error(err)
		}
		answers <- string(buf[:n])
		c.Write([]byte("seen"))
		io.Copy(io.Discard, c)
	}
	d := dialer(t, s.clientConfig())
	say := func(early string) {
		t.Helper()
		c, err := d.DialEarly(t.Context(), "tcp", l.Addr().String(), []byte(early))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.ForgetEarly()
		mustWrite(t, c, "late")
		mustRead(t, c, "seen")
		c.CloseWrite()
		io.Copy(io.Discard, c)
	}
	for range 2 { // the second has a ticket
		go serve(read)
		say("early")
		if got := <-answers; got != "late" {
			t.Errorf("Read returned %q", got)
		}
	}
	go serve(func(c *tlsnet.Conn) {
		buf := make([]byte, 2)
		n, err := c.ReadEarly(buf)
		if err != nil || string(buf[:n]) != "ea" {
			t.Errorf("%q, %v", buf[:n], err)
		}
		if _, err := c.Read(buf); !errors.Is(err, tlsnet.ErrEarlyDataUnread) {
			t.Errorf("Read: %v", err)
		}
		if err := c.Handshake(); !errors.Is(err, tlsnet.ErrEarlyDataUnread) {
			t.Errorf("Handshake: %v", err)
		}
		if f := c.Facts(); f.HandshakeComplete || f.EarlyData != tlscore.EarlyDataAccepted || !f.Resumed {
			t.Errorf("facts: %+v", f)
		}
		rest, err := io.ReadAll(readerFunc(c.ReadEarly))
		if err != nil || string(rest) != "rly" {
			t.Errorf("%q, %v", rest, err)
		}
		read(c)
	})
	say("early")
	if got := <-answers; got != "late" {
		t.Errorf("Read returned %q", got)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// capture keeps what a client sends until it is told that the flight is over, and takes nothing then.
type capture struct {
	net.Conn
	sent bytes.Buffer
}

func (r *capture) Write(p []byte) (int, error) { r.sent.Write(p); return len(p), nil }

// flight returns the bytes of a client's first flight with early data, which reach nobody.
func flight(t *testing.T, d *tlsnet.Dialer, addr string) []byte {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	r := &capture{Conn: nc}
	c, err := d.Upgrade(r, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteEarly([]byte("transfer")); err != nil {
		t.Fatal(err)
	}
	nc.SetReadDeadline(time.Now().Add(-time.Second))
	if err := c.Handshake(); err == nil {
		t.Fatal("the handshake cannot be done")
	}
	return r.sent.Bytes()
}

// replay sends a flight so many times at once, and waits until the server has answered each.
func replay(t *testing.T, addr string, flight []byte, times int) {
	t.Helper()
	var wg sync.WaitGroup
	room := make(chan struct{}, 1000)
	for range times {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			if _, err := nc.Write(flight); err != nil {
				t.Error(err)
			}
			if _, err := nc.Read(make([]byte, 100)); err != nil {
				t.Errorf("no answer: %v", err)
			}
			nc.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, nc)
		})
	}
	wg.Wait()
}

func TestReplayedFlightIsTakenOnce(t *testing.T) {
	s := newSite(t)
	sc := s.early()
	sc.TicketKeys = tlsnet.NewTicketKeys(0, 0)
	sc.HandshakeTimeout = -1 // a thousand at once take a busy machine longer than a peer is given
	l, taken := listenToReturn(t, sc), new(atomic.Int32)
	go answerEarly(t, l, taken)
	d := dialer(t, s.clientConfig())
	addr := l.Addr().String()
	ask(t, d, addr, "one")
	captured := flight(t, d, addr)
	replay(t, addr, captured, 1000)
	if n := taken.Load(); n != 1 {
		t.Errorf("taken %d times", n)
	}

	// A flight that nobody has seen, at a server that was started again with the same keys.
	ask(t, d, addr, "two")
	captured = flight(t, d, addr)
	l.Close()
	nl, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	again, err := tlsnet.NewListener(nl, sc)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	taken = new(atomic.Int32)
	go answerEarly(t, again, taken)
	replay(t, addr, captured, 50)
	if n := taken.Load(); n != 0 {
		t.Errorf("taken %d times after a restart", n)
	}
}

// TestServerMayEndAnEarlyAnswer closes as soon as the answer is written, before the client's Finished can have come.
func TestServerMayEndAnEarlyAnswer(t *testing.T) {
	s := newSite(t)
	l := listen(t, s.early())
	go func() {
		for {
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 100)
				if n, err := c.ReadEarly(buf); err == nil {
					c.Write(bytes.ToUpper(buf[:n]))
					return
				}
				io.CopyN(c, c, 5)
				io.Copy(io.Discard, c)
			}()
		}
	}()
	d := dialer(t, s.clientConfig())
	for i := range 5 {
		c, err := d.DialEarly(t.Context(), "tcp", l.Addr().String(), []byte("hello"))
		if err != nil {
			t.Fatal(err)
		}
		want := "HELLO"
		if i == 0 {
			want = "hello"
			c.ForgetEarly()
			mustWrite(t, c, "hello")
			mustRead(t, c, want)
			c.CloseWrite()
			want = ""
		}
		got, err := io.ReadAll(c)
		if err != nil || string(got) != want {
			t.Errorf("%d: %q, %v", i, got, err)
		}
		if i == 0 {
			c.Close()
			continue
		}
		c.Close()
		// An early answer brings no ticket if the server is gone before the handshake is done.
		ticketAgain(t, d, l)
	}
}

// ticketAgain makes an ordinary connection for its ticket.
func ticketAgain(t *testing.T, d *tlsnet.Dialer, l *tlsnet.Listener) {
	t.Helper()
	c, err := d.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mustWrite(t, c, "hello")
	mustRead(t, c, "hello")
	c.CloseWrite()
	io.Copy(io.Discard, c)
}

// TestEarlyWaitIsBounded gives a server little time: less, now and then, than a busy machine takes to come to the early data.
func TestEarlyWaitIsBounded(t *testing.T) {
	s := newSite(t)
	for by := 200 * time.Millisecond; by < time.Minute; by *= 3 {
		l, taken := earlyListener(t, s.early())
		d := dialer(t, s.clientConfig())
		ask(t, d, l.Addr().String(), "one")
		captured, hasty := flight(t, d, l.Addr().String()), s.early()
		hasty.HandshakeTimeout = by
		if err := l.SetConfig(hasty); err != nil {
			t.Fatal(err)
		}
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := nc.Write(captured); err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, nc) // ends when the server gives up
		switch n := taken.Load(); n {
		case 0:
		case 1:
			return
		default:
			t.Fatalf("taken %d times", n)
		}
	}
	t.Error("not taken in half a minute")
}
