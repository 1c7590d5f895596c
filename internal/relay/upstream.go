package relay

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
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
)

// UpstreamOptions say how an upstream is reached. Of the numbers, 0 is the default and negative is none.
type UpstreamOptions struct {
	// TLS is how https upstreams are verified, and what we show them. Nil: the zero Config. HTTP/1.1 is all that is offered.
	TLS *tlsnet.Config
	// Client says who asks; nil: nothing is told of the client but the host.
	Client func(*http.Request) Client
	// Failed is told of every request that the upstream did not answer, or not to the end. err is a *[Error].
	Failed func(r *http.Request, err error)
	// Dial makes the connections beneath; nil: a net.Dialer does.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	Host     string   // what is asked for in the Host field; "": what the client asked for
	Upgrades []string // protocols that may be changed to, lower case; nil: websocket
	Keep     []string // response fields, of which those that were set before ServeHTTP win over the upstream's
	Drop     []string // response fields of the upstream that are never passed on

	MaxIdle    int           // connections that are kept for later requests
	DialTime   time.Duration // for connecting, and the handshake
	AnswerTime time.Duration // from the sent request to the head of the response
	Stall      time.Duration // without a byte moving, while content goes or comes
	IdleTime   time.Duration // that a connection without a request is kept
}

// Upstream is an http.Handler that hands requests on to one server. It may be used concurrently.
//
// Fields of the response's header that are set before ServeHTTP are kept where the upstream sends none of that name;
// where it does its own win, unless UpstreamOptions.Keep names them.
type Upstream struct {
	o     UpstreamOptions
	u     *url.URL
	proxy *httputil.ReverseProxy
	stop  func()
}

// NewUpstream checks where u leads: http://host:port, https://host:port, unix:/path or unix+http:/path. A path of
// an http or https URL is put in front of every request's path. Nothing is connected yet.
func NewUpstream(u *url.URL, o UpstreamOptions) (*Upstream, error) {
	network, addr := "tcp", u.Host
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return nil, errors.New("relay: the upstream's URL has no host")
		}
	case "unix", "unix+http":
		network, addr = "unix", u.Path
		if addr == "" {
			addr = u.Opaque
		}
	default:
		return nil, fmt.Errorf("relay: an upstream is reached by http, https or unix, not %q", u.Scheme)
	}
	t := &tlsnet.Transport{Config: o.TLS, AllowPlaintext: true, DisableCompression: true, MaxIdleConnsPerHost: 64}
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: DefaultDialTime}).DialContext
	}
	t.Connect = func(ctx context.Context, n, a string) (net.Conn, error) {
		if network == "unix" {
			return dial(ctx, network, addr)
		}
		return dial(ctx, n, a)
	}
	target := &url.URL{Scheme: "http", Host: "upstream", Path: ""}
	if u.Scheme == "https" {
		target.Scheme = "https"
	}
	if network == "tcp" {
		target.Host, target.Path = u.Host, u.Path
	}
	up := &Upstream{o: o, u: target, stop: t.CloseIdleConnections}
	up.proxy = &httputil.ReverseProxy{Rewrite: up.rewrite, Transport: t, FlushInterval: -1, ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
		if o.Failed != nil {
			o.Failed(r, &Error{Status: 502, Reason: "unreachable", Text: "the upstream did not answer", Err: err})
		}
		w.WriteHeader(http.StatusBadGateway)
	}}
	return up, nil
}

func (u *Upstream) rewrite(p *httputil.ProxyRequest) {
	p.SetURL(u.u)
	p.Out.Host = p.In.Host
	for name := range p.Out.Header {
		n := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if strings.HasPrefix(n, "client-cert") || strings.HasPrefix(n, "x-forwarded-") || n == "forwarded" || n == "x-real-ip" || strings.HasPrefix(n, "x-ssl-") {
			delete(p.Out.Header, name)
		}
	}
	if u.o.Client == nil {
		return
	}
	c := u.o.Client(p.In)
	if c.Addr.IsValid() {
		p.Out.Header.Set("X-Forwarded-For", c.Addr.Addr().Unmap().String())
	}
	p.Out.Header.Set("X-Forwarded-Proto", "https")
	p.Out.Header.Set("X-Forwarded-Host", p.In.Host)
	for i, x := range c.Chain {
		v := ":" + base64.StdEncoding.EncodeToString(x.Raw) + ":"
		switch {
		case i == 0:
			p.Out.Header.Set("Client-Cert", v)
		case i < len(c.Chain)-1:
			p.Out.Header.Add("Client-Cert-Chain", v)
		}
	}
}

// ServeHTTP hands a request on, and the response back.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) { u.proxy.ServeHTTP(w, r) }

// Close closes the connections that carry no request, and keeps none any more. Requests under way are not disturbed.
func (u *Upstream) Close() error {
	u.stop()
	return nil
}
