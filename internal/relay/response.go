package relay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// response is the answer to one request. Handlers see it as an http.ResponseWriter; it may be used concurrently with
// reads of the request's content, which may have to say 100 Continue.
type response struct {
	x        *exchange
	header   http.Header
	defaults []nameValue

	mu       sync.Mutex
	status   int    // 0: none was said
	begun    bool   // the head is written to its end
	left     bool   // some of it was sent
	trails   bool   // fields follow the content
	typed    bool   // it has a Content-Type, or needs none
	hold     []byte // content from before the head was written
	length   int64  // that the head says; -1: none
	written  int64  // bytes of content
	chunked  bool
	bodiless bool        // no content follows the head, whatever it says
	keeps    bool        // another request can follow
	duplex   bool        // the request's content is still read when the response goes out
	manual   atomic.Bool // the handler has set a deadline of its own
	hijacked bool
	over     atomic.Bool // the handler has returned: what it has left behind writes into the void
	err      error       // of the connection; final
}

// holdBytes is how much content waits for the end of the handler, so that its length can be told.
const holdBytes = 4 << 10

// outLimit is how much is written before it is sent; room for the line of a chunk is beyond it.
const outLimit = largeBuffer - 32

// errTooShort says that a handler announced more content than it wrote.
var errTooShort = errors.New("relay: the response is shorter than its Content-Length")

// errOver says that a response is written to after its handler has returned.
var errOver = errors.New("relay: the handler has returned")

func (w *response) init(x *exchange) { w.x, w.length, w.keeps = x, -1, x.keeps }

// Header returns the fields that the head will have.
func (w *response) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header, 8)
	}
	return w.header
}

// nameValue is a field.
type nameValue struct{ name, value string }

// SetDefault is for [Defaulter].
func (w *response) SetDefault(name, value string) {
	if isToken(name) && kindOf(name) == otherField {
		w.defaults = append(w.defaults, nameValue{name, value})
	}
}

// Status returns the status that was answered.
func (w *response) Status() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// Written returns the bytes of content that were written.
func (w *response) Written() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written
}

func (w *response) isHijacked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hijacked
}

// WriteHeader sets the status. One of 100 to 199 but 101 is sent at once, and another follows.
func (w *response) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.over.Load() || w.hijacked || w.status != 0 || status < 100 || status > 999:
	case status < 200 && status != http.StatusSwitchingProtocols:
		w.inform(status)
	default:
		w.setStatus(status)
	}
}

// setStatus settles what follows from the status, and writes the head but for its end, which tells of the content's
// length: what a handler does to the header from here on changes nothing. The lock is held.
func (w *response) setStatus(status int) {
	if status == http.StatusSwitchingProtocols {
		status = http.StatusInternalServerError // who changes the protocol hijacks the connection
	}
	w.status = status
	w.bodiless = status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
	c, h := w.x.conn, w.Header()
	if v := h["Content-Length"]; len(v) == 1 && status != http.StatusNoContent {
		if n, ok := parseLength(v[0]); ok {
			w.length = n
		}
	}
	if closes(h["Connection"]) {
		w.keeps = false
	}
	_, typed := h["Content-Type"]
	w.typed = typed || len(h["Content-Encoding"]) > 0
	w.room()
	c.out = appendStatus(c.out, status)
	if _, ok := h["Date"]; !ok {
		c.out = append(c.out, c.front.dateField()...)
	}
	c.out = appendHeader(c.out, h)
	for _, d := range w.defaults {
		if _, ok := h[d.name]; !ok {
			c.out = appendField(c.out, d.name, d.value)
			w.typed = w.typed || d.name == "Content-Type"
		}
	}
	for _, list := range h["Trailer"] {
		elements(list, func(name string) bool {
			if isToken(name) && kindOf(name) == otherField {
				c.out = appendField(c.out, "Trailer", name)
				w.trails = true
			}
			return true
		})
	}
}

// inform sends an informational response. The lock is held.
func (w *response) inform(status int) {
	if w.x.minor == 0 || w.err != nil {
		return // RFC 9110, Section 15.2: HTTP/1.0 knows none
	}
	w.room()
	c := w.x.conn
	c.out = appendStatus(c.out[:0], status)
	if status != http.StatusContinue {
		c.out = appendHeader(c.out, w.header)
	}
	c.out = append(c.out, "\r\n"...)
	w.err = w.flush()
}

// sayContinue tells the client to send its content.
func (w *response) sayContinue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status == 0 && !w.hijacked && !w.over.Load() {
		w.inform(http.StatusContinue)
	}
}

// room makes sure that there is a buffer to write into. The lock is held.
func (w *response) room() {
	if w.x.conn.out == nil {
		w.x.conn.out = w.x.conn.front.pool.get(largeBuffer)[:0]
	}
}

// giveRoom gives the buffer back. The lock is held.
func (w *response) giveRoom() {
	if c := w.x.conn; c.out != nil {
		c.front.pool.put(c.out)
		c.out = nil
	}
}

// Write writes content, after a head with status 200 if no other was set.
func (w *response) Write(p []byte) (int, error) { return writeContent(w, p) }

// WriteString writes content.
func (w *response) WriteString(s string) (int, error) { return writeContent(w, s) }

func writeContent[T text](w *response, p T) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.over.Load():
		return 0, errOver
	case w.hijacked:
		return 0, http.ErrHijacked
	case w.err != nil:
		return 0, w.err
	case w.status == 0:
		w.setStatus(http.StatusOK)
	}
	switch {
	case w.bodiless:
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.written+int64(len(p)) > w.length:
		return 0, http.ErrContentLength
	}
	w.written += int64(len(p))
	if !w.begun {
		if len(w.hold)+len(p) <= holdBytes {
			if w.hold == nil {
				w.hold = w.x.conn.front.pool.get(holdBytes)[:0]
			}
			w.hold = append(w.hold, p...)
			return len(p), nil
		}
		w.begin(-1, string(p[:min(len(p), sniffBytes)]))
	}
	if w.err = carryOut(w, p); w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// carryOut puts content behind the head, framed, and sends what does not fit into the buffer. The lock is held.
func carryOut[T text](w *response, p T) error {
	if len(p) == 0 || w.x.req.Method == http.MethodHead {
		return nil
	}
	c := w.x.conn
	if w.chunked {
		c.out = strconv.AppendInt(c.out, int64(len(p)), 16)
		c.out = append(c.out, "\r\n"...)
	}
	for len(p) > 0 {
		free := outLimit - len(c.out)
		if free <= 0 {
			if err := w.flush(); err != nil {
				return err
			}
			continue
		}
		n := min(free, len(p))
		if b, ok := any(p).([]byte); ok && len(c.out) == 0 && len(b) >= largeBuffer {
			n = min(len(b), bulkBuffer)
			if err := w.send(b[:n]); err != nil {
				return err
			}
		} else {
			c.out = append(c.out, p[:n]...)
		}
		p = p[n:]
	}
	if w.chunked {
		c.out = append(c.out, "\r\n"...)
	}
	return nil
}

// flush sends what is in the buffer. The lock is held.
func (w *response) flush() error {
	c := w.x.conn
	if len(c.out) == 0 {
		return nil
	}
	err := w.send(c.out)
	c.out = c.out[:0]
	return err
}

// send writes to the client, within the time that it may stall. The lock is held.
func (w *response) send(b []byte) error {
	c := w.x.conn
	w.left = w.left || w.begun
	if !w.manual.Load() {
		c.writing.within(c.front.limits.Stall)
	}
	_, err := c.conn.Write(b)
	return err
}

// sniffBytes is how much of the content tells its type.
const sniffBytes = 512

// begin ends the head. total is the length of the content, if that is known; -1: it is not. What is held back comes first,
// and then what next begins with. The lock is held.
func (w *response) begin(total int64, next string) {
	c := w.x.conn
	w.begun = true
	if !w.duplex && !w.x.body.settle() || !c.goesOn() {
		w.keeps = false
	}
	if w.length < 0 && total >= 0 && !w.trails && !w.bodiless && (w.x.req.Method != http.MethodHead || total > 0) {
		w.length = total
	}
	w.sniff(next)
	w.appendFraming()
	if w.hold != nil {
		w.err = carryOut(w, w.hold)
		c.front.pool.put(w.hold)
		w.hold = nil
	}
}

// appendFraming ends the head with the fields on the connection and the content's length. The lock is held.
func (w *response) appendFraming() {
	c := w.x.conn
	switch {
	case w.length >= 0: // of a response to HEAD, and of 304, it is that of the content that there would be
		c.out = append(c.out, "Content-Length: "...)
		c.out = strconv.AppendInt(c.out, w.length, 10)
		c.out = append(c.out, "\r\n"...)
	case w.bodiless, w.x.req.Method == http.MethodHead:
	case w.x.minor > 0:
		w.chunked = true
		c.out = append(c.out, "Transfer-Encoding: chunked\r\n"...)
	default:
		w.keeps = false // the connection's end is the content's
	}
	switch {
	case !w.keeps:
		c.out = append(c.out, "Connection: close\r\n"...)
	case w.x.minor == 0:
		c.out = append(c.out, "Connection: keep-alive\r\n"...)
	}
	c.out = append(c.out, "\r\n"...)
}

// sniff tells a Content-Type as net/http does, where a handler has not: a browser would guess with less care.
func (w *response) sniff(next string) {
	if w.bodiless || w.typed || len(w.hold)+len(next) == 0 {
		return
	}
	first := append(w.hold[:len(w.hold):len(w.hold)], next...)
	c := w.x.conn
	c.out = append(c.out, "Content-Type: "...)
	c.out = append(c.out, http.DetectContentType(first)...)
	c.out = append(c.out, "\r\n"...)
}

func closes(connection []string) bool {
	for _, v := range connection {
		if lists(v, "close") {
			return true
		}
	}
	return false
}

// Flush sends what was written so far.
func (w *response) Flush() { w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *response) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.over.Load():
		return errOver
	case w.hijacked:
		return http.ErrHijacked
	case w.status == 0:
		w.setStatus(http.StatusOK)
	}
	if !w.begun {
		w.begin(-1, "")
	}
	if w.err == nil {
		w.err = w.flush()
	}
	return w.err
}

// finish is called when the handler has returned. An error means that the response is not whole.
func (w *response) finish() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.giveRoom()
	defer w.over.Store(true)
	if w.status == 0 {
		w.setStatus(http.StatusOK)
	}
	if !w.begun {
		w.begin(int64(len(w.hold)), "")
	}
	c := w.x.conn
	switch {
	case w.err != nil:
		return w.err
	case w.chunked:
		c.out = append(c.out, "0\r\n"...)
		c.out = appendTrailers(c.out, w.header)
		c.out = append(c.out, "\r\n"...)
	case w.written < w.length && !w.bodiless && w.x.req.Method != http.MethodHead:
		w.flush()
		return errTooShort
	}
	w.err = w.flush()
	return w.err
}

// stays reports whether another request may follow on the connection.
func (w *response) stays() bool { return w.keeps && w.x.body.done() }

// SetReadDeadline is for http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error {
	if w.over.Load() {
		return errOver
	}
	w.x.body.manual.Store(true)
	return w.x.conn.conn.SetReadDeadline(t)
}

// SetWriteDeadline is for http.ResponseController.
func (w *response) SetWriteDeadline(t time.Time) error {
	if w.over.Load() {
		return errOver
	}
	w.manual.Store(true)
	return w.x.conn.conn.SetWriteDeadline(t)
}

// EnableFullDuplex is for http.ResponseController: the request's content may be read while the response goes out.
func (w *response) EnableFullDuplex() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.duplex = true
	return nil
}

// Hijack gives the connection to the caller, with what has come on it.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over.Load() || w.hijacked || w.status != 0 || w.err != nil {
		return nil, nil, http.ErrHijacked
	}
	w.x.ctx.unwatch()
	w.hijacked = true
	c := w.x.conn
	c.in.unpend()
	left := bytes.Clone(c.in.buffered())
	c.in.drop()
	r := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(left), c.conn), max(len(left), 512))
	r.Peek(len(left))
	c.conn.SetDeadline(time.Time{})
	return c.conn, bufio.NewReadWriter(r, bufio.NewWriter(c.conn)), nil
}
