package tlsnet

import (
	"context"
	"errors"
	"net"
	"net/http"
)

// maxHTTP2Attempts is how often a request is sent again after a connection ended before it was served.
const maxHTTP2Attempts = 3

// http2Conn is one HTTP/2 connection of a Transport, in the pool of its host until it ends.
type http2Conn struct {
	conn   *Conn
	client *http.ClientConn
}

type dialedKey struct{}

// newHTTP2Transport returns the transport that speaks HTTP/2 over connections made before. What net/http calls
// "unencrypted" is HTTP/2 without its own TLS; since its requests keep their https URL, :scheme says https
// (RFC 9113, Section 8.3.1).
func newHTTP2Transport(t *Transport) *http.Transport {
	h2 := t.newTransport()
	h2.Protocols.SetUnencryptedHTTP2(true)
	h2.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if c, ok := ctx.Value(dialedKey{}).(net.Conn); ok {
			return c, nil
		}
		return nil, errors.New("tlsnet: HTTP/2 only over connections made before")
	}
	return h2
}

// newHTTP2Conn starts HTTP/2 on c for a host, written to nc: c itself, or what stands before it. On error nc is closed.
func newHTTP2Conn(ctx context.Context, h *httpHost, c *Conn, nc net.Conn) (*http2Conn, error) {
	client, err := h.transport.h2.NewClientConn(context.WithValue(ctx, dialedKey{}, nc), "http", h.addr)
	if err != nil {
		nc.Close()
		return nil, err
	}
	hc := &http2Conn{conn: c, client: client}
	client.SetStateHook(func(client *http.ClientConn) {
		if client.Err() != nil {
			go h.drop(hc) // not here: the pool may be locked, since Reserve calls this, too
		}
	})
	return hc, nil
}

// roundTrip sends a request on the stream that was reserved.
func (c *http2Conn) roundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.client.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	attachConn(resp, req, c.conn)
	return resp, nil
}

// retire closes the connection as soon as it carries no request.
func (c *http2Conn) retire() {
	closeIdle := func(client *http.ClientConn) {
		if client.InFlight() == 0 {
			client.Close()
		}
	}
	c.client.SetStateHook(closeIdle)
	closeIdle(c.client)
}

// http2StreamError has the form of net/http's error for a stream that was reset, which lets errors.As fill it.
type http2StreamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e http2StreamError) Error() string { return "http2: stream reset" }

// refusedStream is REFUSED_STREAM (RFC 9113, Section 7).
const refusedStream = 0x7

// retryHTTP2 returns the request to send again after err, or nil.
//
// RFC 9113, Section 8.7: a request on a stream that was refused has not been processed, and can be retried
// automatically. RFC 9110, Section 9.2.2: a client SHOULD NOT automatically retry a request with a non-idempotent method.
func retryHTTP2(req *http.Request, c *http2Conn, err error) *http.Request {
	if req.Context().Err() != nil {
		return nil
	}
	var stream http2StreamError
	if errors.As(err, &stream) {
		if stream.Code != refusedStream {
			return nil
		}
		return replayable(req)
	}
	if c.conn.heard.Load() != nil {
		return nil // the peer ended it with an alert, and would say the same again
	}
	ended := c.client.Err() != nil || c.client.Available() == 0
	if !ended || !idempotent(req.Method) {
		return nil
	}
	return replayable(req)
}

func idempotent(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
