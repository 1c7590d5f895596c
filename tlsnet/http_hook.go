package tlsnet

import (
	"context"
	"net/http"
	"sync"
)

// EarlyGate keeps requests that may have been replayed from h, as [HTTPServer] does for its own handler: those that come
// while the handshake is not done, and those that an intermediary marked, get 425 Too Early unless they do no harm twice
// (RFC 8470). It knows the connection from the request's context, see [Conn.Context]. A server of HTTP/1.1 in the place
// of net/http's, see [HTTPServer.HTTP1], puts it before its handlers.
func EarlyGate(h http.Handler) http.Handler { return earlyGate(h) }

// Context returns a context for the requests of this connection: [InfoFromContext] knows them by it, and [EarlyGate].
func (c *Conn) Context(parent context.Context) context.Context {
	if parent.Value(connKey{}) == c {
		return parent
	}
	return withConn(parent, c)
}

// hooked are the connections that HTTPServer.HTTP1 serves.
type hooked struct {
	mu     sync.Mutex
	conns  map[*Conn]struct{}
	closed bool
	empty  chan struct{} // closed when the last has ended; nil while nobody waits
}

// serve runs HTTPServer.HTTP1 in the background, on a stack of its own: that of the handshake has grown large.
func (k *hooked) serve(ctx context.Context, c *Conn, f func(context.Context, *Conn)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		c.Close()
		return
	}
	if k.conns == nil {
		k.conns = make(map[*Conn]struct{})
	}
	k.conns[c] = struct{}{}
	go func() {
		defer k.end(c)
		f(c.Context(ctx), c)
	}()
}

func (k *hooked) end(c *Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.conns, c)
	if len(k.conns) == 0 && k.empty != nil {
		close(k.empty)
		k.empty = nil
	}
}

// wait returns once all have ended, or with the error of ctx.
func (k *hooked) wait(ctx context.Context) error {
	k.mu.Lock()
	k.closed = true
	if len(k.conns) == 0 {
		k.mu.Unlock()
		return nil
	}
	if k.empty == nil {
		k.empty = make(chan struct{})
	}
	empty := k.empty
	k.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close closes all connections.
func (k *hooked) close() {
	k.mu.Lock()
	k.closed = true
	conns := make([]*Conn, 0, len(k.conns))
	for c := range k.conns {
		conns = append(conns, c)
	}
	k.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}
