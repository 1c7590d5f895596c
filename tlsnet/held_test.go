package tlsnet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// forever is a delay that no test waits for: what leaves leaves for another reason.
const forever = 24 * time.Hour

// delayed is a configuration that holds small writes back.
func delayed(c *tlsnet.Config, by time.Duration) *tlsnet.Config {
	c.WriteDelay = by
	return c
}

// writes counts the writes to a connection, that is the system calls.
type writes struct {
	net.Conn
	mu sync.Mutex
	n  int
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.n++
	w.mu.Unlock()
	return w.Conn.Write(p)
}

func (w *writes) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

func TestSmallWritesTravelTogether(t *testing.T) {
	st := newSite(t)
	var seen recordLengths
	client := delayed(st.clientConfig(), forever)
	client.Observer = func() tlscore.Observer { return &seen }
	a, b := tcpPair(t)
	w := &writes{Conn: a}
	c, s := connected(t, client, st.serverConfig(), w, b)
	before, records := w.count(), len(seen.all)
	step := func(size, times, wantWrites, wantRecords int, end func() error) {
		t.Helper()
		data := bytes.Repeat([]byte("0123456789abcdef"), size*times/16+1)[:size*times]
		for i := range times {
			if n, err := c.Write(data[i*size : (i+1)*size]); n != size || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		mustRead(t, s, string(data))
		if n, r := w.count()-before, len(seen.all)-records; n != wantWrites || r != wantRecords {
			t.Errorf("%d times %d bytes: %d writes, %d records, want %d and %d", times, size, n, r, wantWrites, wantRecords)
		}
		before, records = w.count(), len(seen.all)
	}
	nothing := func() error { return nil }
	step(100, 20, 1, 1, c.Flush)
	step(1<<10, 16, 1, 1, nothing)       // a full record
	step(1<<10, 160, 10, 10, nothing)    // ten of them
	step(1000, 17, 2, 2, c.Flush)        // one, and what is left
	step(16<<10, 3, 3, 3, nothing)       // these are not held back
	step(64<<10, 2, 4, 8, nothing)       // nor are these
	step(100, 1, 1, 1, c.Flush)          // so that the next one
	step(30_000, 1, 1, 2, nothing)       // finds nothing before it
	mustWrite(t, c, "in front of ")      // and this does
	step(30_000, 1, 1, 2, func() error { // a call for what was held would be one too many
		mustRead(t, s, "in front of ")
		return nil
	})
	mustWrite(t, c, "x")
	step(200<<10, 1, 7, 13, func() error { mustRead(t, s, "x"); return nil })
	step(1, 1, 1, 1, c.Flush)
	if err := c.Flush(); err != nil || w.count() != before {
		t.Errorf("a Flush of nothing: %v, %d writes", err, w.count()-before)
	}
}

func TestHeldBytesLeaveByThemselves(t *testing.T) {
	st := newSite(t)
	pairs(t, func(t *testing.T, a, b net.Conn) {
		c, s := connected(t, delayed(st.clientConfig(), time.Millisecond), delayed(st.serverConfig(), time.Millisecond), a, b)
		for range 20 {
			mustWrite(t, c, "hel")
			mustWrite(t, c, "lo")
			mustRead(t, s, "hello")
			mustWrite(t, s, "good day")
			mustRead(t, c, "good day")
		}
	})
}

// TestWhatMakesHeldBytesLeave: each of these must come behind what was written, and waits for no timer.
func TestWhatMakesHeldBytesLeave(t *testing.T) {
	for name, act := range map[string]func(t *testing.T, s *tlsnet.Conn) error{
		"Flush":      func(_ *testing.T, s *tlsnet.Conn) error { return s.Flush() },
		"KeyUpdate":  func(_ *testing.T, s *tlsnet.Conn) error { return s.KeyUpdate(true) },
		"CloseWrite": func(_ *testing.T, s *tlsnet.Conn) error { return s.CloseWrite() },
		"Close":      func(_ *testing.T, s *tlsnet.Conn) error { return s.Close() },
		"Read":       func(_ *testing.T, s *tlsnet.Conn) error { go s.Read(make([]byte, 1000)); return nil },
		"Read a little": func(_ *testing.T, s *tlsnet.Conn) error {
			go s.Read(make([]byte, 1))
			return nil
		},
		"WriteTo": func(_ *testing.T, s *tlsnet.Conn) error { go s.WriteTo(io.Discard); return nil },
		"a request": func(_ *testing.T, s *tlsnet.Conn) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			s.RequestClientCertificate(ctx)
			return nil
		},
		"Detach": func(t *testing.T, s *tlsnet.Conn) error {
			nc, _, err := s.Detach()
			if err == nil {
				t.Cleanup(func() { nc.Close() })
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t)
			client, server := st.late()
			a, b := tcpPair(t)
			c, s := connected(t, client, delayed(server, forever), a, b)
			c.SetReadDeadline(time.Now().Add(time.Minute))
			mustWrite(t, s, "one, ")
			mustWrite(t, s, "two")
			if err := act(t, s); err != nil {
				t.Fatal(err)
			}
			mustRead(t, c, "one, two")
			if name == "CloseWrite" {
				if n, err := s.Write([]byte("x")); n != 0 || !errors.Is(err, tlscore.ErrWriteClosed) {
					t.Errorf("Write behind it: %d, %v", n, err)
				}
			}
			if name == "Close" || name == "CloseWrite" {
				if n, err := c.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("behind it: %d bytes, %v", n, err)
				}
			}
		})
	}
}

// TestTwoWhoReadDoNotWaitForEachOther: without a buffer between them, neither could send before the other reads.
func TestTwoWhoReadDoNotWaitForEachOther(t *testing.T) {
	st := newSite(t)
	a, b := net.Pipe()
	c, s := connected(t, delayed(st.clientConfig(), forever), delayed(st.serverConfig(), forever), a, b)
	defer a.Close()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	mustWrite(t, c, "from the client")
	mustWrite(t, s, "from the server")
	done := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(s, make([]byte, len("from the client")))
		done <- err
	}()
	mustRead(t, c, "from the server")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestHeldWritesWithCryptoTLS has small pieces go both ways, ours in either role, and the end told in order.
func TestHeldWritesWithCryptoTLS(t *testing.T) {
	for name, v := range versions() {
		st := newSite(t)
		run := func(t *testing.T, ours *tlsnet.Conn, theirs *tls.Conn) {
			go func() {
				io.Copy(theirs, theirs)
				theirs.CloseWrite()
			}()
			text := strings.Repeat("0123456789", 10_000)
			var writing sync.WaitGroup
			writing.Go(func() {
				for i := 0; i < len(text); i += 37 {
					if _, err := io.WriteString(ours, text[i:min(len(text), i+37)]); err != nil {
						t.Error(err)
					}
				}
				if err := ours.CloseWrite(); err != nil {
					t.Error(err)
				}
			})
			if got, err := io.ReadAll(ours); err != nil || string(got) != text {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
			writing.Wait()
		}
		t.Run("client "+name, func(t *testing.T) {
			cc := delayed(st.clientConfig(), time.Millisecond)
			cc.Core.MaxVersion = v
			a, b := tcpPair(t)
			c, err := tlsnet.Client(a, cc)
			if err != nil {
				t.Fatal(err)
			}
			run(t, c, tls.Server(b, st.stdServer()))
		})
		t.Run("server "+name, func(t *testing.T) {
			sc := delayed(st.serverConfig(), time.Millisecond)
			sc.Core.MaxVersion = v
			a, b := tcpPair(t)
			s, err := tlsnet.Server(b, sc)
			if err != nil {
				t.Fatal(err)
			}
			run(t, s, tls.Client(a, st.stdClient()))
		})
	}
}

// TestWritersKeepTheirOrder: what each of several writers writes comes whole and in its order, whatever else is called.
func TestWritersKeepTheirOrder(t *testing.T) {
	st := newSite(t)
	a, b := tcpPair(t)
	c, s := connected(t, delayed(st.clientConfig(), 100*time.Microsecond), delayed(st.serverConfig(), 100*time.Microsecond), a, b)
	const writers, messages = 8, 300
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range messages {
				m := make([]byte, 8, 8+20_000)
				m = m[:8+(i*i*37+w*1000)%[]int{50, 3000, 20_000}[i%3]]
				m[0] = byte(w)
				binary.BigEndian.PutUint16(m[1:], uint16(i))
				binary.BigEndian.PutUint32(m[4:], uint32(len(m)-8))
				if _, err := c.Write(m); err != nil {
					t.Error(err)
					return
				}
				var err error
				switch {
				case i%50 == 10:
					err = c.Flush()
				case i%100 == 20:
					err = c.KeyUpdate(w == 0) // a peer that sends nothing but answers is refused after some
				case w == 1 && i%100 == 30:
					err = s.KeyUpdate(true)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	go c.Read(make([]byte, 10)) // sends what is held, too
	go func() {
		all.Wait()
		c.CloseWrite()
	}()
	var next [writers]int
	header := make([]byte, 8)
	for {
		if _, err := io.ReadFull(s, header); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		w, i := header[0], int(binary.BigEndian.Uint16(header[1:]))
		if int(w) >= writers || next[w] != i {
			t.Fatalf("message %d of writer %d", i, w)
		}
		next[w]++
		rest := make([]byte, binary.BigEndian.Uint32(header[4:]))
		if _, err := io.ReadFull(s, rest); err != nil || len(bytes.Trim(rest, "\x00")) > 0 {
			t.Fatalf("message %d of writer %d: %v", i, w, err)
		}
	}
	for w, n := range next {
		if n != messages {
			t.Errorf("%d messages of writer %d have come", n, w)
		}
	}
}

func TestHeldBytesOutliveAWriteDeadline(t *testing.T) {
	st := newSite(t)
	a, b := tcpPair(t)
	c, s := connected(t, delayed(st.clientConfig(), forever), st.serverConfig(), a, b)
	mustWrite(t, c, "before")
	c.SetWriteDeadline(time.Unix(1, 0))
	if n, err := c.Write([]byte("not taken")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write: %d, %v", n, err)
	}
	for name, f := range map[string]func() error{
		"Flush": c.Flush, "CloseWrite": c.CloseWrite, "KeyUpdate": func() error { return c.KeyUpdate(false) },
		"Detach": func() error { _, _, err := c.Detach(); return err },
	} {
		if err := f(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.SetDeadline(time.Time{})
	mustWrite(t, c, ", behind")
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	mustRead(t, s, "before, behind")
	// Close does not care: it has a time of its own.
	mustWrite(t, c, ", at the end")
	c.SetWriteDeadline(time.Unix(1, 0))
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(s); err != nil || string(got) != ", at the end" {
		t.Errorf("read %q, %v", got, err)
	}
}

// broken is a connection whose writes fail once it is.
type broken struct {
	net.Conn
	err    atomic.Pointer[error]
	failed chan struct{} // one element for each write that did
}

func (b *broken) Write(p []byte) (int, error) {
	if err := b.err.Load(); err != nil {
		b.failed <- struct{}{}
		return 0, *err
	}
	return b.Conn.Write(p)
}

// TestLostBytesAreToldOf: Write has taken them, so whoever comes next is told, once.
func TestLostBytesAreToldOf(t *testing.T) {
	failure := errors.New("the line is cut")
	for name, by := range map[string]time.Duration{"held": forever, "lost already": time.Microsecond} {
		for next, f := range map[string]func(c *tlsnet.Conn) error{
			"Write":      func(c *tlsnet.Conn) error { _, err := c.Write(make([]byte, 20_000)); return err },
			"Flush":      (*tlsnet.Conn).Flush,
			"CloseWrite": (*tlsnet.Conn).CloseWrite,
			"Close":      (*tlsnet.Conn).Close,
		} {
			t.Run(name+" "+next, func(t *testing.T) {
				st := newSite(t)
				a, b := tcpPair(t)
				w := &broken{Conn: a, failed: make(chan struct{}, 10)}
				c, s := connected(t, delayed(st.clientConfig(), by), st.serverConfig(), w, b)
				s.Close() // or it would be waited for what it has to say of that
				w.err.Store(&failure)
				mustWrite(t, c, "lost")
				if by != forever {
					<-w.failed
				}
				if err := f(c); !errors.Is(err, failure) {
					t.Errorf("%v", err)
				}
				if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("Close tells it again: %v", err)
				}
			})
		}
	}
}

// TestPeersAlertIsWhyHeldBytesAreLost: not that a later call found the connection unusable.
func TestPeersAlertIsWhyHeldBytesAreLost(t *testing.T) {
	st := newSite(t)
	c, s := joinedInMemory(t, delayed(st.clientConfig(), forever), st.serverConfig())
	mustWrite(t, s, "x") // so that the alert comes along, and Read need not wait for it, and sends nothing
	c.NetConn().Write([]byte{23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
	s.Read(make([]byte, 1))
	if _, err := s.Write([]byte("y")); err == nil { // it waits for the alert, which another goroutine sends
		t.Fatal("the server goes on")
	}
	mustRead(t, c, "x")
	mustWrite(t, c, "lost")
	if _, err := c.Read(make([]byte, 1)); codeOf(err) == tlscore.CodeInternal {
		t.Fatalf("Read: %v", err)
	}
	for range 2 {
		if err := c.Flush(); codeOf(err) == tlscore.CodeInternal {
			t.Errorf("Flush: %v", err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestHeldBytesGoWithAHandover and the connection that goes on holds back, too.
func TestHeldBytesGoWithAHandover(t *testing.T) {
	st := newSite(t)
	a, b := tcpPair(t)
	sc := delayed(st.serverConfig(), forever)
	c, s := connected(t, st.clientConfig(), sc, a, b)
	for i, text := range []string{"one, ", "two, ", "three"} {
		mustWrite(t, s, text)
		nc, state, err := s.Detach()
		if err != nil {
			t.Fatal(i, err)
		}
		if s, err = tlsnet.Attach(nc, sc, state); err != nil {
			t.Fatal(i, err)
		}
	}
	s.Close()
	if got, err := io.ReadAll(c); err != nil || string(got) != "one, two, three" {
		t.Errorf("read %q, %v", got, err)
	}
}

// TestAnswersToEarlyDataAreHeldBack as others are, and leave when the server waits for more.
func TestAnswersToEarlyDataAreHeldBack(t *testing.T) {
	st := newSite(t)
	l, taken := earlyListener(t, delayed(st.early(), forever))
	d := dialer(t, delayed(st.clientConfig(), forever))
	if got, _ := ask(t, d, l.Addr().String(), "one"); got != "plain one" {
		t.Errorf("first: %q", got)
	}
	if got, f := ask(t, d, l.Addr().String(), "two"); got != "early two" || f.EarlyData != tlscore.EarlyDataAccepted {
		t.Errorf("second: %q, %v", got, f.EarlyData)
	}
	if taken.Load() != 1 {
		t.Errorf("%d questions came early", taken.Load())
	}
}

// TestTicketsGoWithHeldBytes: with the first that leave, whatever made them.
func TestTicketsGoWithHeldBytes(t *testing.T) {
	for name, f := range map[string]func(s *tlsnet.Conn) error{
		"Flush":        (*tlsnet.Conn).Flush,
		"Close":        func(s *tlsnet.Conn) error { return nil },
		"a long Write": func(s *tlsnet.Conn) error { _, err := s.Write(make([]byte, 40<<10)); return err },
	} {
		st := newSite(t)
		l := listen(t, delayed(st.serverConfig(), forever))
		d := dialer(t, st.clientConfig())
		for _, again := range []bool{false, true} {
			go func() {
				s, err := l.AcceptConn()
				if err != nil {
					return
				}
				io.WriteString(s, "good day")
				if err := f(s); err != nil {
					t.Error(err)
				}
				s.Close()
			}()
			c, err := d.Dial(t.Context(), "tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Error(err)
			}
			if c.Facts().Resumed != again {
				t.Errorf("%s: resumed %v, want %v", name, !again, again)
			}
			c.Close()
		}
	}
}

// TestCopiesKeepTheirPlace: ReadFrom writes behind what is held, and what it reads in small pieces is held, too.
func TestCopiesKeepTheirPlace(t *testing.T) {
	st := newSite(t)
	a, b := tcpPair(t)
	c, s := connected(t, delayed(st.clientConfig(), forever), st.serverConfig(), a, b)
	x, y := tcpPair(t)
	big := strings.Repeat("0123456789abcdef", 20<<10)
	go func() {
		mustWrite(t, c, "first, ")
		c.ReadFrom(strings.NewReader("second, "))
		io.WriteString(x, "third, "+big)
		x.Close()
		if _, err := io.Copy(c, y); err != nil {
			t.Error(err)
		}
		mustWrite(t, c, ", last")
		c.CloseWrite()
	}()
	if got, err := io.ReadAll(s); err != nil || string(got) != "first, second, third, "+big+", last" {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestFlushWithoutADelayHasNothingToDo(t *testing.T) {
	st := newSite(t)
	a, b := tcpPair(t)
	c, s := ends(t, delayed(st.clientConfig(), -1), delayed(st.serverConfig(), forever), a, b)
	for _, e := range []*tlsnet.Conn{c, s} {
		if err := e.Flush(); err != nil {
			t.Error(err)
		}
	}
	go s.Handshake()
	mustWrite(t, c, "at once")
	mustRead(t, s, "at once")
	if err := c.Flush(); err != nil {
		t.Error(err)
	}
}
