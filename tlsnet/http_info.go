package tlsnet

import (
	"context"
	"net/http"

	"github.com/tlswright/tlswright/tlscore"
)

// Info is what an HTTP handler, or the caller of a [Transport], may want to know about the connection beneath.
type Info struct {
	Facts tlscore.Facts
	Peer  Peer // verified identity of the other end; zero if it showed none
}

// Info returns the facts and the peer of the connection. During a handshake it waits for the end of it.
func (c *Conn) Info() Info { return Info{Facts: c.Facts(), Peer: c.Peer()} }

type connKey struct{}

func withConn(ctx context.Context, c *Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// InfoFromContext returns what is known of the connection that a request came over, given the request's context in a
// handler under [HTTPServer]. ok is false for any other context.
func InfoFromContext(ctx context.Context) (i Info, ok bool) {
	c, ok := ctx.Value(connKey{}).(*Conn)
	if !ok {
		return Info{}, false
	}
	return c.Info(), true
}

// ConnFromContext returns the connection that a request came over, given the request's context in a handler under
// [HTTPServer]. ok is false for any other context. The connection belongs to the server: handlers only ask it.
func ConnFromContext(ctx context.Context) (c *Conn, ok bool) {
	c, ok = ctx.Value(connKey{}).(*Conn)
	return c, ok
}

// InfoFromResponse returns what is known of the connection that a response of [Transport] came over. ok is false for
// other responses, and for those over plain HTTP. (Response.TLS is always nil: its type belongs to crypto/tls.)
func InfoFromResponse(r *http.Response) (i Info, ok bool) {
	if r == nil || r.Request == nil {
		return Info{}, false
	}
	return InfoFromContext(r.Request.Context())
}
