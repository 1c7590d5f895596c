package cli

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/tlsnet"
)

// serveFlags are the flags of `serve`.
type serveFlags struct {
	negotiationFlags
	identity identityFlags
	staple   string
	isEcho   bool
	dir      string
	proxy    string
	listen   string
	clientCA string
	prefer   string
	isQuiet  bool
	asJSON   bool

	earlyData  uint32 // bytes
	traceFlags serveTraceFlags
}

const serveLong = `Serve over TLS, in one of three ways:

  --echo       every byte comes back as it was sent, whatever it means: an HTTP
               request, too. The facts of each connection and the first bytes
               received are printed.
  --dir DIR    the files of a folder over HTTP/1.1 and HTTP/2. Never served are
               names that start with a dot, private keys (by name or content),
               the home of tlswright, and what links outside of the folder.
  --proxy URL  every request is handed on to that server. X-Forwarded-* and
               Client-Cert (RFC 9440) say what is known for certain; headers of
               these names from outside are dropped.

Without --cert a certificate for localhost is issued from the own CA for this
run. With --client-ca only clients with a certificate of one of those CAs are
let in. Every refusal is one line on standard error: why, and which certificate.

With --early-data clients that come back may send data before the handshake is
done. Each ticket is taken once; over HTTP only safe methods are answered early.

With --trace DIR the last handshakes are kept there as recordings, without keys
and contents; those that failed are kept longest. "tlswright trace explain FILE"
says why one failed.

The first line of the output is "listening on URL" with the real address, so
that --listen 127.0.0.1:0 may choose a free port. SIGINT and SIGTERM end the
server once what is under way is done.

` + exitCodeHelp

const serveExample = `  tlswright serve --dir ./public
  tlswright serve --echo --listen 127.0.0.1:0
  tlswright serve --proxy http://127.0.0.1:3000
  tlswright serve --echo --cert app/fullchain.pem --key app/privkey.pem
  tlswright serve --dir ./public --client-ca root.pem
  tlswright serve --echo --client-ca root.pem --trace ./handshakes`

func newServe(a *app) *cobra.Command {
	o := &serveFlags{}
	cmd := &cobra.Command{
		Use:     "serve --echo | --dir DIR | --proxy URL",
		Short:   "Serve over TLS: echo, a folder, or another server",
		Long:    serveLong,
		Example: serveExample,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.serve(cmd, o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.isEcho, "echo", false, "send every byte back")
	f.StringVar(&o.dir, "dir", "", "serve the files in `DIR`")
	f.StringVar(&o.proxy, "proxy", "", "hand requests on to the server at `URL`")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8443", "`ADDRESS` to listen on; port 0 is any free one")
	o.identity.register(cmd, "the server's")
	cmd.Flags().StringVar(&o.staple, "staple", "", "send the OCSP answer in `FILE` along with --cert (see tlswright ca ocsp --for)")
	_ = cmd.MarkFlagFilename("staple", "der")
	f.StringVar(&o.clientCA, "client-ca", "", "let in only clients with a certificate of the CAs in this PEM `FILE`")
	o.negotiationFlags.register(cmd)
	f.StringVar(&o.prefer, "prefer", "server", "whose order of cipher suites counts: server or client (a `ROLE`)")
	complete(cmd, "prefer", []string{"server", "client"})
	f.Uint32Var(&o.earlyData, "early-data", 0, "take up to `BYTES` of early data (0-RTT) with each ticket; requests that come in it can be replayed")
	o.traceFlags.register(cmd)
	f.BoolVarP(&o.isQuiet, "quiet", "q", false, "tell refusals only, not every connection and request")
	f.BoolVar(&o.asJSON, "json", false, "tell what happens as JSON, a line each")
	_ = cmd.MarkFlagDirname("dir")
	_ = cmd.MarkFlagFilename("client-ca", "pem", "crt", "cer")
	return cmd
}

func (a *app) serve(cmd *cobra.Command, o *serveFlags) (err error) {
	modes := 0
	for _, isSet := range []bool{o.isEcho, o.dir != "", o.proxy != ""} {
		if isSet {
			modes++
		}
	}
	if modes != 1 {
		f := usagef(cmd, "one of --echo, --dir and --proxy is needed")
		if modes > 1 {
			f.text = "--echo, --dir and --proxy exclude each other"
		}
		return f
	}
	if !o.isEcho && len(o.alpn) == 0 {
		o.alpn = tlsnet.HTTPProtocols()
	}
	handler, closeHandler, err := a.handler(cmd, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeHandler()) }()
	recorder, err := a.newServeTrace(cmd, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, recorder.close()) }()
	config, closeConfig, err := a.serverConfig(cmd, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeConfig()) }()
	l, err := recorder.listen(o.listen, config)
	if err != nil {
		f := cannotRun(err, "")
		f.hint = "is the port taken? --listen 127.0.0.1:0 takes a free one"
		return f
	}
	return a.run(cmd.Context(), l, handler, o, recorder)
}

// run serves until ctx ends; a nil handler is the echo.
func (a *app) run(ctx context.Context, l *tlsnet.Listener, handler http.Handler, o *serveFlags, recorder *serveTrace) error {
	told := &serveLog{app: a, asJSON: o.asJSON, isQuiet: o.isQuiet, trace: recorder}
	if handler == nil {
		told.listening("tls", l.Addr())
		return (&echoServer{log: told, takesEarly: o.earlyData > 0}).serve(ctx, l)
	}
	told.listening("https", l.Addr())
	switch h := handler.(type) {
	case *dirHandler:
		h.hid = told.withheld
	case *proxyHandler:
		h.failed = told.backendFailed
	}
	return serveHTTP(ctx, l, handler, told)
}

// handler makes what answers HTTP requests; nil for --echo.
func (a *app) handler(cmd *cobra.Command, o *serveFlags) (h http.Handler, close func() error, err error) {
	nothing := func() error { return nil }
	home, err := a.home()
	if err != nil {
		return nil, nothing, err
	}
	switch {
	case o.dir != "":
		t, err := openTree(o.dir, home)
		if err != nil {
			return nil, nothing, cannotRun(err, "--dir")
		}
		return &dirHandler{tree: t}, t.close, nil
	case o.proxy != "":
		u, err := url.Parse(o.proxy)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			f := usagef(cmd, "--proxy %q is no http or https URL", o.proxy)
			f.hint = "write it like http://127.0.0.1:3000"
			return nil, nothing, f
		}
		transport, err := a.backendTransport(u)
		if err != nil {
			return nil, nothing, err
		}
		return newProxy(u, transport, clientOf), nothing, nil
	}
	return nil, nothing, nil
}

// backendTransport speaks to the server behind a proxy: plain HTTP, or TLS of our own with the usual trust.
func (a *app) backendTransport(u *url.URL) (http.RoundTripper, error) {
	if u.Scheme == "http" {
		return &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}, nil
	}
	t, err := a.loadTrust(nil)
	if err != nil {
		return nil, err
	}
	return &tlsnet.Transport{Config: &tlsnet.Config{Roots: t.roots, SystemRoots: t.system, Time: a.now}}, nil
}
