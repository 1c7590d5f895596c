package relay

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// pump sends a request's content to the upstream while the answer is waited for, and comes: an upstream may answer
// before it has everything, and stop reading for that.
type pump struct {
	x      *hop
	link   *link
	wait   chan struct{} // closed when the content is wanted
	once   sync.Once
	ended  chan struct{} // closed when nothing more is sent
	stop   atomic.Bool
	holds  bool        // the content is held back until the upstream wants it
	begun  atomic.Bool // it is no longer held back
	broken atomic.Bool // the link was closed, and err says why
	whole  bool        // everything was sent; to be read after ended
	err    error       // what was wrong with the client's content; to be read after ended
}

const (
	// continueWait is how long content is held back that the upstream was asked about.
	continueWait = time.Second
	// pumpGrace is how long the end of a request's content is waited for once the answer is there.
	pumpGrace = 50 * time.Millisecond
	// chunkRoom is in front of and behind a chunk, for its framing.
	chunkRoom = 8
)

// startPump starts to send the content.
func (x *hop) startPump() {
	p := &pump{x: x, link: x.link, wait: make(chan struct{}), ended: make(chan struct{})}
	x.pump = p
	if p.holds = len(x.r.Header["Expect"]) > 0; !p.holds {
		p.release()
	}
	http.NewResponseController(x.w).EnableFullDuplex() // without it net/http reads the content before it answers
	go p.run()
}

// release says that the content is wanted.
func (p *pump) release() { p.once.Do(func() { close(p.wait) }) }

// finished reports whether nothing more is sent.
func (p *pump) finished() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// clientError returns what was wrong with the client's content, where the link was closed for it.
func (p *pump) clientError() error {
	if !p.broken.Load() {
		return nil
	}
	<-p.ended
	return p.err
}

func (p *pump) run() {
	defer close(p.ended)
	t := time.NewTimer(continueWait)
	defer t.Stop()
	select {
	case <-p.wait:
	case <-t.C:
	}
	if p.stop.Load() {
		return
	}
	p.begun.Store(true)
	buf := p.x.up.pool.get(largeBuffer)
	defer p.x.up.pool.put(buf)
	if err := p.send(buf); err != nil && !p.stop.Load() {
		p.err = clientFault(err)
		p.broken.Store(true)
		p.link.conn.Close() // what was sent is not a request
	}
}

// send sends the content. An error is the client's; if it is the upstream's that cannot go on, its answer says why.
func (p *pump) send(buf []byte) error {
	length := p.x.r.ContentLength
	var sent int64
	for !p.stop.Load() {
		n, err := p.x.r.Body.Read(buf[chunkRoom : len(buf)-chunkRoom])
		sent += int64(n)
		if length >= 0 && sent > length {
			return errors.New("relay: there is more content than the request said")
		}
		if n > 0 && p.write(buf, n, length < 0) != nil {
			return nil
		}
		switch {
		case err == nil:
			continue
		case err != io.EOF:
			return err
		case length >= 0 && sent < length:
			return io.ErrUnexpectedEOF
		case length < 0 && p.writeEnd() != nil:
			return nil
		}
		p.whole = true
		return nil
	}
	return nil
}

// write sends n bytes of content that lie in buf behind chunkRoom.
func (p *pump) write(buf []byte, n int, chunked bool) error {
	from, to := chunkRoom, chunkRoom+n
	if chunked {
		var line [chunkRoom]byte
		head := append(strconv.AppendInt(line[:0], int64(n), 16), "\r\n"...)
		from -= len(head)
		copy(buf[from:], head)
		to += copy(buf[to:], "\r\n")
	}
	return p.put(buf[from:to])
}

// put writes to the link, unless stopPump has been there: its deadline must not be overwritten.
func (p *pump) put(b []byte) error {
	p.link.writing.within(p.x.up.o.Stall)
	if p.stop.Load() {
		return os.ErrDeadlineExceeded
	}
	_, err := p.link.conn.Write(b)
	return err
}

// writeEnd sends the last chunk, and the trailer section.
func (p *pump) writeEnd() error {
	out := []byte("0\r\n")
	for name, values := range p.x.r.Trailer {
		if p.x.strips(name) {
			continue
		}
		out = appendTrailer(out, name, values)
	}
	return p.put(append(out, "\r\n"...))
}

// clientFault says what is wrong with a client's content.
func clientFault(err error) error {
	var e *Error
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &big):
		return &Error{Status: http.StatusRequestEntityTooLarge, Reason: ReasonTooLarge, Text: "the content is too large", Err: err}
	case isTimeout(err):
		return &Error{Status: http.StatusRequestTimeout, Reason: ReasonTimeout, Text: "the content did not come in time", Err: err}
	}
	return &Error{Reason: ReasonClient, Text: "the client's content was cut off", Err: err}
}

// stopPump sees to it that nothing reads the client's content any more, or writes to the link.
func (x *hop) stopPump() {
	p := x.pump
	if p.finished() {
		return
	}
	if (p.begun.Load() || !p.holds) && !p.x.link.head.close { // else nothing is to be gained
		t := time.NewTimer(pumpGrace)
		defer t.Stop()
		select {
		case <-p.ended:
			return
		case <-t.C:
		}
	}
	p.stop.Store(true)
	p.release()
	p.link.conn.SetWriteDeadline(time.Unix(1, 0))
	if x.front != nil {
		x.front.x.body.Close()
	} else if http.NewResponseController(x.w).SetReadDeadline(time.Unix(1, 0)) != nil {
		x.r.Body.Close()
	}
	<-p.ended
}
