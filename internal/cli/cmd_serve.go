package cli

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/tlsnet"
)

// serveFlags are the flags of `serve`.
type serveFlags struct {
	negotiationFlags
	psk       pskFlags
	ech       serveECHFlags
	delegated delegatedFlags

	rawKey        bool
	clientRawKeys []string
	late          string

	identity identityFlags
	staples  []string
	isEcho   bool
	dir      string
	proxy    string
	listen   string
	clientCA string
	prefer   string
	isQuiet  bool
	asJSON   bool

	earlyData  uint32 // bytes
	door       doorFlags
	traceFlags serveTraceFlags
}

const serveLong = `Serve over TLS, in one of four ways:

  --echo       every byte comes back as it was sent, whatever it means: an HTTP
               request, too. The facts of each connection and the first bytes
               received are printed.
  --dir DIR    the files of a folder over HTTP/1.1 and HTTP/2. Never served are
               names that start with a dot, private keys (by name or content),
               the home of tlswright, and what links outside of the folder.
  --proxy URL  every request is handed on to that server. X-Forwarded-* and
               Client-Cert (RFC 9440) say what is known for certain; headers of
               these names from outside are dropped.
  --tcp ADDR   every connection is handed on to that server, without TLS and
               whatever it speaks. --proxy-protocol says who the client is.

Without --cert a certificate for localhost (or --host) is issued from the own CA
for this run; --acme has one from an ACME server, and keeps it renewed. Files of
--cert are watched: a renewed certificate is taken up at once.

With --client-ca only clients with a certificate of one of those CAs are let in;
with --allow-cn and its kin only those of them that fit one of the rules. What
the own CA revokes ("ca revoke") is refused at once. Every refusal is one line
on standard error: why, which certificate, what to do, and an id for "tlswright
gateway explain".

With --early-data clients that come back may send data before the handshake is
done. Each ticket is taken once; over HTTP only safe methods are answered early.

With --ech-key clients may encrypt their ClientHello, so that nobody on the path
learns the name they ask for; the certificate must be for the public name, too.

With --trace DIR the last handshakes are kept there as recordings, without keys
and contents; those that failed are kept longest. "tlswright trace explain FILE"
says why one failed.

The first line of the output is "listening on URL" with the real address, so
that --listen 127.0.0.1:0 may choose a free port. SIGINT and SIGTERM end the
server once what is under way is done. Several sites, rules for single paths
and all else stand in a file: see "tlswright gateway run".

` + exitCodeHelp

const serveExample = `  tlswright serve --dir ./public
  tlswright serve --echo --listen 127.0.0.1:0
  tlswright serve --proxy http://127.0.0.1:3000
  tlswright serve --dir . --client-ca own --allow-cn alice
  tlswright serve --tcp 127.0.0.1:5432 --client-ca own --allow-san '*.db.test'
  tlswright serve --echo --cert app/fullchain.pem --key app/privkey.pem
  tlswright serve --dir ./public --client-ca root.pem
  tlswright serve --dir www --listen :443 --host app.example --acme letsencrypt
  tlswright serve --echo --client-ca root.pem --trace ./handshakes`

func newServe(a *app) *cobra.Command {
	o := &serveFlags{}
	cmd := &cobra.Command{
		Use:     "serve --echo | --dir DIR | --proxy URL | --tcp HOST:PORT",
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
	f.StringArrayVar(&o.staples, "staple", nil, "send the OCSP answer in `FILE` along with the certificate of --cert that it is about (see tlswright ca ocsp --for)")
	_ = cmd.MarkFlagFilename("staple", "der")
	f.StringVar(&o.clientCA, "client-ca", "", "let in only clients with a certificate of the CAs in this PEM `FILE`, or of the own CA: own")
	f.BoolVar(&o.rawKey, "raw-key", false, "show clients that want it the public key alone, without the certificate (RFC 7250)")
	f.StringArrayVar(&o.clientRawKeys, "client-raw-key", nil, "let in only clients that show the public key of this `PIN`, or a certificate of --client-ca")
	o.door.register(cmd)
	o.negotiationFlags.register(cmd)
	o.psk.register(cmd)
	o.ech.register(cmd)
	o.registerLate(cmd)
	o.delegated.register(cmd, "a client's")
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
	for _, isSet := range []bool{o.isEcho, o.dir != "", o.proxy != "", o.door.tcp != ""} {
		if isSet {
			modes++
		}
	}
	if modes != 1 {
		f := usagef(cmd, "one of --echo, --dir, --proxy and --tcp is needed")
		if modes > 1 {
			f.text = "--echo, --dir, --proxy and --tcp exclude each other"
		}
		return f
	}
	isHTTP := o.dir != "" || o.proxy != ""
	if isHTTP && len(o.alpn) == 0 {
		o.alpn = tlsnet.HTTPProtocols()
	}
	if err := o.checkLate(cmd); err != nil {
		return err
	}
	if err := o.checkMode(cmd); err != nil {
		return err
	}
	// Recordings are of connections as they are accepted, one after the other; the echo shows what a gateway does not.
	if !o.isEcho && o.traceFlags.dir == "" && !o.isPlain() || o.door.areSet() || o.clientCA == "own" {
		if o.traceFlags.dir != "" {
			return usagef(cmd, "--trace goes with --echo, --dir, --proxy and --client-ca FILE, and not with the rest")
		}
		if _, err := a.newServeTrace(cmd, o); err != nil {
			return err
		}
		return a.serveGateway(cmd, o)
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
	go a.renewCredential(cmd.Context(), o.delegated.file, l, config)
	told := &serveLog{app: a, asJSON: o.asJSON, isQuiet: o.isQuiet, trace: recorder}
	if handler == nil {
		told.listening("tls", l.Addr())
		return (&echoServer{log: told, takesEarly: o.earlyData > 0, asksLate: o.late != ""}).serve(cmd.Context(), l)
	}
	told.listening("https", l.Addr())
	switch h := handler.(type) {
	case *gateway.Files:
		h.Hid = told.withheld
	case *failingUpstream:
		h.failed = told.backendFailed
	}
	return serveHTTP(cmd.Context(), l, o.asking(handler), told)
}

// isPlain reports whether something is asked for that the gateway has not, and a plain server has.
func (o *serveFlags) isPlain() bool {
	return o.ech.areSet() || o.late != "" || o.psk.source != "" || o.rawKey || len(o.clientRawKeys) > 0 || o.delegated.file != "" || o.kernelTLS
}

// checkMode refuses what does not go with what is served.
func (o *serveFlags) checkMode(cmd *cobra.Command) error {
	if o.psk.source != "" && (o.door.areSet() || o.clientCA != "") {
		return usagef(cmd, "--psk goes with --echo, --dir and --proxy, without rules for certificates")
	}
	if isGated := o.door.areSet() || o.clientCA == "own"; isGated && (o.delegated.file != "" || o.kernelTLS) {
		return usagef(cmd, "--credential and --kernel-tls go with --echo, --dir and --proxy, without rules for certificates")
	}
	if (o.rawKey || len(o.clientRawKeys) > 0) && (o.door.areSet() || o.psk.source != "") {
		return usagef(cmd, "--raw-key and --client-raw-key go with --echo, --dir and --proxy, without rules for certificates")
	}
	if o.proxy == "" {
		return nil
	}
	_, err := proxyURL(cmd, o.proxy)
	return err
}

// handler makes what answers HTTP requests while connections are recorded; nil for --echo.
func (a *app) handler(cmd *cobra.Command, o *serveFlags) (h http.Handler, close func() error, err error) {
	nothing := func() error { return nil }
	home, err := a.home()
	if err != nil {
		return nil, nothing, err
	}
	switch {
	case o.dir != "":
		f, err := gateway.NewFiles(o.dir, home)
		if err != nil {
			return nil, nothing, cannotRun(err, "--dir")
		}
		return f, f.Close, nil
	case o.proxy != "":
		u, err := proxyURL(cmd, o.proxy)
		if err != nil {
			return nil, nothing, err
		}
		up, err := a.newFailingUpstream(u)
		if err != nil {
			return nil, nothing, err
		}
		return up, up.Close, nil
	}
	return nil, nothing, nil
}

// failingUpstream is a server behind a proxy that says when it does not answer.
type failingUpstream struct {
	*relay.Upstream
	failed func(*http.Request, error)
}

// newFailingUpstream reaches a server with the usual trust.
func (a *app) newFailingUpstream(u *url.URL) (*failingUpstream, error) {
	t, err := a.loadTrust(nil)
	if err != nil {
		return nil, err
	}
	up := &failingUpstream{}
	up.Upstream, err = relay.NewUpstream(u, relay.UpstreamOptions{
		TLS: &tlsnet.Config{Roots: t.roots, SystemRoots: t.system, Time: a.now},
		Client: func(r *http.Request) relay.Client {
			var c relay.Client
			if info, ok := tlsnet.InfoFromContext(r.Context()); ok && info.Peer.Verified() {
				c.Chain = info.Peer.Chain
			}
			c.Addr, _ = netip.ParseAddrPort(r.RemoteAddr) // of TCP it is one
			return c
		},
		Failed: func(r *http.Request, err error) {
			if up.failed != nil {
				up.failed(r, err)
			}
		},
	})
	if err != nil {
		return nil, cannotRun(err, "--proxy")
	}
	return up, nil
}
