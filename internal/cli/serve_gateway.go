package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/revoked"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// doorFlags are the flags of `serve` that are a gateway's: who may come in, under which names, and what for.
type doorFlags struct {
	tcp        string
	proxyProto bool
	hosts      []string
	acme       string
	email      string
	redirect   string
	profile    string
	page       bool
	denyAll    bool
	revocation string
	allow      allowFlags
}

// allowFlags are the rules of the command line; each lets in whoever fits one of its values.
type allowFlags struct{ cn, ou, dns, uri, san, pin []string }

func (d *doorFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&d.tcp, "tcp", "", "hand connections on to `HOST:PORT`, or unix:PATH, without TLS and whatever they speak")
	f.BoolVar(&d.proxyProto, "proxy-protocol", false, "with --tcp: say who the client is by the PROXY protocol, version 2")
	f.StringSliceVar(&d.hosts, "host", nil, "answer to this `NAME` alone, and be certified for it; may be repeated")
	f.StringVar(&d.acme, "acme", "", "have the certificate for --host from an ACME server: letsencrypt, staging, own or a `URL`")
	f.StringVar(&d.email, "acme-email", "", "`ADDRESS` for the account at the ACME server")
	f.StringVar(&d.redirect, "redirect", "", "listen on `ADDRESS`, such as :80, without TLS too: redirect to https, and answer http-01")
	f.StringVar(&d.profile, "profile", "", "what to negotiate, after Mozilla's `PROFILE`s: modern, intermediate or old-but-sound")
	f.BoolVar(&d.page, "page", false, "tell refused clients why on a page (403), with the id for \"gateway explain\"")
	for _, a := range d.allow.all() {
		f.StringSliceVar(a.values, "allow-"+a.key, nil, "with --client-ca: let in "+a.what+"; may be repeated")
	}
	f.BoolVar(&d.denyAll, "deny-all", false, "with --client-ca: let nobody in, and tell who came")
	f.StringVar(&d.revocation, "revocation", "", "what is asked of clients' certificates: hard (known not to be revoked), soft (not known to be), off (a `MODE`; default soft, for --client-ca own hard)")
	complete(cmd, "acme", []string{"letsencrypt", "staging", "own"})
	complete(cmd, "profile", []string{"modern", "intermediate", "old-but-sound"})
	complete(cmd, "revocation", []string{"hard", "soft", "off"})
}

// allowFlag is one kind of rule.
type allowFlag struct {
	key, what string
	values    *[]string
	rule      func(value string) access.Rule
}

func (a *allowFlags) all() []allowFlag {
	return []allowFlag{
		{"cn", "the common name `NAME` (a * is for letters within dots)", &a.cn, func(v string) access.Rule { return access.Rule{CN: v} }},
		{"ou", "the organizational unit `NAME`", &a.ou, func(v string) access.Rule { return access.Rule{OU: v} }},
		{"dns", "the DNS `NAME` (*.corp.example is one label, **.corp.example more)", &a.dns, func(v string) access.Rule { return access.Rule{DNS: v} }},
		{"uri", "the `URI` (spiffe://corp.example/ns/*/sa/web)", &a.uri, func(v string) access.Rule { return access.Rule{URI: v} }},
		{"san", "the alternative name `NAME`: a DNS name, address, network, e-mail address or URI", &a.san, sanRule},
		{"pin", "the key `PIN` (sha256/..., see cert pin)", &a.pin, func(v string) access.Rule { return access.Rule{Pin: v} }},
	}
}

// sanRule tells the kinds of alternative names apart by their form.
func sanRule(v string) access.Rule {
	if _, err := netip.ParsePrefix(v); err == nil {
		return access.Rule{IP: v}
	}
	if _, err := netip.ParseAddr(v); err == nil {
		return access.Rule{IP: v}
	}
	switch {
	case strings.Contains(v, "://"), strings.HasPrefix(v, "urn:"):
		return access.Rule{URI: v}
	case strings.Contains(v, "@"):
		return access.Rule{Email: v}
	}
	return access.Rule{DNS: v}
}

// areSet reports whether any of these flags was given: the echo needs a gateway then, too.
func (d *doorFlags) areSet() bool {
	return d.tcp != "" || d.proxyProto || len(d.hosts) > 0 || d.acme != "" || d.email != "" || d.redirect != "" || d.profile != "" || d.page || d.denyAll || d.revocation != "" || d.allow.areSet()
}

func (a *allowFlags) areSet() bool {
	for _, f := range a.all() {
		if len(*f.values) > 0 {
			return true
		}
	}
	return false
}

// siteOfServe is the name of the one site, and of its listener.
const siteOfServe = "serve"

// serveGatewayConfig turns the flags into the configuration of a gateway with one site.
func (a *app) serveGatewayConfig(cmd *cobra.Command, o *serveFlags) (*config.Gateway, error) {
	if err := o.checkDoor(cmd); err != nil {
		return nil, err
	}
	s := config.Site{Name: siteOfServe, Profile: o.door.profile, EarlyData: o.earlyData, Page: o.door.page}
	for _, h := range o.door.hosts {
		s.Hosts = append(s.Hosts, strings.ToLower(h))
	}
	l := config.Listener{Name: siteOfServe, Address: o.listen, Protocol: config.ProtocolHTTPS, Sites: []string{siteOfServe}}
	l.Limits.Handshake = o.timeout
	files, hidden, err := a.echFiles(cmd, &o.ech)
	if err != nil {
		return nil, err
	}
	if l.ECHKeys = files; len(s.Hosts) > 0 {
		s.Hosts = append(s.Hosts, slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(hidden))), func(n string) bool { return slices.Contains(s.Hosts, n) })...)
	}
	switch {
	case o.isEcho:
		s.Target.Echo, l.Protocol = true, config.ProtocolTLS
	case o.dir != "":
		dir, err := filepath.Abs(o.dir)
		if err != nil {
			return nil, cannotRun(err, "--dir")
		}
		s.Target.Dir = dir
	case o.proxy != "":
		s.Target.URL = o.proxy
	default:
		s.Target = config.Target{URL: o.door.tcp, ProxyProtocol: o.door.proxyProto}
		if !strings.HasPrefix(o.door.tcp, "unix:") {
			s.Target.URL = "tcp://" + o.door.tcp
		}
		l.Protocol = config.ProtocolTLS
	}
	switch {
	case o.identity.cert != "":
		if _, _, err := o.identity.load(cmd); err != nil {
			return nil, err
		}
		pair := config.CertificateFiles{Chain: o.identity.cert, Key: o.identity.key}
		if pair.Key == "" {
			pair.Key = pair.Chain
		}
		s.Certificate.Files = []config.CertificateFiles{pair}
	case o.door.acme != "":
		directory := o.door.acme
		if known := acmeServers()[directory]; known != "" {
			directory = known
		}
		s.Certificate.ACME = &config.ACME{Directory: directory, Email: o.door.email}
	default:
		s.Certificate.Own = true
	}
	if s.Clients, err = o.doorClients(cmd); err != nil {
		return nil, err
	}
	g := &config.Gateway{Listeners: []config.Listener{l}, Sites: []config.Site{s}}
	if o.door.redirect != "" {
		g.Listeners = append(g.Listeners, config.Listener{Name: "redirect", Address: o.door.redirect, Protocol: config.ProtocolHTTP, Sites: l.Sites})
	}
	return g, nil
}

// checkDoor refuses flags that would have no effect, and those that contradict each other.
func (o *serveFlags) checkDoor(cmd *cobra.Command) error {
	d := &o.door
	isHTTP := o.dir != "" || o.proxy != ""
	switch {
	case o.clientCA == "" && (d.allow.areSet() || d.denyAll || d.revocation != "" || d.page):
		f := usagef(cmd, "--allow-..., --deny-all, --revocation and --page are about clients' certificates, and --client-ca is missing")
		f.hint = "name the CA that certifies the clients: --client-ca FILE, or --client-ca own"
		return f
	case d.denyAll && d.allow.areSet():
		return usagef(cmd, "--deny-all lets nobody in, and --allow-... somebody: leave one of them out")
	case d.page && !isHTTP:
		return usagef(cmd, "--page is for --dir and --proxy: who speaks no HTTP can be shown no page")
	case d.redirect != "" && !isHTTP && d.acme == "":
		return usagef(cmd, "--redirect is for --dir and --proxy: it redirects from http to https")
	case d.acme != "" && o.identity.cert != "":
		return usagef(cmd, "--acme and --cert exclude each other: one certificate is enough")
	case d.acme != "" && len(d.hosts) == 0:
		f := usagef(cmd, "--acme without --host: which names is the certificate for?")
		f.hint = "add --host app.example, once for each name"
		return f
	case d.acme != "" && acmeServers()[d.acme] == "" && !strings.HasPrefix(d.acme, "https://"):
		f := usagef(cmd, "--acme %q is no https URL of an ACME directory", d.acme)
		f.hint = "write letsencrypt, staging, own, or https://host/directory"
		return f
	case d.email != "" && d.acme == "":
		return usagef(cmd, "--acme-email without --acme")
	case d.proxyProto && d.tcp == "":
		f := usagef(cmd, "--proxy-protocol is for --tcp")
		f.hint = "servers behind --proxy are told by X-Forwarded-For and Client-Cert"
		return f
	case o.earlyData > 0 && d.tcp != "":
		return usagef(cmd, "--early-data is for HTTP and the echo: what is handed on by --tcp could be replayed")
	case d.revocation != "" && d.revocation != "hard" && d.revocation != "soft" && d.revocation != "off":
		return usagef(cmd, "--revocation %q is neither hard, soft nor off", d.revocation)
	case d.profile != "" && d.profile != "modern" && d.profile != "intermediate" && d.profile != "old-but-sound":
		return usagef(cmd, "--profile %q is neither modern, intermediate nor old-but-sound", d.profile)
	case d.profile != "" && (len(o.ciphers) > 0 || o.min != "" || o.max != ""):
		return usagef(cmd, "--profile says which versions and suites are spoken, and so do --ciphers, --min and --max: leave one out")
	}
	if d.tcp == "" || strings.HasPrefix(d.tcp, "unix:") {
		return nil
	}
	if host, port, err := net.SplitHostPort(d.tcp); err != nil || host == "" || port == "" {
		f := usagef(cmd, "--tcp %q is no HOST:PORT", d.tcp)
		f.hint = "write it like 127.0.0.1:5432"
		return f
	}
	return nil
}

// doorClients turns --client-ca and --allow-... into who is asked for a certificate, and let in; nil: nobody is asked.
func (o *serveFlags) doorClients(cmd *cobra.Command) (*config.Clients, error) {
	if o.clientCA == "" {
		return nil, nil
	}
	c := &config.Clients{Mode: config.ClientsRequire, Revocation: config.RevocationSoft, Policy: &access.Policy{Name: "--"}}
	if o.clientCA == "own" {
		c.OwnCA, c.Revocation = true, config.RevocationHard
	} else {
		c.CA = []string{o.clientCA}
		if _, err := keystore.ReadCertificates(o.clientCA); err != nil {
			return nil, cannotRun(err, "--client-ca")
		}
	}
	if o.door.revocation != "" {
		c.Revocation = config.RevocationMode(o.door.revocation)
	}
	if o.door.page {
		c.Mode = config.ClientsRequest // so that those without a certificate see the page as well
	}
	for _, f := range o.door.allow.all() {
		for _, v := range *f.values {
			r := f.rule(v)
			r.Name = "--allow-" + f.key + " " + pki.Printable(v)
			if err := r.Validate(); err != nil {
				return nil, usagef(cmd, "--allow-%s: %v", f.key, err)
			}
			if r.IsEmpty() {
				return nil, usagef(cmd, "--allow-%s is empty", f.key)
			}
			c.Policy.Allow = append(c.Policy.Allow, r)
		}
	}
	if !o.door.allow.areSet() && !o.door.denyAll {
		c.Policy.Allow = []access.Rule{{Name: "--client-ca"}}
	}
	return c, nil
}

// serveGateway serves what the flags say by a gateway with one site.
func (a *app) serveGateway(cmd *cobra.Command, o *serveFlags) (err error) {
	g, err := a.serveGatewayConfig(cmd, o)
	if err != nil {
		return err
	}
	tune, closeTune, err := a.serveTuning(cmd, o)
	defer func() { err = errors.Join(err, closeTune()) }()
	if err != nil {
		return err
	}
	options, closeOptions, err := a.serveOptions(cmd.Context(), o, g)
	defer func() { err = errors.Join(err, closeOptions()) }()
	if err != nil {
		return err
	}
	told := &serveLog{app: a, asJSON: o.asJSON, isQuiet: o.isQuiet}
	options.Tune, options.Events, options.Answered = tune, told.gatewayEvent, told.answered
	gw, err := gateway.New(g, options)
	if err != nil {
		return serveFailure(a.gatewayFailure(nil, err))
	}
	if err := gw.Listen(); err != nil {
		return serveFailure(a.bindFailure(nil, errors.Join(err, gw.Close())))
	}
	return gw.Serve(cmd.Context())
}

// serveFailure keeps the words of a file, which there is none of, out of errors.
func serveFailure(err error) error {
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	f.text = strings.TrimPrefix(f.text, "site "+siteOfServe+": ")
	f.text = strings.TrimPrefix(f.text, "listener "+siteOfServe+": ")
	if strings.Contains(f.text, "address already in use") {
		f.hint = "is the port taken? --listen 127.0.0.1:0 takes a free one"
	}
	return f
}

// serveTuning maps the flags about negotiation onto the TLS configuration. close must be called at the end.
func (a *app) serveTuning(cmd *cobra.Command, o *serveFlags) (tune func(string, *tlsnet.Config), close func() error, err error) {
	close = func() error { return nil }
	n, err := o.serverNegotiation(cmd)
	if err != nil {
		return nil, close, err
	}
	n.note(a.ui)
	compression, err := o.compressions(cmd)
	if err != nil {
		return nil, close, err
	}
	var stapled tlsnet.Identity
	if len(o.staples) > 0 {
		id, ok, err := o.identity.load(cmd)
		if err != nil {
			return nil, close, err
		}
		if !ok {
			return nil, close, usagef(cmd, "--staple without --cert: an OCSP answer is about one certificate")
		}
		if err = a.staplesOf(o.staples, id, &stapled); err != nil {
			return nil, close, err
		}
	}
	keyLog, closeLog, err := a.serveKeyLog(o)
	if err != nil {
		return nil, close, err
	}
	return func(site string, c *tlsnet.Config) {
		if o.door.profile == "" {
			c.Core.CipherSuites, c.Core.MinVersion, c.Core.MaxVersion = n.core.CipherSuites, n.core.MinVersion, n.core.MaxVersion
		}
		c.Core.Groups, c.Core.PreferClient = n.core.Groups, n.core.PreferClient
		c.Core.Grease, c.Core.Padding = n.core.Grease, n.core.Padding
		c.Core.RecordSizeLimit, c.Core.MaxRecord, c.DynamicRecords = n.core.RecordSizeLimit, n.core.MaxRecord, o.records.dynamic
		c.CertificateCompression = compression
		if o.delegated.takes {
			c.Core.DelegatedSchemes = tlscore.DelegatedSchemes()
		}
		if len(o.alpn) > 0 {
			c.Core.ALPN = o.alpn
		}
		if keyLog != nil {
			c.KeyLog = keyLog
		}
		if site != "" && len(o.staples) > 0 && len(c.Identities) == 1 {
			c.Identities[0].Staple, c.Identities[0].Above = stapled.Staple, stapled.Above
		}
	}, closeLog, nil
}

// serveOptions gathers what the gateway of `serve` needs of the estate. Its certificates live no longer than the process.
func (a *app) serveOptions(ctx context.Context, o *serveFlags, g *config.Gateway) (options gateway.Options, close func() error, err error) {
	close = func() error { return nil }
	home, err := a.home()
	if err != nil {
		return options, close, err
	}
	options = gateway.Options{KeepMemory: true, NeverServe: home, Now: a.now, Grace: shutdownPatience, AllowPrivate: isLoopback(o.listen)}
	b, err := a.base(nil)
	if err != nil {
		return options, close, err
	}
	if options.DenialsFile, err = b.DenialsFile(); err != nil {
		return options, close, cannotRun(err, "")
	}
	if o.door.acme != "" {
		if options.Tree, err = b.Tree(); err != nil {
			return options, close, cannotRun(err, "")
		}
	}
	ca, err := b.GatewayCA(g)
	if err != nil {
		return options, close, caFailure(err, "opening the CA")
	}
	if ca == nil {
		return options, close, nil
	}
	options.OwnRoots = []*x509.Certificate{ca.Root}
	options.OwnCA = func(ctx context.Context, names []string, _ pki.KeyType) (keystore.Identity, error) {
		return a.identityFor(ctx, append(slices.Clone(names), o.ech.publicNames(names)...))
	}
	if o.clientCA == "" {
		return options, close, nil
	}
	au, err := a.openAuthority(ctx, &caFlags{}, false)
	if err != nil {
		return options, close, err
	}
	options.Live = []revoked.Live{au.Store}
	return options, au.Close, nil
}

// proxyURL reads --proxy.
func proxyURL(cmd *cobra.Command, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	isSocket := err == nil && u.Scheme == "unix+http"
	if err != nil || u.Scheme != "http" && u.Scheme != "https" && !isSocket || u.Host == "" && !isSocket || u.User != nil {
		f := usagef(cmd, "--proxy %q is no http or https URL", text)
		f.hint = "write it like http://127.0.0.1:3000"
		return nil, f
	}
	return u, nil
}
