package tlsnet

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/idna"
)

// ErrPlaintext refuses a request to an http:// URL.
var ErrPlaintext = errors.New("tlsnet: only https is allowed (see Transport.AllowPlaintext)")

// Transport is an http.RoundTripper over this package's connections. It connects first and then speaks what ALPN
// negotiated, HTTP/2 or HTTP/1.1; both kinds of connections are pooled per host and port. [InfoFromResponse] tells what
// is known of the connection and the server; Response.TLS is nil. It may be used concurrently; the fields must not be
// changed once it was used. It knows no proxies but those of Connect.
type Transport struct {
	// Config is a client's configuration; nil is the zero Config. Without Core.ALPN both versions are offered. A ServerName
	// holds for all hosts.
	Config *Config
	// AllowPlaintext allows http:// URLs, by HTTP/1.1.
	AllowPlaintext bool
	// EarlyData sends a request as 0-RTT data if it does no harm twice (a safe method, no body), a connection has to be made
	// for it, and an earlier one left a session that allows it. An attacker can then replay the request, and may learn that
	// the same was sent before. A server that takes no early data, or answers 425 Too Early, gets it again when the handshake
	// is done (RFC 8470).
	EarlyData bool
	// Connect, if set, makes the connections beneath: see [Dialer]. It is how a proxy is used.
	Connect func(ctx context.Context, network, addr string) (net.Conn, error)

	DialTimeout           time.Duration // for name look-up, connecting and handshake; 0: 30 s
	IdleConnTimeout       time.Duration // how long an idle connection is kept; 0: 90 s, negative: for ever
	MaxIdleConnsPerHost   int           // of HTTP/1.1; 0: 16
	ResponseHeaderTimeout time.Duration // from the sent request to the response's header; 0: none
	DisableCompression    bool          // do not ask for gzip by ourselves

	once   sync.Once
	err    error // the configuration cannot be used
	dialer *Dialer
	h1Only *Dialer // offers http/1.1 alone
	h1     *http.Transport
	h2     *http.Transport

	mu    sync.Mutex
	hosts map[string]*httpHost // by host:port
}

var _ http.RoundTripper = (*Transport)(nil)

func (t *Transport) init() error {
	t.once.Do(func() {
		config := Config{}
		if t.Config != nil {
			config = *t.Config
		}
		if len(config.Core.ALPN) == 0 {
			config.Core.ALPN = HTTPProtocols()
		}
		if t.dialer, t.err = NewDialer(&config); t.err != nil {
			return
		}
		config.Core.ALPN = slices.DeleteFunc(slices.Clone(config.Core.ALPN), func(p string) bool { return p == ProtocolHTTP2 })
		if t.h1Only, t.err = NewDialer(&config); t.err != nil {
			return
		}
		t.dialer.Connect, t.h1Only.Connect = t.Connect, t.Connect
		t.hosts = make(map[string]*httpHost)
		t.h1 = t.newTransport()
		t.h1.Protocols.SetHTTP1(true)
		t.h1.DialContext = t.dialer.beneath
		t.h1.DialTLSContext = t.dialHTTP1
		t.h1.MaxIdleConnsPerHost = t.MaxIdleConnsPerHost
		if t.MaxIdleConnsPerHost == 0 {
			t.h1.MaxIdleConnsPerHost = 16
		}
		t.h2 = newHTTP2Transport(t)
	})
	return t.err
}

// newTransport returns one of the two transports, its protocol and its way to dial still to be set.
func (t *Transport) newTransport() *http.Transport {
	return &http.Transport{
		IdleConnTimeout:       orDefault(t.IdleConnTimeout, 90*time.Second),
		ResponseHeaderTimeout: t.ResponseHeaderTimeout,
		DisableCompression:    t.DisableCompression,
		ExpectContinueTimeout: time.Second,
		Protocols:             new(http.Protocols),
	}
}

// RoundTrip sends a request and returns the response, as http.RoundTripper says. If no connection could be made, the
// error is or wraps a *[DialError].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.init(); err != nil {
		return nil, dropBody(req, err)
	}
	if req.URL == nil || req.URL.Host == "" {
		return nil, dropBody(req, errors.New("tlsnet: the request has no host"))
	}
	switch {
	case req.URL.Scheme == "https":
	case req.URL.Scheme != "http":
		return nil, dropBody(req, errors.New("tlsnet: not an https URL: "+req.URL.Redacted()))
	case !t.AllowPlaintext:
		return nil, dropBody(req, ErrPlaintext)
	default:
		return t.h1.RoundTrip(req)
	}
	addr, err := hostAndPort(req.URL)
	if err != nil {
		return nil, dropBody(req, err)
	}
	if upgrades(req) {
		return t.roundTripHTTP1(req)
	}
	return t.roundTrip(req, t.host(addr))
}

// roundTrip finds out what the host speaks, where that is not known, and speaks it.
func (t *Transport) roundTrip(req *http.Request, h *httpHost) (*http.Response, error) {
	if t.EarlyData && mayComeEarly(req) && noBody(req) {
		if resp := t.roundTripEarly(req, h); resp != nil {
			return resp, nil
		}
	}
	for attempt := 0; ; attempt++ {
		cc, err := h.acquire(req.Context())
		if err != nil {
			return nil, dropBody(req, err)
		}
		if cc == nil {
			return t.roundTripHTTP1(req)
		}
		resp, err := cc.roundTrip(req)
		if err == nil {
			return resp, nil
		}
		again := retryHTTP2(req, cc, err)
		if again == nil || attempt >= maxHTTP2Attempts {
			return nil, whyFailed(req.Context(), cc.conn, err)
		}
		req = again
	}
}

// roundTripHTTP1 sends a request by HTTP/1.1, over an idle connection or a new one.
func (t *Transport) roundTripHTTP1(req *http.Request) (*http.Response, error) {
	return t.roundTripTraced(req, req.Context(), false)
}

// roundTripTraced finds out which connection is used. A new one may be an earlyConn: with early the request may go over it
// before the handshake, otherwise it makes the handshake first.
func (t *Transport) roundTripTraced(req *http.Request, ctx context.Context, early bool) (*http.Response, error) {
	var conn *Conn
	written := func() {}
	trace := &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			conn, _ = i.Conn.(*Conn)
			e, ok := i.Conn.(*earlyConn)
			switch {
			case !ok:
			case early:
				conn, written = e.tls, e.end
				e.allow()
			default:
				conn = e.tls
				e.launch()
			}
		},
		WroteRequest: func(httptrace.WroteRequestInfo) { written() },
	}
	resp, err := t.h1.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		return nil, whyFailed(ctx, conn, err)
	}
	attachConn(resp, req, conn)
	return resp, nil
}

// attachConn makes InfoFromResponse work, and restores the caller's context otherwise.
func attachConn(resp *http.Response, req *http.Request, c *Conn) {
	ctx := req.Context()
	if c != nil {
		ctx = withConn(ctx, c)
	}
	resp.Request = req.WithContext(ctx)
}

// CloseIdleConnections closes the connections that carry no request, and forgets which host speaks what.
func (t *Transport) CloseIdleConnections() {
	if t.init() != nil {
		return
	}
	t.mu.Lock()
	hosts := t.hosts
	t.hosts = make(map[string]*httpHost)
	t.mu.Unlock()
	for _, h := range hosts {
		h.closeIdle()
	}
	t.h1.CloseIdleConnections()
}

// host returns what is known of a host and port.
func (t *Transport) host(addr string) *httpHost {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.hosts[addr]
	if h == nil {
		h = &httpHost{transport: t, addr: addr}
		t.hosts[addr] = h
	}
	return h
}

// dialHTTP1 is the DialTLSContext of the HTTP/1.1 pool: a connection that turned out to speak HTTP/1.1, or a new one
// that offers nothing else.
func (t *Transport) dialHTTP1(ctx context.Context, network, addr string) (net.Conn, error) {
	if c := t.host(addr).takeReady(); c != nil {
		return c, nil
	}
	if wish, ok := ctx.Value(earlyWishKey{}).(earlyWish); ok {
		if e, err := t.connectEarly(ctx, wish.dialer, addr, wish.alpn); e != nil || err != nil {
			return notNil(e, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, t.dialTimeout())
	defer cancel()
	c, err := t.h1Only.Dial(ctx, network, addr)
	if err != nil {
		t.host(addr).forget()
		return nil, err
	}
	return c, nil
}

// notNil keeps a nil *earlyConn from becoming a net.Conn that is not nil.
func notNil(e *earlyConn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (t *Transport) dialTimeout() time.Duration { return orDefault(t.DialTimeout, 30*time.Second) }

// dropBody closes the body of a request that is not sent, as http.RoundTripper demands.
func dropBody(req *http.Request, err error) error {
	if req.Body != nil {
		req.Body.Close()
	}
	return err
}

// upgrades reports whether a request asks for another protocol on its connection, which HTTP/2 cannot give
// (RFC 9113, Section 8.6).
func upgrades(req *http.Request) bool {
	for _, v := range req.Header.Values("Connection") {
		for token := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "upgrade") {
				return true
			}
		}
	}
	return false
}

// hostAndPort returns the address to dial, in the form in which net/http asks for it.
func hostAndPort(u *url.URL) (string, error) {
	host, port := u.Hostname(), u.Port()
	for i := range len(host) {
		if host[i] < 0x80 {
			continue
		}
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", err
		}
		host = ascii
		break
	}
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(host, port), nil
}
