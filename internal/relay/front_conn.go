package relay

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

// frontConn is one connection of a client.
type frontConn struct {
	front  *Front
	conn   net.Conn
	ctx    context.Context // of requests: values alone
	remote string
	in     input
	head   head

	writing alarm  // guarded by the response's lock while there is one
	out     []byte // what was written and has not left; nil: nothing is held

	until context.Context // its end lets no further request be taken
	mu    sync.Mutex
	idle  bool // no request is under way

	hijacked bool
	cut      bool // the end must not look like one in order
}

const (
	// briefTime is how long a connection keeps its buffer for the next request: one that has not come by then may take long.
	briefTime = 2 * time.Second
	// lingerTime and lingerBytes bound what is read from a client that was answered before it had sent all of its request:
	// it could not read the answer if we closed right away.
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// errStopped ends a connection between requests.
var errStopped = errors.New("relay: the server is shutting down")

// serve takes requests, one after the other.
func (c *frontConn) serve() {
	defer c.close()
	for {
		if err := c.await(); err != nil {
			return
		}
		x, err := c.nextRequest()
		if err != nil {
			c.refuse(err)
			return
		}
		if x == nil || !x.serve() {
			return
		}
		c.setIdle(true)
	}
}

// forgetDeadlines sees to it that deadlines of the handler's do not outlive its request.
func (x *exchange) forgetDeadlines() {
	if x.body.manual.Load() {
		x.conn.in.alarm.forget()
	}
	if x.resp.manual.Load() {
		x.conn.writing.forget()
	}
}

// stop wakes a connection that waits for a request, when until has ended: it may run long after that.
func (c *frontConn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle {
		c.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// setIdle says whether a request is under way, and reports whether the connection goes on.
func (c *frontConn) setIdle(idle bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = idle
	return c.until.Err() == nil
}

// goesOn reports whether a further request may be taken.
func (c *frontConn) goesOn() bool {
	return c.until.Err() == nil
}

// await waits for the first bytes of a request: for a moment with a buffer, then without.
func (c *frontConn) await() error {
	if len(c.in.buffered()) > 0 || c.in.has {
		if !c.setIdle(false) {
			return errStopped
		}
		return nil
	}
	c.in.alarm.within(briefTime) // before setIdle: stop sets the same deadline
	if !c.setIdle(true) {
		return errStopped
	}
	err := c.in.fill(1)
	if err != nil && isTimeout(err) {
		c.in.drop()
		c.in.alarm.within(c.front.limits.Idle)
		if !c.goesOn() {
			return errStopped
		}
		err = c.in.wake()
	}
	c.setIdle(false)
	if err != nil {
		c.in.release()
	}
	return err
}

// nextRequest reads and parses a head. Neither a request nor an error: the client has gone.
func (c *frontConn) nextRequest() (*exchange, error) {
	limits := &c.front.limits
	for first := true; ; first = false {
		n, err := c.in.readHead(limits.HeaderBytes, limits.HeaderTime)
		switch {
		case err == nil && n == 2 && first:
			// RFC 9112, Section 2.2: a server SHOULD ignore at least one empty line before the request line.
			c.in.take(n)
			continue
		case err == nil:
			x, err := c.parse(c.in.buffered()[:n])
			if err != nil {
				return nil, err
			}
			c.in.take(n)
			return x, nil
		case isTimeout(err):
			return nil, &Error{Status: http.StatusRequestTimeout, Reason: ReasonTimeout, Text: "the header did not come in time", Err: err}
		}
		var e *Error
		if errors.As(err, &e) {
			return nil, e
		}
		if len(c.in.buffered()) == 0 && !c.in.has {
			return nil, nil
		}
		return nil, &Error{Reason: ReasonCutOff, Text: "the connection ended inside a header", Err: err}
	}
}

// refuse answers a request that was not understood. Nothing that follows on the connection can be understood either.
func (c *frontConn) refuse(err error) {
	if c.front.Refused != nil {
		c.front.Refused(c.conn, err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Status == 0 {
		return
	}
	text := e.Text + "\n"
	out := c.front.pool.get(smallBuffer)[:0]
	defer func() { c.front.pool.put(out) }()
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(e.Status), 10)
	out = append(out, ' ')
	out = append(out, http.StatusText(e.Status)...)
	out = append(out, "\r\n"...)
	out = append(out, c.front.dateField()...)
	out = append(out, "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(text)), 10)
	out = append(out, "\r\n\r\n"...)
	out = append(out, text...)
	c.writing.within(c.front.limits.Stall)
	if _, err := c.conn.Write(out); err == nil {
		c.linger()
	}
}

// linger lets a client read its answer that has more to say than was read: if the connection were closed with bytes
// unread, the client's kernel could throw the answer away.
func (c *frontConn) linger() {
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.in.drop()
	c.in.alarm.until(time.Now().Add(lingerTime))
	b := c.front.pool.get(smallBuffer)
	defer c.front.pool.put(b)
	for left := lingerBytes; left > 0; {
		n, err := readOnce(c.conn, b)
		if err != nil {
			return
		}
		left -= n
	}
}

// close ends the connection, unless somebody has taken it over.
func (c *frontConn) close() {
	if c.out != nil {
		c.front.pool.put(c.out)
		c.out = nil
	}
	if c.hijacked {
		return
	}
	c.in.drop()
	if c.cut {
		abort(c.conn)
		return
	}
	c.conn.Close()
}

// abort closes a connection so that its end does not look like one in order.
func abort(c net.Conn) {
	if c, ok := c.(interface{ Abort() error }); ok {
		c.Abort()
		return
	}
	if c, ok := c.(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0) // a reset
	}
	c.Close()
}

// call runs the handler, and reports whether it returned.
func (x *exchange) call() (returned bool) {
	defer func() {
		if returned {
			return
		}
		if p := recover(); p != nil && p != any(http.ErrAbortHandler) {
			x.conn.front.logf("relay: a handler panicked serving %s: %v\n%s", x.conn.remote, p, debug.Stack())
		}
	}()
	x.conn.front.handler.ServeHTTP(&x.resp, x.req)
	return true
}

// serve answers the request, and reports whether another one can follow.
func (x *exchange) serve() bool {
	c := x.conn
	returned := x.call()
	if !x.body.settled() {
		x.body.Close() // before anything waits for a reader that the handler has left behind
	}
	x.ctx.end()
	defer x.forgetDeadlines()
	if x.resp.isHijacked() {
		c.hijacked = true
		return false
	}
	if !returned {
		x.resp.over.Store(true)
		c.cut = true
		return false
	}
	err := x.resp.finish()
	x.body.Close()
	switch {
	case err != nil:
		c.cut = true
		return false
	case x.resp.stays():
		return true
	case !x.body.done() || len(c.in.buffered()) > 0:
		c.linger()
	}
	return false
}
