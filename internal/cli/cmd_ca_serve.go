package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/publish"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// caServeFlags are the flags of `ca serve`.
type caServeFlags struct {
	caFlags
	logs      transparencyFlags
	listen    string
	http      string
	url       string
	httpURL   string
	identity  identityFlags
	validate  caValidationFlags
	policy    caPolicyFlags
	chaos     string
	isQuiet   bool
	asJSON    bool
	issuers   []string
	needsBind bool
	terms     string
	names     []string
	database  string
	chains    []string // files of --alternate-chain
	office    caAdminFlags
}

const caServeLong = `Run the CA as a service: ACME over https for clients such as certbot, lego,
Caddy or "tlswright acme", and over plain http what relying parties fetch:
OCSP, CRLs, issuers' certificates, and a page to download the root.

The ACME directory is at /acme/directory. Clients must trust the CA's root to
talk to it: it is at /roots.pem of the plain http address, and "tlswright ca
show --pem" prints it. With --issuer NAME, which may be repeated, each further
intermediate gets a directory of its own at /acme/ca/NAME/directory.

Names are validated by http-01, dns-01, tls-alpn-01, dns-account-01 and
dns-persist-01, wildcards by the DNS. What a client asks to be validated is
connected to, so only public addresses are, until --allow-network opens others:
"--allow-network 10.0.0.0/8", say, for the machines of an own network. CAA
records count unless --no-caa is given, and --caa-identity is the name that they
call this CA by.

Without a publication of its own (see "ca init --help") certificates carry the
addresses below --http-url, so that clients find OCSP and CRL. With --ct-logs,
here or at "ca init", they are shown to logs of Certificate Transparency first;
an order whose certificate too few logs take fails.

Where a CA is certified by several roots, as when a new root takes over from an
old one, --alternate-chain offers clients the further ways up, each a PEM file
that begins with the other certificate of the issuing CA or of its root.

Several nodes serve one CA from one PostgreSQL database, behind one address
(--url): give each a copy of the home that "ca init" made, before anything was
issued, and the same --database. Any node answers any request, and goes on with
what one that died has left. Keys stay on the nodes; the records, what clients
have ordered and the nonces they have used are in the database. The home
remembers the address, so that "ca list", "ca revoke" and all others look
there, too. A pooler before the database must keep sessions. Records that are in
a file so far go there with "ca move".

Those who run the CA can do so from elsewhere: --admin ADDRESS is an API over
https for client certificates of "ca admin issue", and of no other; "ca admin"
says more. --metrics ADDRESS tells Prometheus what happens, at /metrics, and
supervisors whether all is well, at /healthz and /readyz; keep it on loopback.

--chaos makes the server misbehave as real ones do now and then, to test
clients: refused nonces, 503, 429, dropped connections, delays. "--chaos mild"
or "--chaos wild", or single ones such as
"nonces=15,unavailable=5,drop=2,slow=300ms".`

const caServeExample = `  tlswright ca serve
  tlswright ca serve --listen :443 --http :80 --allow-network 10.0.0.0/8
  tlswright ca serve --allow-name corp.example --require-binding
  tlswright ca serve --http01-port 5002 --allow-network 127.0.0.0/8 --chaos mild
  tlswright ca serve --admin 127.0.0.1:9444 --metrics 127.0.0.1:9464
  tlswright ca serve --listen :443 --database postgres://ca@db.corp.example/ca
  certbot certonly --standalone -d NAME --server https://CA/acme/directory`

func newCAServe(a *app) *cobra.Command {
	o := &caServeFlags{}
	cmd := &cobra.Command{
		Use:     "serve",
		Short:   "Run the CA as a service: ACME, OCSP, CRLs, the roots",
		Long:    caServeLong,
		Example: caServeExample,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.caServe(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:9443", "`ADDRESS` for ACME over https; port 0 is any free one")
	f.StringVar(&o.http, "http", "127.0.0.1:9080", "`ADDRESS` for OCSP, CRLs and roots over plain http; empty: none")
	f.StringVar(&o.url, "url", "", "how clients see the https side, as `URL` without a path (default: as each request says)")
	f.StringVar(&o.httpURL, "http-url", "", "how relying parties see the http side, as `URL` (default: http:// and its address)")
	f.StringSliceVar(&o.names, "name", nil, "`NAME` or address that the service's own certificate is for as well")
	f.StringSliceVar(&o.issuers, "issuer", nil, "`NAME` of a further intermediate to issue by, with a directory of its own; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("issuer", a.completeIssuers)
	f.StringVar(&o.database, "database", "", "`URL` of a PostgreSQL database for the records, which several nodes may share (default: the one that the home remembers, or a file in it)")
	o.registerSecret(cmd)
	o.identity.register(cmd, "the service's")
	o.validate.register(cmd)
	o.policy.register(cmd)
	o.logs.register(cmd)
	o.office.register(cmd)
	f.BoolVar(&o.needsBind, "require-binding", false, "only take accounts that are bound to a key of \"ca binding\" (EAB)")
	f.StringSliceVar(&o.chains, "alternate-chain", nil, "offer ACME clients the chain in this PEM `FILE`, too; may be repeated")
	_ = cmd.MarkFlagFilename("alternate-chain", "pem", "crt", "cer")
	f.StringVar(&o.terms, "terms", "", "`URL` of terms of service that clients must agree to")
	f.StringVar(&o.chaos, "chaos", "", "misbehave as `HOW`: mild, wild, or a list (see above)")
	f.BoolVarP(&o.isQuiet, "quiet", "q", false, "tell refusals only, not every request")
	f.BoolVar(&o.asJSON, "json", false, "tell what happens as JSON, a line each")
	complete(cmd, "chaos", []string{"mild", "wild"})
	return cmd
}

// caService is everything that runs, to be closed in this order.
type caService struct {
	ca          *keystore.CA   // without keys
	metrics     *admin.Metrics // nil: nobody could read them
	own         *ownIdentity
	authorities []*authority.Authority
	validator   *challenge.Validator
	server      *acmeserver.Server
	publisher   *publish.Publisher
}

func (s *caService) close() error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.publisher != nil {
		s.publisher.Close()
	}
	if s.validator != nil {
		s.validator.Close()
	}
	for _, au := range s.authorities {
		errs = append(errs, au.Close())
	}
	return errors.Join(errs...)
}

func (a *app) caServe(cmd *cobra.Command, o *caServeFlags) (err error) {
	chaos, err := parseChaos(cmd, o.chaos)
	if err != nil {
		return err
	}
	if err := checkBaseURLs(cmd, o); err != nil {
		return err
	}
	if err := a.chooseDatabase(cmd, o.database); err != nil {
		return err
	}
	ca, err := a.openOrMakeCA()
	if err != nil {
		return err
	}
	files, err := o.serviceFiles(cmd)
	if err != nil {
		return err
	}
	plain, err := listenPlain(o)
	if err != nil {
		return err
	}
	if plain != nil {
		defer func() { _ = plain.Close() }()
		if o.httpURL == "" {
			o.httpURL = "http://" + plain.Addr().String()
		}
	}
	service := &caService{ca: ca, metrics: o.office.meters()}
	defer func() { err = errors.Join(err, service.close()) }()
	if err := a.openService(cmd, o, chaos, service); err != nil {
		return err
	}
	// By what is open already: opening the records takes as long as all the rest.
	service.own, err = a.newOwnIdentity(cmd.Context(), files, func(ctx context.Context) (keystore.Identity, error) {
		return a.issueIdentity(ctx, service, serviceNames(o))
	})
	if err != nil {
		return err
	}
	side, err := a.openAdminSide(cmd, o, service, service.own)
	defer side.close()
	if err != nil {
		return err
	}
	l, err := tlsnet.Listen("tcp", o.listen, service.own.use(tlsnet.Config{Core: tlscore.Config{ALPN: tlsnet.HTTPProtocols()}, Time: a.now}))
	if err != nil {
		return &failure{kind: kindLocal, text: err.Error(), err: err, hint: "is the port taken? --listen 127.0.0.1:0 takes a free one"}
	}
	return a.runService(cmd.Context(), o, service, side, l, plain)
}

// runService serves until ctx ends.
func (a *app) runService(ctx context.Context, o *caServeFlags, service *caService, side *adminSide, l *tlsnet.Listener, plain net.Listener) error {
	defer spareCollector()()
	told := &serveLog{app: a, asJSON: o.asJSON, isQuiet: o.isQuiet}
	told.listening("https", l.Addr())
	base := o.url
	if base == "" {
		base = "https://" + l.Addr().String()
	}
	if !o.asJSON {
		a.ui.printf("ACME directory: %s/acme/directory", base)
		for _, name := range o.issuers {
			a.ui.printf("ACME directory of %s: %s/acme/ca/%s/directory", name, base, name)
		}
	}
	side.tell(told)
	both, public := service.handlers()
	servers := append(side.serving(told), service.own.keepFresh, func(ctx context.Context) error { return serveHTTP(ctx, l, both, told) })
	if plain != nil {
		if !o.asJSON {
			a.ui.printf("roots, OCSP and CRLs: %s/", o.httpURL)
		}
		servers = append(servers, func(ctx context.Context) error { return servePlainHTTP(ctx, plain, told.requests(public)) })
	}
	return serveAll(ctx, servers...)
}

// serviceFiles is the certificate of --cert and --key; nil: there is none.
func (o *caServeFlags) serviceFiles(cmd *cobra.Command) (*keystore.Identity, error) {
	id, ok, err := o.identity.load(cmd)
	if err != nil || !ok {
		return nil, err
	}
	return &id, nil
}

func listenPlain(o *caServeFlags) (net.Listener, error) {
	if o.http == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", o.http)
	if err != nil {
		return nil, &failure{kind: kindLocal, text: "--http: " + err.Error(), err: err, hint: "is the port taken? --http 127.0.0.1:0 takes a free one, --http '' none"}
	}
	return l, nil
}

// openService opens everything below the listeners. What was opened is in the service, whatever the error.
func (a *app) openService(cmd *cobra.Command, o *caServeFlags, chaos acmeserver.Chaos, s *caService) error {
	ctx := cmd.Context()
	home, err := a.home()
	if err != nil {
		return err
	}
	policy, err := o.policy.policy(cmd)
	if err != nil {
		return err
	}
	if s.validator, err = o.validate.validator(cmd, a); err != nil {
		return err
	}
	options := acmeserver.Options{Validator: s.validator, Base: o.url, NonceFile: filepath.Join(home, "ca", "nonces"), Chaos: chaos, Now: a.now,
		Limits: acmeserver.Limits{FailedValidations: acmeserver.Rate{Count: 600, Per: time.Hour}}, Log: a.serviceLog(o)}
	published := publish.Options{Now: a.now, Log: options.Log}
	alternates, err := readAlternates(o.chains)
	if err != nil {
		return err
	}
	for i, name := range append([]string{""}, o.issuers...) {
		au, err := a.openAuthority(ctx, &caFlags{issuer: name, secret: o.secret}, true)
		if err != nil {
			return err
		}
		s.authorities = append(s.authorities, au)
		if err := a.refuseRevokedIssuer(ctx, au, &caFlags{issuer: name}); err != nil {
			return err
		}
		if err := a.serveWithLogs(cmd, &o.logs, au); err != nil {
			return err
		}
		public := name
		if i == 0 {
			public = keystore.DefaultIntermediate
		}
		s.measure(au, public, &published)
		au.Publication = o.publication(au.Publication, public)
		published.Issuers = append(published.Issuers, publish.Issuer{Name: public, Authority: au})
		options.Directories = append(options.Directories, acmeserver.Directory{Name: name, Authority: au, Policy: policy, Terms: o.terms,
			Identities: o.validate.identities, RequireBinding: o.needsBind, Alternates: alternatesOf(alternates, au)})
	}
	if err := checkAlternates(alternates); err != nil {
		return err
	}
	published.Roots = []*x509.Certificate{s.ca.Root}
	if s.publisher, err = publish.New(ctx, published); err != nil {
		return cannotRun(err, "")
	}
	options.Store = s.authorities[0].Store
	options.UseNonce = options.Store.NonceBook()
	if s.metrics != nil {
		options.Meter = s.metrics
	}
	if s.server, err = acmeserver.New(ctx, options); err != nil {
		return cannotRun(err, "")
	}
	return nil
}

// chooseDatabase has the records of the CA looked for in PostgreSQL.
func (a *app) chooseDatabase(cmd *cobra.Command, address string) error {
	if cmd.Flags().Changed("database") && !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		f := usagef(cmd, "--database is no address of a PostgreSQL database")
		f.hint = "write it like postgres://user@db.example/name; passwords are better kept in ~/.pgpass"
		return f
	}
	a.database = address
	return nil
}

// publication says where relying parties find this service, where nothing else was said.
func (o *caServeFlags) publication(p authority.Publication, name string) authority.Publication {
	if o.httpURL == "" || len(p.CRL)+len(p.OCSP)+len(p.Issuer) > 0 {
		return p
	}
	crl := o.httpURL + "/crl/" + name
	if p.Shards > 1 {
		crl += "/{shard}"
	}
	p.CRL, p.OCSP, p.Issuer = []string{crl + ".crl"}, []string{o.httpURL + "/ocsp/" + name}, []string{o.httpURL + "/ca/" + name + ".cer"}
	return p
}

// serviceNames are those that the service's certificate is for.
func serviceNames(o *caServeFlags) []string {
	names := slices.Concat(o.names, localNames(o.listen))
	if o.office.admin != "" {
		names = append(names, localNames(o.office.admin)...)
	}
	if u, err := url.Parse(o.url); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// withoutHostname leaves out what this machine calls itself.
func withoutHostname(names []string) []string {
	own, err := os.Hostname()
	if err != nil {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == own })
}

// checkBaseURLs refuses addresses that clients could not use.
func checkBaseURLs(cmd *cobra.Command, o *caServeFlags) error {
	for flag, c := range map[string]struct{ text, scheme string }{"url": {o.url, "https"}, "http-url": {o.httpURL, "http"}} {
		if c.text == "" {
			continue
		}
		u, err := url.Parse(c.text)
		if err != nil || u.Scheme != c.scheme || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			f := usagef(cmd, "--%s %q is no %s URL without a path", flag, c.text, c.scheme)
			f.hint = "write it like " + c.scheme + "://ca.example"
			return f
		}
	}
	return nil
}

// serviceLog hands what the services log on: errors always, the rest as notes unless --quiet is given.
func (a *app) serviceLog(o *caServeFlags) *slog.Logger {
	level := slog.LevelInfo
	if o.isQuiet {
		level = slog.LevelError
	}
	return slog.New(&uiLog{ui: a.ui, level: level})
}

// uiLog is a slog.Handler that writes notes and warnings.
type uiLog struct {
	ui    *ui
	level slog.Level
}

func (l *uiLog) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

func (l *uiLog) Handle(_ context.Context, r slog.Record) error {
	text := pki.Printable(r.Message)
	r.Attrs(func(at slog.Attr) bool {
		text += fmt.Sprintf(" %s=%s", at.Key, pki.Printable(at.Value.String()))
		return true
	})
	if r.Level >= slog.LevelWarn {
		l.ui.warnf("%s", text)
	} else {
		l.ui.notef("%s", text)
	}
	return nil
}

func (l *uiLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *uiLog) WithGroup(string) slog.Handler      { return l }
