package relay

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// Client is who asks, for the headers that tell an upstream.
type Client struct {
	Addr  netip.AddrPort      // of the client itself; zero: unknown
	Chain []*x509.Certificate // verified, leaf first, root last; nil: the client showed none
	Host  string              // that the client asked for; "": the request's
	Proto string              // "": https
	Early bool                // the request came as early data and may be a replay (RFC 8470)
}

// Defaults of [UpstreamOptions].
const (
	DefaultMaxIdle    = 64
	DefaultDialTime   = 10 * time.Second
	DefaultAnswerTime = time.Minute
	DefaultIdleTime   = 30 * time.Second
	DefaultTunnelIdle = time.Hour
)

// UpstreamOptions say how an upstream is reached. Of the numbers, 0 is the default and negative is none.
type UpstreamOptions struct {
	// TLS is how https upstreams are verified, and what we show them. Nil: the zero Config. Without a ServerName the URL's
	// host is verified. HTTP/1.1 is all that is offered.
	TLS *tlsnet.Config
	// Client says who asks; nil: nothing is told of the client but the host.
	Client func(*http.Request) Client
	// Failed is told of every request that the upstream did not answer, or not to the end. err is a *[Error].
	Failed func(r *http.Request, err error)
	// Unanswered may answer a request in the upstream's place, where nothing has been sent to the client yet. It reports
	// whether it did; nil, or false: a line of plain text with err.Status does.
	Unanswered func(w http.ResponseWriter, r *http.Request, err *Error) bool
	// Dial makes the connections beneath; nil: a net.Dialer does.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	Host     string   // what is asked for in the Host field; "": what the client asked for
	Upgrades []string // protocols that may be changed to, lower case; nil: websocket
	Strip    []string // fields of requests that are never passed on, in addition to those that say who the client is

	MaxIdle    int           // connections that are kept for later requests
	DialTime   time.Duration // for connecting, and the handshake
	AnswerTime time.Duration // from the sent request to the head of the response
	Stall      time.Duration // without a byte moving, while content goes or comes
	IdleTime   time.Duration // that a connection without a request is kept
	TunnelIdle time.Duration // that neither side may say anything once the protocol was changed
}

// Upstream is an http.Handler that hands requests on to one server. It may be used concurrently.
//
// Fields of the response's header that are set before ServeHTTP take the place of the upstream's; where such a field has
// no values, the upstream's is left out. Where an answer breaks off, the client's connection
// is broken off, too: by the ResponseWriter where it is a [Front]'s, and else by a panic with http.ErrAbortHandler.
type Upstream struct {
	o       UpstreamOptions
	network string
	addr    string
	host    string         // in the Host field of a client that named none
	base    string         // in front of every path; ends in no slash
	tls     *tlsnet.Dialer // nil: no TLS
	name    string         // that it verifies
	net     net.Dialer
	pool    buffers
	joiner  Joiner
	links   linkPool
}

// linkPool keeps connections without a request, the one that was used last on top.
type linkPool struct {
	mu     sync.Mutex
	idle   []*link
	closed bool
	timer  *time.Timer // drops the ones that have waited for too long; nil: none waits
}

// NewUpstream checks where u leads: http://host:port, https://host:port, unix:/path or unix+http:/path. A path of
// an http or https URL is put in front of every request's path. Nothing is connected yet.
func NewUpstream(u *url.URL, o UpstreamOptions) (*Upstream, error) {
	up := &Upstream{o: o.orDefaults(), network: "tcp", addr: u.Host, host: u.Host}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("relay: an upstream's URL has neither user, query nor fragment")
	}
	switch u.Scheme {
	case "http", "https":
		if !isHost(u.Host) {
			return nil, errors.New("relay: the upstream's URL has no host")
		}
		up.base = strings.TrimSuffix(u.EscapedPath(), "/")
		if up.base != "" && !all(up.base, inTarget) {
			return nil, errors.New("relay: the path of the upstream's URL cannot be asked for")
		}
		if u.Port() == "" {
			up.addr = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
		}
	case "unix", "unix+http":
		up.network, up.addr, up.host = "unix", u.Path, "localhost"
		if u.Path == "" {
			up.addr = u.Opaque
		}
		if up.addr == "" || u.Host != "" {
			return nil, errors.New("relay: the upstream's URL has no path of a socket")
		}
	default:
		return nil, fmt.Errorf("relay: an upstream is reached by http, https or unix, not %q", u.Scheme)
	}
	if u.Scheme == "https" {
		return up, up.prepareTLS(u.Hostname())
	}
	return up, nil
}

// prepareTLS checks the configuration of an https upstream.
func (u *Upstream) prepareTLS(name string) (err error) {
	config := tlsnet.Config{}
	if u.o.TLS != nil {
		config = *u.o.TLS
	}
	config.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
	u.name = name
	u.tls, err = tlsnet.NewDialer(&config)
	return err
}

// orDefaults returns the options with numbers that count: 0 is none.
func (o UpstreamOptions) orDefaults() UpstreamOptions {
	if o.MaxIdle == 0 {
		o.MaxIdle = DefaultMaxIdle
	}
	if o.Upgrades == nil {
		o.Upgrades = []string{"websocket"}
	}
	o.DialTime = orDefault(o.DialTime, DefaultDialTime)
	o.AnswerTime = orDefault(o.AnswerTime, DefaultAnswerTime)
	o.Stall = orDefault(o.Stall, DefaultStall)
	o.IdleTime = orDefault(o.IdleTime, DefaultIdleTime)
	o.TunnelIdle = orDefault(o.TunnelIdle, DefaultTunnelIdle)
	return o
}

// ServeHTTP hands a request on, and the response back.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &hop{up: u, w: w, r: r}
	x.front, _ = w.(*response)
	if err := x.run(); err != nil {
		x.fail(err)
	}
}

// Close closes the connections that carry no request, and keeps none any more. Requests under way are not disturbed.
func (u *Upstream) Close() error {
	p := &u.links
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	for _, l := range idle {
		l.conn.Close()
	}
	return nil
}

// take returns a kept connection that is still good, or nil.
func (u *Upstream) take() *link {
	p := &u.links
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return nil
		}
		l := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if l.quiet() {
			l.reused = true
			return l
		}
		l.conn.Close()
	}
}

// park keeps a connection for a later request.
func (u *Upstream) park(l *link) {
	p := &u.links
	l.release()
	if !p.keep(l, u) {
		l.conn.Close()
	}
}

// keep takes a connection, and reports whether there was room for it.
func (p *linkPool) keep(l *link, u *Upstream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= u.o.MaxIdle {
		return false
	}
	l.parked = time.Now()
	p.idle = append(p.idle, l)
	if p.timer == nil && u.o.IdleTime > 0 {
		p.timer = time.AfterFunc(u.o.IdleTime, u.sweep)
	}
	return true
}

// sweep closes the connections that have waited for too long.
func (u *Upstream) sweep() {
	for _, l := range u.links.stale(u) {
		l.conn.Close()
	}
}

// stale takes out the connections that have waited for too long. Whoever takes one out closes it once the lock is free:
// over TLS a farewell is sent, which may take its time.
func (p *linkPool) stale(u *Upstream) []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	now, n := time.Now(), 0
	for n < len(p.idle) && now.Sub(p.idle[n].parked) >= u.o.IdleTime {
		n++
	}
	out := slices.Clone(p.idle[:n])
	p.idle = slices.Delete(p.idle, 0, n)
	if len(p.idle) > 0 {
		p.timer = time.AfterFunc(u.o.IdleTime-now.Sub(p.idle[0].parked), u.sweep)
	}
	return out
}
