package tlsnet

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// earlyConn is what net/http writes a first request to that may go as early data. Everything is kept until the request is
// whole, then goes along with the ClientHello; if the server does not take it, it goes again when the handshake is done,
// unless another protocol was agreed on.
//
// Nothing is ever sent early for a request that has not asked for it: until one calls allow, the first thing that happens
// to the connection begins an ordinary handshake.
type earlyConn struct {
	net.Conn // tls, without the methods that would go past Write
	tls      *Conn
	addr     string
	limit    int // bytes
	alpn     string
	timeout  func() (context.Context, context.CancelFunc)

	mu       sync.Mutex
	allowed  bool
	ending   bool // the next Write is the last of the request
	held     []byte
	launched chan struct{} // closed when nothing more is kept
	gone     bool          // launched is closed

	once    sync.Once
	settled chan struct{} // closed when the handshake is over
	err     error         // of it
}

// allow lets the request that comes next go early, unless the handshake has begun.
func (e *earlyConn) allow() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.allowed = true
}

// end says that the next Write is the last of the request: HTTP/1.1 reports a request as written before it is flushed.
func (e *earlyConn) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ending = true
}

// launch begins the handshake, with what was kept.
func (e *earlyConn) launch() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.launchLocked()
}

func (e *earlyConn) launchLocked() {
	if !e.gone {
		e.gone = true
		close(e.launched)
	}
}

// abandon closes a connection whose request was given up before it was whole.
func (e *earlyConn) abandon() {
	e.mu.Lock()
	gone := e.gone
	e.mu.Unlock()
	if !gone {
		e.Close()
	}
}

// settle waits for the launch, makes the handshake, and sends again what was lost.
func (e *earlyConn) settle() error {
	<-e.launched
	e.once.Do(func() {
		defer close(e.settled)
		ctx, cancel := e.timeout()
		defer cancel()
		if len(e.held) > 0 {
			e.tls.WriteEarly(e.held) // before the handshake: no error
		}
		if e.err = e.tls.handshakeOf(ctx, e.addr); e.err != nil {
			return
		}
		e.err = e.sendAgain()
	})
	return e.err
}

// sendAgain sends what the server has not taken, if the same protocol was agreed on (RFC 8446, Section 4.2.10).
func (e *earlyConn) sendAgain() error {
	f := e.tls.Facts()
	if f.ALPN != e.alpn {
		return ErrEarlyDataRejected
	}
	if len(e.held) == 0 || f.EarlyData == tlscore.EarlyDataAccepted {
		return nil
	}
	e.tls.ForgetEarly()
	_, err := e.tls.Write(e.held)
	return err
}

// Read waits for the handshake.
func (e *earlyConn) Read(p []byte) (int, error) {
	if err := e.settle(); err != nil {
		return 0, err
	}
	return e.tls.Read(p)
}

// Write keeps p while it may go early, and else waits for the handshake.
func (e *earlyConn) Write(p []byte) (int, error) {
	e.mu.Lock()
	if !e.gone && e.allowed && len(e.held)+len(p) <= e.limit {
		e.held = append(e.held, p...)
		if e.ending {
			e.launchLocked()
		}
		e.mu.Unlock()
		return len(p), nil
	}
	e.launchLocked()
	e.mu.Unlock()
	if err := e.settle(); err != nil {
		return 0, err
	}
	return e.tls.Write(p)
}

// Close drops what was kept.
func (e *earlyConn) Close() error {
	e.mu.Lock()
	if !e.gone {
		e.held, e.allowed = nil, false
	}
	e.mu.Unlock()
	err := e.tls.Close() // first, so that no handshake begins
	e.launch()
	return err
}

// keyFor returns the key of the sessions with the server at addr.
func (d *Dialer) keyFor(addr string) string {
	name := d.set.serverName
	if name == "" {
		name, _, _ = net.SplitHostPort(addr) // Dial refuses what has no port
	}
	return d.set.sessionKey(name, addr)
}

// earlySession takes a session that allows early data for a protocol; nil alpn: for any. Nil: there is none.
func (d *Dialer) earlySession(addr string, alpn *string) *tlscore.Session {
	if d.set.sessions == nil || d.set.noTickets {
		return nil
	}
	key := d.keyFor(addr)
	s := d.set.sessions.Take(key)
	if s == nil {
		return nil
	}
	if s.MaxEarlyData == 0 || s.Version != wire.VersionTLS13 || !resumable(s, d.set.now()) || alpn != nil && *alpn != s.ALPN {
		d.set.sessions.Put(key, s) // of use all the same, or dropped where it is offered
		return nil
	}
	return s
}

// earlyProtocol looks which protocol the next early data would be for. ok is false if there can be none.
func (d *Dialer) earlyProtocol(addr string) (alpn string, ok bool) {
	s := d.earlySession(addr, nil)
	if s == nil {
		return "", false
	}
	d.set.sessions.Put(d.keyFor(addr), s)
	return s.ALPN, true
}

// connectEarly connects for a request that may go early. Nil without an error: there is no session for that.
func (t *Transport) connectEarly(ctx context.Context, d *Dialer, addr, alpn string) (*earlyConn, error) {
	s := d.earlySession(addr, &alpn)
	if s == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.dialTimeout())
	defer cancel()
	c, err := d.connect(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c.early = &early{session: s, alpn: &alpn}
	return &earlyConn{
		Conn: c, tls: c, addr: addr, limit: int(min(s.MaxEarlyData, 1<<20)), alpn: alpn,
		timeout: func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), t.dialTimeout())
		},
		launched: make(chan struct{}), settled: make(chan struct{}),
	}, nil
}

// earlyWish is in the context of a request that would go early if HTTP/1.1 made a connection for it.
type earlyWish struct {
	dialer *Dialer
	alpn   string
}

type earlyWishKey struct{}

// roundTripEarly sends a request that does no harm twice as early data, if a connection has to be made for it and an
// earlier one left a session that allows it. Nil means that it must be sent in the ordinary way: nothing has come of it,
// or the server said 425 Too Early (RFC 8470, Section 5.2: the client retries once the handshake is done).
func (t *Transport) roundTripEarly(req *http.Request, h *httpHost) *http.Response {
	h.mu.Lock()
	busy, http1 := h.dialing != nil || len(h.conns) > 0, h.http1
	h.mu.Unlock()
	if busy {
		return nil
	}
	d := t.dialer
	if http1 {
		d = t.h1Only
	}
	alpn, ok := d.earlyProtocol(h.addr)
	if !ok {
		return nil
	}
	var resp *http.Response
	var err error
	if alpn == ProtocolHTTP2 {
		resp, err = h.earlyHTTP2(req)
	} else {
		ctx := context.WithValue(req.Context(), earlyWishKey{}, earlyWish{d, alpn})
		resp, err = t.roundTripTraced(req, ctx, true)
	}
	if err != nil || resp == nil {
		return nil
	}
	if alpn != ProtocolHTTP2 {
		h.remember()
	}
	if i, ok := InfoFromResponse(resp); ok && resp.StatusCode == http.StatusTooEarly && i.Facts.EarlyData == tlscore.EarlyDataAccepted {
		resp.Body.Close()
		return nil
	}
	return resp
}

// earlyHTTP2 connects and sends a request early by HTTP/2. No other request uses the connection until its handshake is
// done; then it is pooled.
func (h *httpHost) earlyHTTP2(req *http.Request) (*http.Response, error) {
	h.mu.Lock()
	if h.dialing != nil {
		h.mu.Unlock()
		return nil, nil
	}
	call := &dialCall{done: make(chan struct{})}
	h.dialing = call
	h.mu.Unlock()
	e, err := h.transport.connectEarly(req.Context(), h.transport.dialer, h.addr, ProtocolHTTP2)
	if err != nil || e == nil {
		h.earlyOver(call, nil)
		return nil, err
	}
	e.allow()
	c, err := newHTTP2Conn(req.Context(), h, e.tls, e)
	if err != nil {
		h.earlyOver(call, nil)
		return nil, err
	}
	go func() {
		<-e.settled
		if e.err != nil {
			c.client.Close()
			c = nil
		}
		h.earlyOver(call, c)
	}()
	defer e.abandon()
	if err := c.client.Reserve(); err != nil {
		return nil, err
	}
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { e.launch() }}
	resp, err := c.client.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		return nil, err
	}
	attachConn(resp, req, e.tls)
	return resp, nil
}

// earlyOver ends an attempt to connect that began early. Those who wait make one of their own if nothing came of it.
func (h *httpHost) earlyOver(call *dialCall, c *http2Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dialing = nil
	if c != nil {
		h.http1 = false
		h.conns = append(h.conns, c)
	}
	close(call.done)
}
