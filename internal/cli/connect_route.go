package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/proxy"

	"github.com/tlswright/tlswright/pki"
)

// routeFlags are the flags by which a client says how to get to the server.
type routeFlags struct {
	proxy        string
	proxyAuth    string
	isIPv4Only   bool
	isIPv6Only   bool
	resolvedPins []string
}

func (r *routeFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.proxy, "proxy", "", "go through the proxy at `URL`: http://HOST:PORT (CONNECT) or socks5://HOST:PORT; it looks the name up")
	f.StringVar(&r.proxyAuth, "proxy-auth", "", "`FILE` with USER:PASSWORD for the proxy")
	f.BoolVarP(&r.isIPv4Only, "ipv4", "4", false, "use IPv4 only")
	f.BoolVarP(&r.isIPv6Only, "ipv6", "6", false, "use IPv6 only")
	f.StringArrayVar(&r.resolvedPins, "resolve", nil, "`HOST:PORT:ADDRESS`: connect to this address instead of looking the name up")
	_ = cmd.MarkFlagFilename("proxy-auth")
}

// route is the way to servers.
type route struct {
	network  string // tcp, tcp4 or tcp6
	pins     map[string]string
	proxy    *url.URL // nil: none
	user     string
	password string
	timeout  time.Duration
}

// route reads the flags.
func (r *routeFlags) route(cmd *cobra.Command, timeout time.Duration) (*route, error) {
	way := &route{network: "tcp", pins: map[string]string{}, timeout: timeout}
	switch {
	case r.isIPv4Only && r.isIPv6Only:
		return nil, usagef(cmd, "-4 and -6 exclude each other")
	case r.isIPv4Only:
		way.network = "tcp4"
	case r.isIPv6Only:
		way.network = "tcp6"
	}
	for _, pin := range r.resolvedPins {
		if err := way.pin(cmd, pin); err != nil {
			return nil, err
		}
	}
	if r.proxy == "" {
		if r.proxyAuth != "" {
			return nil, usagef(cmd, "--proxy-auth belongs to --proxy")
		}
		return way, nil
	}
	u, err := url.Parse(r.proxy)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "socks5" && u.Scheme != "socks5h" {
		f := usagef(cmd, "--proxy %q is no URL of a proxy", r.proxy)
		f.hint = "write it like http://proxy.test:3128 or socks5://127.0.0.1:1080"
		return nil, f
	}
	if u.User != nil {
		f := usagef(cmd, "--proxy: everybody on this machine can read a password in the command line")
		f.hint = "put USER:PASSWORD into a file and name it with --proxy-auth"
		return nil, f
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), map[string]string{"http": "8080", "socks5": "1080", "socks5h": "1080"}[u.Scheme])
	}
	way.proxy = u
	return way, way.readAuth(cmd, r.proxyAuth)
}

// pin reads HOST:PORT:ADDRESS.
func (w *route) pin(cmd *cobra.Command, text string) error {
	host, rest, ok := strings.Cut(text, ":")
	port, address, ok2 := strings.Cut(rest, ":")
	address = unbracketed(address)
	t, err := parseTarget(cmd, net.JoinHostPort(host, port), "")
	if !ok || !ok2 || err != nil || !isAddress(address) {
		f := usagef(cmd, "--resolve %q is not HOST:PORT:ADDRESS", text)
		f.hint = "write it like example.com:443:192.0.2.1"
		return f
	}
	w.pins[t.String()] = address
	return nil
}

func (w *route) readAuth(cmd *cobra.Command, file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return cannotRun(err, "--proxy-auth")
	}
	var ok bool
	if w.user, w.password, ok = strings.Cut(strings.TrimSpace(string(text)), ":"); !ok || w.user == "" {
		return usagef(cmd, "--proxy-auth: %s holds no USER:PASSWORD", file)
	}
	return nil
}

// dial makes the connection to t, through the proxy if there is one.
func (w *route) dial(ctx context.Context, t target) (net.Conn, error) {
	addr := t.String()
	if pinned, ok := w.pins[addr]; ok {
		addr = net.JoinHostPort(pinned, t.port)
	}
	dialer := net.Dialer{Timeout: w.timeout}
	if w.proxy == nil {
		if problem := w.wrongFamily(addr); problem != nil {
			return nil, problem
		}
		return dialer.DialContext(ctx, w.network, addr)
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	if w.proxy.Scheme != "http" {
		return w.dialSOCKS(ctx, &dialer, addr)
	}
	nc, err := dialer.DialContext(ctx, w.network, w.proxy.Host)
	if err != nil {
		return nil, w.proxyFailed(err)
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	conn, err := w.tunnel(nc, addr)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
		return nil, w.proxyFailed(err)
	}
	return conn, nil
}

// wrongFamily refuses an address that -4 or -6 rules out.
func (w *route) wrongFamily(addr string) error {
	ip, err := netip.ParseAddrPort(addr)
	if err != nil || w.network == "tcp" || ip.Addr().Unmap().Is4() == (w.network == "tcp4") {
		return nil
	}
	return &failure{kind: kindUsage, text: fmt.Sprintf("%v is ruled out by -%s", ip.Addr(), strings.TrimPrefix(w.network, "tcp"))}
}

// proxyFailed says that it is the proxy that an error is about.
func (w *route) proxyFailed(err error) error {
	f := explainConnection(err)
	if f.kind == kindTLS { // that is the word for a peer that hangs up, but no TLS was spoken yet
		f.kind, f.text, f.hint = kindNetwork, "it closed the connection", "is it a proxy of this kind?"
	}
	f.err = err
	f.text = "the proxy " + w.proxy.Host + ": " + f.text
	return f
}

// forwarder makes the connection to a SOCKS proxy.
type forwarder struct {
	*net.Dialer
	network string
}

func (f forwarder) Dial(_, addr string) (net.Conn, error) { return f.Dialer.Dial(f.network, addr) }

func (f forwarder) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	return f.Dialer.DialContext(ctx, f.network, addr)
}

// dialSOCKS goes through a SOCKS 5 proxy (RFC 1928), which gets names as they are.
func (w *route) dialSOCKS(ctx context.Context, d *net.Dialer, addr string) (net.Conn, error) {
	var auth *proxy.Auth
	if w.user != "" {
		auth = &proxy.Auth{User: w.user, Password: w.password}
	}
	socks, err := proxy.SOCKS5("tcp", w.proxy.Host, auth, forwarder{d, w.network})
	if err != nil {
		return nil, err
	}
	nc, err := socks.(proxy.ContextDialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, w.proxyFailed(err)
	}
	return nc, nil
}

// maxProxyHeader bounds the header of an answer to CONNECT, in bytes.
const maxProxyHeader = 16 << 10

// tunnel asks an HTTP proxy to connect (RFC 9110, Section 9.3.6). It reads not a byte beyond the header, for what follows
// is the server's.
func (w *route) tunnel(nc net.Conn, addr string) (net.Conn, error) {
	request := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if w.user != "" {
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(w.user+":"+w.password)) + "\r\n"
	}
	if _, err := nc.Write([]byte(request + "\r\n")); err != nil {
		return nil, err
	}
	var header []byte
	for !bytes.HasSuffix(header, []byte("\r\n\r\n")) {
		var b [1]byte
		if _, err := nc.Read(b[:]); err != nil {
			return nil, err
		}
		if header = append(header, b[0]); len(header) > maxProxyHeader {
			return nil, &failure{kind: kindNetwork, text: "its answer is too long"}
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(header)), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, &failure{kind: kindNetwork, text: "what it answers is not HTTP", hint: "is it an HTTP proxy?"}
	}
	if resp.StatusCode/100 == 2 {
		return nc, nil
	}
	f := &failure{kind: kindNetwork, text: "it refuses to connect: " + pki.Printable(resp.Status)}
	if resp.StatusCode == http.StatusProxyAuthRequired {
		f.hint = "give it USER:PASSWORD with --proxy-auth FILE"
	}
	return nil, f
}
