package tlsnet

import (
	"context"
	"net/http"
)

// headerEarlyData marks a request that may have been replayed (RFC 8470, Section 5.1).
const headerEarlyData = "Early-Data"

// beginHTTP makes the handshake, or as much of it as comes before the client's early data, which is then read like all
// else: earlyGate tells the requests apart.
func (c *Conn) beginHTTP(ctx context.Context) error {
	if c.set.maxEarly == 0 {
		return c.HandshakeContext(ctx)
	}
	if err := c.askEarly(true); err != nil {
		return err
	}
	return c.begin(ctx)
}

// earlyGate keeps requests that may have been replayed from handlers, except for those that do no harm twice.
//
// What counts is when a request is handled, not when its bytes came: once the client's Finished is here, nobody has
// replayed them (RFC 8470, Section 3).
func earlyGate(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(connKey{}).(*Conn)
		early := ok && c.inEarly()
		// RFC 8470, Section 5.1: multiple or invalid instances MUST be treated as one with the value 1.
		if _, marked := r.Header[headerEarlyData]; !marked && !early {
			h.ServeHTTP(w, r)
			return
		}
		r.Header.Set(headerEarlyData, "1")
		if !mayComeEarly(r) {
			w.WriteHeader(http.StatusTooEarly)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// mayComeEarly reports whether a request does no harm twice: a safe method (RFC 9110, Section 9.2.1), no body, and no
// change of protocol, after which there would be no requests to tell apart.
func mayComeEarly(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, "":
	default:
		return false
	}
	return r.ContentLength == 0 && len(r.TransferEncoding) == 0 && !upgrades(r)
}

// noBody reports whether a client's request certainly has no body.
func noBody(r *http.Request) bool { return r.Body == nil || r.Body == http.NoBody }
