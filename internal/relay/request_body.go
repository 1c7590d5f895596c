package relay

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// requestBody is the content of a request, for a handler. It may be read and closed concurrently.
type requestBody struct {
	x       *exchange
	mu      sync.Mutex
	content content
	expects bool        // the client waits for 100 Continue
	closed  atomic.Bool // by the handler, or behind it
	manual  atomic.Bool // the handler has set a deadline of its own
	left    int64       // bytes that are allowed; 0: any number
	read    int64       // bytes
	until   time.Time   // it must be here; zero: at any time
}

// Read reads content. What is wrong with it is an *[Error].
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.content.err != nil {
		return 0, b.content.err
	}
	if b.expects {
		b.expects = false
		b.x.resp.sayContinue()
	}
	if !b.manual.Load() {
		b.arm()
	}
	if b.closed.Load() { // Close has come between, and its deadline was overwritten
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.content.read(p)
	b.read += int64(n)
	if b.left > 0 && b.read > b.left {
		b.content.err = &Error{Status: http.StatusRequestEntityTooLarge, Reason: ReasonTooLarge,
			Text: "the content is too large", Err: &http.MaxBytesError{Limit: b.left}}
		return 0, b.content.err
	}
	if err != nil {
		err = b.failed(err)
	}
	if b.content.done() {
		b.ended()
	}
	return n, err
}

// arm sets the deadline of the next read.
func (b *requestBody) arm() {
	limits, alarm := &b.x.conn.front.limits, &b.content.in.alarm
	if !b.until.IsZero() && (limits.Stall == 0 || time.Until(b.until) < limits.Stall) {
		alarm.until(b.until)
		return
	}
	alarm.within(limits.Stall)
}

// failed makes errors final, and says what they mean.
func (b *requestBody) failed(err error) error {
	var e *Error
	switch {
	case err == io.EOF:
		return err
	case errors.As(err, &e):
	case isTimeout(err):
		e = &Error{Status: http.StatusRequestTimeout, Reason: ReasonTimeout, Text: "the content did not come in time", Err: err}
	default:
		e = &Error{Reason: ReasonCutOff, Text: "the content was cut off", Err: err}
	}
	b.content.err = e
	return e
}

// ended is called when all has come.
func (b *requestBody) ended() {
	x := b.x
	if len(b.content.trailer) > 0 {
		all := string(b.content.raw)
		for _, f := range b.content.trailer {
			name := http.CanonicalHeaderKey(all[f.name.from:f.name.to])
			x.req.Trailer[name] = append(x.req.Trailer[name], all[f.value.from:f.value.to])
		}
		b.content.trailer = nil
	}
	x.ctx.contentRead()
}

// Close lets nothing more be read, and breaks a read off that is under way. The rest of the content is dropped with the
// connection.
func (b *requestBody) Close() error {
	b.closed.Store(true)
	if !b.mu.TryLock() {
		b.manual.Store(true)
		b.x.conn.conn.SetReadDeadline(time.Unix(1, 0))
		b.mu.Lock()
	}
	b.mu.Unlock()
	return nil
}

// done reports whether all was read. Nobody may be reading.
func (b *requestBody) done() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.done()
}

// settled reports whether nobody is reading.
func (b *requestBody) settled() bool {
	if !b.mu.TryLock() {
		return false
	}
	b.mu.Unlock()
	return true
}

// settle reports whether all has been read or lies in the buffer, from where it is then dropped. What a client was not
// told to send may still come, or not: nobody knows.
func (b *requestBody) settle() bool {
	if !b.mu.TryLock() {
		return false // somebody is reading still
	}
	defer b.mu.Unlock()
	if b.content.done() {
		return true
	}
	if b.expects || b.content.err != nil {
		return false
	}
	in := b.content.in
	in.dry = true
	defer func() { in.dry = false }()
	scratch := b.x.conn.front.pool.get(smallBuffer)
	defer b.x.conn.front.pool.put(scratch)
	for !b.content.done() {
		if _, err := b.content.read(scratch); err != nil && err != io.EOF {
			return false
		}
	}
	return true
}

// takeWhole returns the content if all of it, length bytes, lies in the buffer and is not framed in chunks, and counts it
// as read. It must be copied before the connection is read from again.
func (b *requestBody) takeWhole(length int64) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &b.content
	if b.closed.Load() || b.expects || c.err != nil || c.chunked || b.read > 0 || c.left != length || c.left > int64(len(c.in.buffered())) {
		return nil
	}
	p := c.in.buffered()[:c.left]
	c.in.take(len(p))
	b.read += int64(len(p))
	c.advance(len(p), nil)
	b.ended()
	return p
}
