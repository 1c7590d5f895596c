package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/tlsnet"
)

// upstream is a server that connections or requests are handed on to.
type upstream struct {
	address string
	http    *relay.Upstream                             // of HTTP
	dial    func(ctx context.Context) (net.Conn, error) // of everything else
	close   func()
}

const dialTime = 10 * time.Second

// newTarget checks and loads a target.
func (g *Gateway) newTarget(st, old *state, s *site, c *config.Target) (*target, error) {
	t := &target{c: c}
	set := 0
	for _, is := range []bool{c.URL != "", c.Dir != "", c.Echo, c.Welcome, c.Status != 0} {
		if is {
			set++
		}
	}
	if set != 1 {
		return nil, errors.New("a target is one of url, dir, echo, welcome and status")
	}
	var err error
	switch {
	case c.Welcome:
		t.layer, t.handler = httpLayer, http.HandlerFunc(g.welcome)
	case c.Echo:
		t.echo, t.handler = true, http.HandlerFunc(echoRequest)
	case c.Status != 0:
		if c.Status < 200 || c.Status > 599 {
			return nil, fmt.Errorf("%d is no status to answer with", c.Status)
		}
		t.layer, t.handler = httpLayer, statusHandler(c.Status)
	case c.Dir != "":
		t.layer = httpLayer
		t.handler, err = g.files(s, c.Dir)
	default:
		err = g.newUpstream(st, old, s, t)
	}
	return t, err
}

// newUpstream loads a target that is another server. One that the old state has, and that nothing has changed about, is
// taken over with its connections.
func (g *Gateway) newUpstream(st, old *state, s *site, t *target) error {
	u, err := url.Parse(t.c.URL)
	if err != nil {
		return errors.New("the URL of the target cannot be read")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the URL of a target has no user, query or fragment")
	}
	st.note(t.c.CA, t.c.Cert, t.c.Key)
	tlsConfig, digest, err := g.upstreamTLS(u, t.c)
	if err != nil {
		return err
	}
	t.below = strings.Trim(u.Path, "/") != "" && u.Scheme != "unix" && u.Scheme != "unix+http"
	t.layer = streamLayer
	if u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "unix+http" {
		t.layer = httpLayer
	}
	key := fmt.Sprintf("%s %s %s", t.c.URL, digest, s.name)
	if t.up = st.upstream[key]; t.up == nil && old != nil {
		t.up = old.upstream[key]
	}
	if t.up == nil {
		if t.layer == httpLayer {
			t.up, err = g.httpUpstream(u, s, tlsConfig)
		} else {
			t.up, err = g.streamUpstream(u, tlsConfig)
		}
		if err != nil {
			return err
		}
	}
	if t.c.ProxyProtocol && t.layer == httpLayer {
		return errors.New("proxy-protocol is for targets without HTTP; those with it are told by headers")
	}
	st.upstream[key] = t.up
	if t.up.http != nil {
		t.handler = t.up.http
	}
	return nil
}

func (g *Gateway) httpUpstream(u *url.URL, s *site, tlsConfig *tlsnet.Config) (*upstream, error) {
	up, err := relay.NewUpstream(u, relay.UpstreamOptions{
		TLS: tlsConfig, Client: g.clientOf, Failed: g.upstreamFailed(s.name), Dial: g.o.Dial, Unanswered: g.o.Unanswered,
	})
	if err != nil {
		return nil, err
	}
	return &upstream{address: u.Redacted(), http: up, close: func() { _ = up.Close() }}, nil
}

func (g *Gateway) streamUpstream(u *url.URL, tlsConfig *tlsnet.Config) (*upstream, error) {
	network, address := "tcp", u.Host
	switch u.Scheme {
	case "tcp", "tls":
		if _, _, err := net.SplitHostPort(address); err != nil || u.Path != "" && u.Path != "/" {
			return nil, fmt.Errorf("%s:// takes HOST:PORT and nothing else", u.Scheme)
		}
	case "unix":
		network, address = "unix", u.Path
		if address == "" {
			address = u.Opaque
		}
		if address == "" {
			return nil, errors.New("unix: takes the path of a socket")
		}
	default:
		return nil, fmt.Errorf("%q leads nowhere: a target's URL is http, https, unix+http, tcp, tls or unix", u.Scheme)
	}
	beneath := dialTo(network, address)
	up := &upstream{address: address, close: func() {}, dial: beneath}
	if u.Scheme == "tls" {
		d, err := tlsnet.NewDialer(tlsConfig)
		if err != nil {
			return nil, err
		}
		d.Connect = func(ctx context.Context, _, _ string) (net.Conn, error) { return beneath(ctx) }
		up.dial = func(ctx context.Context) (net.Conn, error) {
			c, err := d.Dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return c, nil
		}
	}
	return up, nil
}

// dialTo makes what connects to an address. One that needs no looking up is gone to straight, at a third of the cost.
func dialTo(network, address string) func(context.Context) (net.Conn, error) {
	d := dialer()
	if ap, err := netip.ParseAddrPort(address); err == nil && network == "tcp" {
		return func(ctx context.Context) (net.Conn, error) {
			c, err := d.DialTCP(ctx, network, netip.AddrPort{}, ap)
			if err != nil {
				return nil, err // not c: a nil *TCPConn in a net.Conn is not nil
			}
			return c, nil
		}
	}
	return func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, network, address) }
}

// upstreamTLS is how a server behind us is verified, and what it is shown. digest says what that rests on.
func (g *Gateway) upstreamTLS(u *url.URL, c *config.Target) (config *tlsnet.Config, digest string, err error) {
	if u.Scheme != "https" && u.Scheme != "tls" {
		if c.CA != "" || c.Cert != "" || c.Key != "" || c.ServerName != "" || len(c.Pins) > 0 {
			return nil, "", fmt.Errorf("ca, cert, key, server-name and pins are for targets over TLS, and %s has none", u.Scheme)
		}
		return nil, "", nil
	}
	config = &tlsnet.Config{ServerName: c.ServerName, Time: g.o.Now, SystemRoots: c.CA == "", Roots: g.o.OwnRoots}
	if c.CA != "" {
		if config.Roots, err = keystore.ReadCertificates(c.CA); err != nil {
			return nil, "", fmt.Errorf("ca: %w", err)
		}
	}
	if (c.Cert == "") != (c.Key == "") && c.Cert == "" {
		return nil, "", errors.New("key without cert")
	}
	if c.Cert != "" {
		id, err := keystore.LoadIdentity(c.Cert, c.Key)
		if err != nil {
			return nil, "", fmt.Errorf("cert: %w", err)
		}
		config.Identities = []tlsnet.Identity{{Chain: id.Chain, Key: id.Key}}
	}
	if err := pinUpstream(config, c); err != nil {
		return nil, "", err
	}
	return config, tlsDigest(config, c), nil
}

func tlsDigest(config *tlsnet.Config, c *config.Target) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %t", config.ServerName, c.Pins, c.PinsAlone)
	add := func(certs ...*x509.Certificate) {
		for _, cert := range certs {
			fmt.Fprintf(&b, " %x", fingerprint(cert.Raw))
		}
	}
	add(config.Roots...)
	for _, id := range config.Identities {
		fmt.Fprintf(&b, " %x", fingerprint(id.Chain[0]))
	}
	return b.String()
}

// statusHandler answers everything with one status.
func statusHandler(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if status == http.StatusNoContent || status == http.StatusNotModified {
			w.WriteHeader(status)
			return
		}
		http.Error(w, http.StatusText(status), status)
	})
}

// echoRequest answers with what was sent.
func echoRequest(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	_ = http.NewResponseController(w).EnableFullDuplex() // where it cannot be, the answer waits
	_, _ = io.Copy(w, r.Body)
}
