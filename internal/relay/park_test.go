package relay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/relay"
)

// soon is a joiner that parks as fast as it can.
func soon() *relay.Joiner { return &relay.Joiner{ParkAfter: 5 * time.Millisecond} }

// pairOf joins the inner ends of two connections and returns the outer ones.
func pairOf(t testing.TB, j *relay.Joiner, one, other func(testing.TB) (net.Conn, net.Conn), idle time.Duration) (a, b net.Conn, p *relay.Pair, inner [2]net.Conn, end chan joined) {
	t.Helper()
	a, ia := one(t)
	b, ib := other(t)
	end = make(chan joined, 2)
	p = j.Pair(ia, ib, idle, func(fromA, fromB int64, err error) { end <- joined{fromA, fromB, err} })
	p.Start()
	return a, b, p, [2]net.Conn{ia, ib}, end
}

// until waits for something to become true.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

// parks skips a test where nothing is ever parked.
func parks(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("nothing is parked here")
	}
}

// asleep waits until every pair is parked.
func asleep(t testing.TB, pairs ...*relay.Pair) {
	t.Helper()
	for _, p := range pairs {
		until(t, "a pair that nothing comes to is parked", p.IsParked)
	}
}

// ping sends a few bytes one way and awaits them.
func ping(t testing.TB, from, to net.Conn, text string) {
	t.Helper()
	_ = to.SetReadDeadline(time.Now().Add(40 * time.Second))
	if _, err := io.WriteString(from, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(to, got); err != nil || string(got) != text {
		t.Fatalf("%q %v; want %q", got, err, text)
	}
}

func TestParkedPairsHoldNoGoroutines(t *testing.T) {
	parks(t)
	j := soon()
	const n = 200
	before := runtime.NumGoroutine()
	var as, bs []net.Conn
	var pairs []*relay.Pair
	ends := make([]chan joined, n)
	for i := range n {
		one := pair
		if i%50 == 0 {
			one = securePair
		}
		a, b, p, _, end := pairOf(t, j, one, pair, time.Minute)
		as, bs, pairs, ends[i] = append(as, a), append(bs, b), append(pairs, p), end
	}
	for round := range 3 {
		asleep(t, pairs...)
		until(t, "their goroutines end", func() bool { return runtime.NumGoroutine() < before+n/4 })
		for i := range n { // all at once, from either side
			from, to := as[i], bs[i]
			if (i+round)%2 == 1 {
				from, to = to, from
			}
			ping(t, from, to, fmt.Sprintf("hello %d", i))
		}
	}
	asleep(t, pairs...)
	for i := range n {
		if i%2 == 0 {
			as[i].Close()
		} else {
			bs[i].Close()
		}
		as[i].Close()
		bs[i].Close()
	}
	for i, end := range ends {
		if got := <-end; got.fromA+got.fromB != int64(3*len(fmt.Sprintf("hello %d", i))) {
			t.Errorf("pair %d: %+v", i, got)
		}
	}
	until(t, "who waits for parked pairs ends", func() bool { return runtime.NumGoroutine() <= before })
}

// parkedPair is pairOf with a pair that is parked. One that was idle for too long before anybody looked gets more time.
func parkedPair(t testing.TB, one func(testing.TB) (net.Conn, net.Conn), idle time.Duration) (a, b net.Conn, p *relay.Pair, inner [2]net.Conn, end chan joined) {
	t.Helper()
	for ; ; idle *= 4 {
		a, b, p, inner, end = pairOf(t, soon(), one, pair, idle)
		until(t, "a pair that nothing comes to is parked", func() bool { return p.IsParked() || len(end) > 0 })
		if len(end) == 0 || idle > time.Minute {
			return a, b, p, inner, end
		}
	}
}

func TestEndsOfParkedPairs(t *testing.T) {
	parks(t)
	for name, c := range map[string]struct {
		idle time.Duration
		do   func(a, b net.Conn, p *relay.Pair, inner [2]net.Conn)
		want error
	}{
		"told": {time.Hour, func(_, _ net.Conn, p *relay.Pair, _ [2]net.Conn) { p.Cut(context.Canceled) }, context.Canceled},
		"idle": {time.Second, func(net.Conn, net.Conn, *relay.Pair, [2]net.Conn) {}, relay.ErrIdle},
		"closed beneath": {time.Hour, func(_, _ net.Conn, p *relay.Pair, inner [2]net.Conn) {
			inner[0].Close()
			p.Wake()
		}, net.ErrClosed},
		"closed behind":    {0, func(_, _ net.Conn, p *relay.Pair, inner [2]net.Conn) { inner[1].Close(); p.Wake() }, net.ErrClosed},
		"both end":         {0, func(a, b net.Conn, _ *relay.Pair, _ [2]net.Conn) { a.Close(); b.Close() }, nil},
		"half, then other": {0, func(a, b net.Conn, _ *relay.Pair, _ [2]net.Conn) { halfClose(a); io.ReadAll(b); b.Close() }, nil},
	} {
		for kind, one := range map[string]func(testing.TB) (net.Conn, net.Conn){"plain": pair, "secure": securePair} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				a, b, p, inner, end := parkedPair(t, one, c.idle)
				c.do(a, b, p, inner)
				got := <-end
				if c.want == nil && got.err != nil || c.want != nil && !errors.Is(got.err, c.want) {
					t.Errorf("%+v, want %v", got, c.want)
				}
				for _, c := range []net.Conn{a, b} {
					if _, err := c.Read(make([]byte, 1)); err == nil {
						t.Error("it is open still")
					}
				}
				select {
				case again := <-end:
					t.Errorf("it ended twice: %+v", again)
				default:
				}
			})
		}
	}
}

func halfClose(c net.Conn) { c.(interface{ CloseWrite() error }).CloseWrite() }

// TestHalfClosedPairsAreNotParked: the one direction that is left has a goroutine, and works.
func TestHalfClosedPairsAreNotParked(t *testing.T) {
	parks(t)
	a, b, p, _, end := pairOf(t, soon(), securePair, pair, 0)
	asleep(t, p)
	halfClose(a)
	if rest, err := io.ReadAll(b); err != nil || len(rest) > 0 {
		t.Fatalf("%q %v", rest, err)
	}
	for range 30 {
		time.Sleep(2 * time.Millisecond) // time enough to park, were it allowed
		if p.IsParked() {
			t.Fatal("a half-closed pair is parked")
		}
	}
	ping(t, b, a, "still here")
	b.Close()
	if got := <-end; got.err != nil || got.fromB != 10 {
		t.Errorf("%+v", got)
	}
}

// TestBusyPairsAreNotAsked: one that is writing would be waited for in vain, and the other direction with it; so would one
// that has ended.
func TestBusyPairsAreNotAsked(t *testing.T) {
	parks(t)
	j := &relay.Joiner{ParkAfter: time.Hour}
	a, b, p, _, end := pairOf(t, j, pair, pair, 0)
	go io.Copy(a, endless{})
	until(t, "a direction that is blocked is left alone", func() bool {
		for range 100 {
			if p.Ask() {
				return false
			}
		}
		return !p.IsParked()
	})
	b.Close()
	<-end
	a, b, p, _, end = pairOf(t, j, pair, pair, 0)
	halfClose(a)
	io.ReadAll(b)
	if p.Ask() {
		t.Error("a half-closed pair is asked to park")
	}
	b.Close()
	<-end
}

// TestWhoIsBusyAfterAllCallsTheOtherBack: something comes to one direction while both are asked to leave, and blocks it or
// ends it. The other one goes on at once, and not when somebody next looks, which here would be in an hour.
func TestWhoIsBusyAfterAllCallsTheOtherBack(t *testing.T) {
	parks(t)
	j := &relay.Joiner{ParkAfter: time.Hour}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 150 {
		a, b, p, inner, end := pairOf(t, j, pair, pair, 0)
		for _, c := range []net.Conn{inner[1], b} {
			c.(*net.TCPConn).SetWriteBuffer(4 << 10)
			c.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		began := make(chan struct{})
		go func() {
			close(began)
			if i%2 == 0 {
				a.Write(make([]byte, 8<<20)) // nobody reads it
			} else {
				halfClose(a)
			}
		}()
		<-began
		for range r.IntN(2000) {
			p.IsParked()
		}
		p.Ask()
		ping(t, b, a, "the other way")
		p.Cut(context.Canceled)
		if got := <-end; got.fromB != 13 || !errors.Is(got.err, context.Canceled) {
			t.Fatalf("%+v", got)
		}
	}
}

// slow reads what the test gives it, and knows no deadlines but those that the test says have passed, by "".
type slow struct {
	net.Conn
	come chan string
}

func (s slow) Read(p []byte) (int, error) {
	text, ok := <-s.come
	if !ok {
		return 0, io.EOF
	}
	if text == "" {
		return 0, os.ErrDeadlineExceeded
	}
	return copy(p, text), nil
}

func (s slow) Socket() net.Conn { return s.Conn }

func (slow) SetReadDeadline(time.Time) error { return nil }

// TestWhoHasReadAlreadyCallsTheOtherBack: what one direction had read when both were asked is passed on, and both go on.
func TestWhoHasReadAlreadyCallsTheOtherBack(t *testing.T) {
	come := make(chan string)
	a, b, p, _, end := pairOf(t, &relay.Joiner{ParkAfter: time.Hour}, func(t testing.TB) (net.Conn, net.Conn) {
		a, ia := pair(t)
		return a, slow{ia, come}
	}, pair, 0)
	come <- "" // it was asked and called back before it could answer
	if !p.Ask() {
		t.Fatal("a quiet pair is not asked")
	}
	come <- "x"
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ping(t, b, a, "the other way")
	until(t, "a pair that is quiet again is asked again", p.Ask)
	close(come) // its end calls back, too
	ping(t, b, a, "and again")
	b.Close()
	if got := <-end; got.fromA != 1 || got.fromB != 22 || got.err != nil {
		t.Errorf("%+v", got)
	}
}

// TestABlockedDirectionDoesNotStopTheOther: one side takes nothing, so what is on its way to it is held.
func TestABlockedDirectionDoesNotStopTheOther(t *testing.T) {
	parks(t)
	a, b, _, _, end := pairOf(t, soon(), securePair, pair, 0)
	data := make([]byte, 16<<20)
	rand.NewChaCha8([32]byte{1}).Read(data)
	sent := make(chan error, 1)
	go func() {
		_, err := a.Write(data)
		halfClose(a)
		sent <- err
	}()
	for i := range 20 { // the other direction passes meanwhile, after pauses in which nothing moves
		time.Sleep(10 * time.Millisecond)
		ping(t, b, a, fmt.Sprint(i))
	}
	got, err := io.ReadAll(b)
	if err := errors.Join(err, <-sent); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	b.Close()
	if got := <-end; got.err != nil || got.fromA != int64(len(data)) {
		t.Errorf("%+v", got)
	}
}

// TestARecordInPiecesWakesAndIsWhole: the beginning of a record came before the pair was parked, its rest after.
func TestARecordInPiecesWakesAndIsWhole(t *testing.T) {
	parks(t)
	cut := &cutting{}
	a, b, p, _, end := pairOf(t, soon(), func(t testing.TB) (net.Conn, net.Conn) { return securePairOver(t, cut) }, pair, 0)
	asleep(t, p)
	text := strings.Repeat("in pieces ", 100)
	for range 3 {
		cut.hold(true)
		io.WriteString(a, text)
		for rest := cut.take(); len(rest) > 0; {
			n := min(400, len(rest))
			if _, err := cut.Conn.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
			time.Sleep(time.Millisecond)
			asleep(t, p)
		}
		cut.hold(false)
		got := make([]byte, len(text))
		if _, err := io.ReadFull(b, got); err != nil || string(got) != text {
			t.Fatalf("%q %v", got, err)
		}
		asleep(t, p)
	}
	a.Close()
	b.Close()
	<-end
}

// cutting is a connection whose writes can be held back.
type cutting struct {
	net.Conn
	mu   sync.Mutex
	held []byte
	on   bool
}

func (c *cutting) hold(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on = on
}

func (c *cutting) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.held
	c.held = nil
	return b
}

// Write implements net.Conn.
func (c *cutting) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on {
		c.held = append(c.held, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// TestNothingIsLostAroundParking sends at the moments at which pairs are about to be parked, from both sides, and ends or
// cuts some of them.
func TestNothingIsLostAroundParking(t *testing.T) {
	j := &relay.Joiner{ParkAfter: time.Millisecond}
	var wg sync.WaitGroup
	for i := range 40 {
		one := pair
		if i%8 == 0 {
			one = securePair
		}
		a, b, p, _, end := pairOf(t, j, one, pair, 30*time.Second)
		r := rand.New(rand.NewPCG(uint64(i), 7))
		pauses := make([]time.Duration, 60)
		for k := range pauses {
			pauses[k] = time.Duration(r.IntN(4000)) * time.Microsecond
		}
		say := func(from net.Conn) {
			for _, d := range pauses {
				time.Sleep(d)
				if _, err := from.Write([]byte("0123456789")); err != nil {
					return
				}
			}
			halfClose(from)
		}
		heard := func(at net.Conn) {
			if n, err := io.Copy(io.Discard, at); i%5 != 0 && (err != nil || n != 600) {
				t.Errorf("pair %d: %d bytes, %v", i, n, err)
			}
		}
		for _, f := range []func(){func() { say(a) }, func() { say(b) }, func() { heard(a) }, func() { heard(b) }} {
			wg.Go(f)
		}
		wg.Go(func() {
			if i%5 == 0 {
				time.Sleep(pauses[0] * 20)
				p.Cut(context.Canceled)
			}
			if got := <-end; i%5 != 0 && (got != joined{600, 600, nil}) {
				t.Errorf("pair %d: %+v", i, got)
			}
		})
	}
	wg.Wait()
}
