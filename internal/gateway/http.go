package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// serveHTTP1 serves a connection that speaks HTTP/1.1.
func (l *listener) serveHTTP1(ctx context.Context, tc *tlsnet.Conn) {
	l.front.Load().ServeConn(ctx, tc)
}

// request is one request on its way through the gateway.
type request struct {
	g     *Gateway
	l     *listener
	c     *conn
	s     *settled // nil: there is no TLS
	host  string   // that it is for
	door  *door
	route *route // nil: none fits
	began time.Time
	deny  *Denial
}

// serveRequest answers one request that came over TLS.
func (l *listener) serveRequest(w http.ResponseWriter, r *http.Request) {
	q := &request{g: l.g, l: l, began: l.g.o.Now()}
	if tc, ok := tlsnet.ConnFromContext(r.Context()); ok {
		q.c = connOf(tc)
		q.s = q.c.settle(tc)
	} else if q.c, ok = r.Context().Value(plainKey{}).(*conn); !ok {
		http.Error(w, "no connection", http.StatusInternalServerError)
		return
	}
	out := outcomeOf(w, r, l.g.o.stall)
	defer func() { l.g.answered(q, r, out) }() // of panics, too: net/http offers nothing else to break a response off
	h := q.handler
	if q.s == nil {
		h = q.plainHandler
	}
	if h := h(out, r); h != nil {
		h.ServeHTTP(out, r)
	}
	if o, ok := out.(*outcome); ok {
		o.begin(http.StatusOK) // of a handler that has written nothing
	}
}

// plainHandler is where requests go that come without TLS, in client mode.
func (q *request) plainHandler(w writer, r *http.Request) http.Handler {
	if q.door = q.g.state.Load().plainDoor(q.l.name); q.door == nil {
		http.Error(w, "not found", http.StatusNotFound)
		return nil
	}
	q.host, _ = hostOf(r.Host)
	t := q.findRoute(w, r)
	if t == nil {
		return nil
	}
	return t.handler
}

// handler decides about a request; nil: it was refused, and answered.
func (q *request) handler(w writer, r *http.Request) http.Handler {
	st := q.g.state.Load()
	if !hasOwnForm(r) {
		q.host, _ = hostOf(r.Host)
		q.deny = q.denial(reasonMalformed, "what is asked for is no path of this server")
		q.refuse(w, r, http.StatusBadRequest)
		return nil
	}
	if !q.findDoor(st, r) {
		q.refuse(w, r, http.StatusMisdirectedRequest)
		return nil
	}
	s := q.door.site
	s.headers.apply(w, q.host)
	if !q.stillTrusted(r.Context()) {
		q.refuse(w, r, q.deny.Status)
		return nil
	}
	if why := q.c.revoked.Load(); why != nil {
		q.deny = q.g.denyRevoked(q, *why)
		q.refuse(w, r, http.StatusForbidden)
		return nil
	}
	t := q.findRoute(w, r)
	if t == nil {
		return nil
	}
	if d := q.decide(); !d.Allowed {
		q.deny = q.denial("", "")
		q.deny.decided(d)
		q.refuse(w, r, http.StatusForbidden)
		return nil
	}
	if r.ProtoMajor != 1 && !q.bound(w, r) { // relay bounds its own
		return nil
	}
	return t.handler
}

// bound keeps the content of a request within the limits of the listener.
func (q *request) bound(w http.ResponseWriter, r *http.Request) bool {
	limits := &q.l.settings.Load().limits
	if n := limits.BodyBytes; n > 0 && r.ContentLength != 0 {
		if r.ContentLength > n {
			http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
			return false
		}
		r.Body = http.MaxBytesReader(w, r.Body, n)
	}
	if d := limits.BodyTime; d > 0 && r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(d))
	}
	return true
}

// hasOwnForm reports whether a request asks for a path here, and not, as of a proxy, for a URL or a connection elsewhere.
//
// RFC 9113, Section 8.3.1: the :path of HTTP/2 starts with "/", but for OPTIONS, where it may be "*".
func hasOwnForm(r *http.Request) bool {
	if r.Method == http.MethodConnect {
		return false
	}
	if r.ProtoMajor == 2 && r.URL.Host != "" {
		return false
	}
	return strings.HasPrefix(r.URL.Path, "/") || r.Method == http.MethodOptions && r.RequestURI == "*"
}

// findRoute finds the route of a request and gives its target; nil: it was answered.
func (q *request) findRoute(w http.ResponseWriter, r *http.Request) *target {
	s := q.door.site
	route, status := s.routeOf(r.Method, r.URL.Path)
	switch {
	case status == http.StatusMethodNotAllowed:
		w.Header().Set("Allow", s.methodsOf(r.URL.Path))
		http.Error(w, "this method is not for this path", status)
		return nil
	case status != 0:
		q.deny = q.denial(reasonAmbiguousPath, "the path can be read in two ways, for which there are different rules")
		q.refuse(w, r, status)
		return nil
	}
	t := s.target
	if q.route = route; route != nil {
		t = route.target
	}
	if t.below && climbs(r.URL.Path) {
		q.deny = q.denial(reasonAmbiguousPath, "the path leads upwards, and could leave the folder of the target that requests go to")
		q.refuse(w, r, http.StatusBadRequest)
		return nil
	}
	return t
}

// decide asks the rules of the site, and then those of the route.
func (q *request) decide() access.Decision {
	d := access.Decision{Allowed: true, Reason: access.Allowed}
	if own := q.door.site.own; own != nil {
		if d = q.s.decide(&q.s.bySite, own); !d.Allowed {
			return d
		}
	}
	if q.route != nil && q.route.policy != nil {
		d = q.s.decide(&q.s.byRoute, q.route.policy)
	}
	return d
}

// findDoor finds the site that a request is for, by its Host: one that this listener leads to, and that lets in the same
// clients as the one that the connection was made for. Everything else is misdirected (RFC 9110, Section 15.5.20): the
// client asks again on a connection of its own, in whose handshake the right questions are put.
func (q *request) findDoor(st *state, r *http.Request) bool {
	reach := st.reach[q.l.name]
	host, ok := hostOf(r.Host)
	q.host = host
	if reach == nil || q.s.door == nil || !ok {
		q.deny = q.denial(reasonMisdirected, "the request names no host that is served here")
		return false
	}
	if q.door = reach.find(host); q.door == nil {
		q.deny = q.denial(reasonMisdirected, "no site has the name "+pki.Printable(host))
		return false
	}
	mine := q.s.door
	if q.door == mine {
		return true
	}
	home := st.doorOf(q.l.name, mine.site.name) // the connection's site, as it is now
	if home == nil || home != q.door && home.site.clients.Load().key != q.door.site.clients.Load().key {
		q.deny = q.denial(reasonMisdirected, fmt.Sprintf("the connection was made for the site %s, and %s lets in other clients", mine.site.name, q.door.site.name))
		return false
	}
	return true
}

// stillTrusted judges the client of a connection anew, where the site lets in other clients than when it was made: after a
// reload, or with other CAs on disk.
func (q *request) stillTrusted(ctx context.Context) bool {
	cl := q.door.site.clients.Load()
	if q.s.key == cl.key {
		return true
	}
	if known := q.s.trusted.Load(); known != nil && *known == cl.key {
		return true
	}
	if cl.auth == tlscore.NoClientCert || cl.auth == tlscore.RequestClientCert && !q.s.subject.Present {
		q.s.trusted.Store(&cl.key)
		return true
	}
	if !q.s.subject.Present {
		q.deny = q.denial(reasonMisdirected, "the site asks for a certificate now, which this connection was not asked for")
		q.deny.Status = http.StatusMisdirectedRequest
		return false
	}
	if err := q.g.verifyAgain(ctx, cl, q.s.tls.Peer()); err != nil {
		q.deny = q.denial("", "")
		q.deny.explain(err)
		q.deny.Status = http.StatusForbidden
		return false
	}
	q.s.trusted.Store(&cl.key)
	return true
}

// verifyAgain judges a client's chain by CAs that have changed since its handshake.
func (g *Gateway) verifyAgain(ctx context.Context, cl *clients, p tlsnet.Peer) error {
	v, err := pki.Verify(p.Raw[0], pki.VerifyOptions{Roots: cl.roots, Intermediates: p.Raw[1:], Time: g.o.Now(), Usage: pki.UsageClient})
	if err != nil {
		return err
	}
	if cl.revocation == nil {
		return nil
	}
	if err := cl.revocation.Check(ctx, v.Certificates); err != nil {
		return &revokedError{err}
	}
	return nil
}

// doorOf is the door of a site behind a listener; nil: there is none.
func (st *state) doorOf(listener, site string) *door {
	if r := st.reach[listener]; r != nil {
		for _, d := range r.doors {
			if d.site.name == site {
				return d
			}
		}
	}
	return nil
}

// clientOf says who makes a request, for the headers that tell an upstream.
func (g *Gateway) clientOf(r *http.Request) relay.Client {
	if tc, ok := tlsnet.ConnFromContext(r.Context()); ok {
		c := connOf(tc)
		return relay.Client{Addr: c.remote, Chain: c.settle(tc).chain(), Early: len(r.Header["Early-Data"]) > 0}
	}
	if c, ok := r.Context().Value(plainKey{}).(*conn); ok {
		return relay.Client{Addr: c.remote, Proto: "http"}
	}
	return relay.Client{}
}

type plainKey struct{}

// upstreamFailed tells of a request that an upstream did not answer.
func (g *Gateway) upstreamFailed(site string) func(*http.Request, error) {
	return func(r *http.Request, err error) {
		if errors.Is(err, context.Canceled) {
			return // the client went away first
		}
		g.metrics.upstreamErrors.WithLabelValues(site).Inc()
		g.tell(slog.LevelWarn, Event{Kind: "upstream", Site: site, Address: r.RemoteAddr, Method: clip(pki.Printable(r.Method), 32), Path: clip(pki.Printable(r.URL.Path), 512),
			Text: pki.Printable(err.Error()), Err: err})
	}
}

// requestRefused tells of a request that was no HTTP, or not the kind that has one meaning.
func (l *listener) requestRefused(nc net.Conn, err error) {
	var e *relay.Error
	if !errors.As(err, &e) {
		return
	}
	l.g.metrics.malformed.WithLabelValues(l.name, string(e.Reason)).Inc()
	c, ok := nc.(*conn)
	var s *settled
	if tc, isTLS := nc.(*tlsnet.Conn); isTLS {
		c = connOf(tc)
		s = c.settle(tc)
	} else if !ok {
		return
	}
	q := &request{g: l.g, l: l, c: c, s: s}
	if s != nil {
		q.door = s.door
	}
	d := q.denial(reasonMalformed, "the request was not understood: "+e.Text)
	d.Status = e.Status
	l.g.deny(d)
}

// servePlain answers a connection in client mode: plain in, TLS out.
func (l *listener) servePlain(ctx context.Context, c *conn) {
	d := l.g.state.Load().plainDoor(l.name)
	if d == nil {
		_ = c.Close()
		return
	}
	if d.site.layer == httpLayer {
		l.front.Load().ServeConn(context.WithValue(ctx, plainKey{}, c), c)
		return
	}
	l.join(ctx, c, c, d, nil)
}

// plainDoor is the one door of a plain listener.
func (st *state) plainDoor(listener string) *door {
	r := st.reach[listener]
	if r == nil || len(r.doors) != 1 || r.listener.Protocol != config.ProtocolPlain {
		return nil
	}
	return r.doors[0]
}
