package relay

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Sizes of the buffers that are lent out, in bytes. A connection holds one only while something is in it, or for a
// moment in which more is likely to come.
const (
	smallBuffer = 4 << 10
	largeBuffer = 16 << 10 // the content of one TLS record
	bulkBuffer  = 64 << 10 // what tlsnet sends in one system call
)

type (
	small [smallBuffer]byte
	large [largeBuffer]byte
	bulk  [bulkBuffer]byte
)

// buffers lends them. A Front has one, and an Upstream.
type buffers struct{ small, large, bulk sync.Pool }

// get returns a buffer of at least n bytes.
func (p *buffers) get(n int) []byte {
	switch {
	case n <= smallBuffer:
		if b, ok := p.small.Get().(*small); ok {
			return b[:]
		}
		return new(small)[:]
	case n <= largeBuffer:
		if b, ok := p.large.Get().(*large); ok {
			return b[:]
		}
		return new(large)[:]
	case n <= bulkBuffer:
		if b, ok := p.bulk.Get().(*bulk); ok {
			return b[:]
		}
		return new(bulk)[:]
	}
	return make([]byte, n)
}

// put takes back what get returned, at its whole length.
func (p *buffers) put(b []byte) {
	switch cap(b) {
	case smallBuffer:
		p.small.Put((*small)(b[:smallBuffer]))
	case largeBuffer:
		p.large.Put((*large)(b[:largeBuffer]))
	case bulkBuffer:
		p.bulk.Put((*bulk)(b[:bulkBuffer]))
	}
}

// alarm is one of the two deadlines of a connection. It is moved only when that matters: setting one costs, and that a
// time-out of a minute comes some seconds early or late does not.
type alarm struct {
	set func(time.Time) error
	at  time.Time // zero: none
}

// within makes the alarm ring d from now, give or take an eighth; d <= 0: never.
func (a *alarm) within(d time.Duration) error {
	if d <= 0 {
		return a.until(time.Time{})
	}
	at := time.Now().Add(d)
	if off := at.Sub(a.at); !a.at.IsZero() && off < d/8 && off > -d/8 {
		return nil
	}
	return a.until(at)
}

// until makes the alarm ring at a time; zero: never.
func (a *alarm) until(at time.Time) error {
	if at.Equal(a.at) {
		return nil
	}
	a.at = at
	return a.set(at)
}

// ring makes it ring at once, and forgets what it was set to.
func (a *alarm) ring() {
	a.forget()
	a.set(a.at)
}

// forget says that somebody else has set the deadline.
func (a *alarm) forget() { a.at = time.Unix(1, 0) }

// isTimeout reports whether a deadline has passed.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

// input reads from a connection through a buffer that it holds only for as long as there is something in it.
type input struct {
	conn    net.Conn
	pool    *buffers
	alarm   alarm
	least   int    // size of its buffer
	buf     []byte // nil: nothing is held
	r, w    int    // buf[r:w] has come and was not taken
	pending byte   // came while there was no buffer
	has     bool   // pending is one
	dry     bool   // nothing is read from the connection: it times out
	one     [1]byte
}

func (in *input) init(c net.Conn, p *buffers, least int) {
	in.least = least
	in.conn, in.pool = c, p
	in.alarm.set = c.SetReadDeadline
	in.alarm.forget()
}

// buffered returns what has come and was not taken.
func (in *input) buffered() []byte { return in.buf[in.r:in.w] }

// take drops n of the buffered bytes.
func (in *input) take(n int) { in.r += n }

// release gives the buffer back if nothing is in it.
func (in *input) release() {
	if in.buf != nil && in.r == in.w {
		in.pool.put(in.buf)
		in.buf, in.r, in.w = nil, 0, 0
	}
}

// drop gives the buffer back with what is in it.
func (in *input) drop() {
	in.r = in.w
	in.release()
}

// fill reads once, behind what is buffered. need is the room that there must be for what is not taken yet, in all.
func (in *input) fill(need int) error {
	in.room(need)
	if in.has {
		in.unpend()
		return nil
	}
	if in.dry {
		return os.ErrDeadlineExceeded
	}
	n, err := readOnce(in.conn, in.buf[in.w:])
	in.w += n
	return err
}

// unpend takes the byte that came first over into the buffer.
func (in *input) unpend() {
	if in.has {
		in.room(in.w - in.r + 1)
		in.buf[in.w] = in.pending
		in.w++
		in.has = false
	}
}

// room makes room for need bytes from the first that is not taken, one of them free at least.
func (in *input) room(need int) {
	need = max(need, in.w-in.r+1)
	switch {
	case in.buf == nil:
		in.buf = in.pool.get(max(need, in.least))
	case in.r == in.w:
		in.r, in.w = 0, 0
		fallthrough
	default:
		if len(in.buf) < need {
			b := in.pool.get(need)
			n := copy(b, in.buffered())
			in.pool.put(in.buf)
			in.buf, in.r, in.w = b, 0, n
		} else if len(in.buf)-in.r < need || in.w == len(in.buf) {
			in.w = copy(in.buf, in.buffered())
			in.r = 0
		}
	}
}

// wake waits for a byte without holding a buffer.
func (in *input) wake() error {
	if in.has || in.r < in.w {
		return nil
	}
	in.release()
	if _, err := readOnce(in.conn, in.one[:]); err != nil {
		return err
	}
	in.pending, in.has = in.one[0], true
	return nil
}

// read reads up to len(p) bytes, from the buffer or past it.
func (in *input) read(p []byte) (int, error) {
	in.unpend()
	if in.r < in.w {
		n := copy(p, in.buffered())
		in.take(n)
		return n, nil
	}
	if in.dry {
		return 0, os.ErrDeadlineExceeded
	}
	return readOnce(in.conn, p)
}

// readOnce is Read that returns either bytes or an error.
func readOnce(c io.Reader, p []byte) (int, error) {
	for range 100 {
		n, err := c.Read(p)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// readHead reads until a head is there whole, and returns its length. The head stays buffered. If it must be waited for,
// the alarm is set to ring after d, where that is negative never; 0: it stays as it is.
func (in *input) readHead(limit int, d time.Duration) (int, error) {
	var s lineScanner
	in.unpend()
	for {
		b := in.buffered()
		if end, err := s.find(b); end > 0 && end <= limit || err != nil {
			return end, err
		}
		if len(b) >= limit {
			return 0, &Error{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: ReasonTooLarge, Text: "the header is too large"}
		}
		need := len(b) + 1
		if len(b) > 0 && len(b) == len(in.buf) {
			need = 2 * len(b)
		}
		if d != 0 {
			in.alarm.within(d)
			d = 0
		}
		if err := in.fill(min(need, limit)); err != nil {
			return 0, err
		}
	}
}
