package tlsnet

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// readyTimeout is how long a connection that turned out to speak HTTP/1.1 waits for the request that it was made for.
const readyTimeout = 5 * time.Second

// httpHost is what a Transport knows of one host and port.
type httpHost struct {
	transport *Transport
	addr      string

	mu      sync.Mutex
	http1   bool // it chose HTTP/1.1 the last time it had the choice
	conns   []*http2Conn
	ready   []readyConn // HTTP/1.1, connected and not used yet
	dialing *dialCall   // nil: nobody is
}

// readyConn closes by its timer unless it is taken before.
type readyConn struct {
	conn  *Conn
	timer *time.Timer
}

// dialCall is one attempt to connect, whose outcome all requests that wait for it share.
type dialCall struct {
	done chan struct{}
	conn *Conn // nil: err says why
	err  error
}

// refusal is the alert by which the peer has ended the connection since; nil: none. Dialing again would end the same way.
func (d *dialCall) refusal() error {
	if d.err != nil {
		return d.err
	}
	return d.conn.orAlert(nil)
}

// acquire returns an HTTP/2 connection with a stream reserved, or nil if the host speaks HTTP/1.1.
func (h *httpHost) acquire(ctx context.Context) (*http2Conn, error) {
	for {
		h.mu.Lock()
		if c := h.reserveLocked(); c != nil || h.http1 {
			h.mu.Unlock()
			return c, nil
		}
		call := h.dialing
		if call == nil {
			call = &dialCall{done: make(chan struct{})}
			h.dialing = call
			go h.dial(ctx, call)
		}
		h.mu.Unlock()
		select {
		case <-call.done:
			if err := call.refusal(); err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// reserveLocked takes a stream of a pooled connection, and drops connections that have ended.
func (h *httpHost) reserveLocked() *http2Conn {
	h.conns = slices.DeleteFunc(h.conns, func(c *http2Conn) bool { return c.client.Err() != nil })
	for _, c := range h.conns {
		if c.client.Reserve() == nil {
			return c
		}
	}
	return nil
}

// drop removes a connection that has ended from the pool.
func (h *httpHost) drop(c *http2Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns = slices.DeleteFunc(h.conns, func(other *http2Conn) bool { return other == c })
}

// dial connects once and pools the connection. It is not bound to the request that caused it, because others wait too.
func (h *httpHost) dial(ctx context.Context, call *dialCall) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.transport.dialTimeout())
	defer cancel()
	c, err := h.transport.dialer.Dial(ctx, "tcp", h.addr)
	var h2 *http2Conn
	if err == nil && c.Facts().ALPN == ProtocolHTTP2 {
		h2, err = newHTTP2Conn(ctx, h, c, c)
		err = whyFailed(ctx, c, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dialing = nil
	call.conn = c
	switch {
	case err != nil:
		call.err = err
	case h2 != nil:
		h.http1 = false
		h.conns = append(h.conns, h2)
	default:
		h.http1 = true
		timer := time.AfterFunc(readyTimeout, func() { h.closeReady(c) })
		h.ready = append(h.ready, readyConn{c, timer})
	}
	close(call.done)
}

// takeReady returns a connection that nobody has used yet, or nil.
func (h *httpHost) takeReady() *Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ready) == 0 {
		return nil
	}
	first := h.ready[0]
	h.ready = slices.Delete(h.ready, 0, 1)
	first.timer.Stop()
	return first.conn
}

// closeReady closes a connection that nobody took in time.
func (h *httpHost) closeReady(c *Conn) {
	h.mu.Lock()
	n := len(h.ready)
	h.ready = slices.DeleteFunc(h.ready, func(r readyConn) bool { return r.conn == c })
	mine := len(h.ready) < n
	h.mu.Unlock()
	if mine {
		c.Close()
	}
}

// remember notes that the host speaks HTTP/1.1.
func (h *httpHost) remember() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.http1 = true
}

// forget makes the next request ask again which protocol the host speaks.
func (h *httpHost) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.http1 = false
}

// closeIdle closes what carries no request.
func (h *httpHost) closeIdle() {
	h.mu.Lock()
	conns, ready := h.conns, h.ready
	h.conns, h.ready = nil, nil
	h.mu.Unlock()
	for _, r := range ready {
		r.timer.Stop()
		r.conn.Close()
	}
	for _, c := range conns {
		c.retire()
	}
}

// replayable returns a copy of req that can be sent again, or nil.
func replayable(req *http.Request) *http.Request {
	if req.Body == nil || req.Body == http.NoBody {
		return req
	}
	if req.GetBody == nil {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil
	}
	again := *req
	again.Body = body
	return &again
}
