package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/publish"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// caAdminFlags say where those who run the CA, and their machines, find it.
type caAdminFlags struct {
	admin   string
	metrics string
}

func (f *caAdminFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.admin, "admin", "", "`ADDRESS` for the admin API over https, for client certificates of \"ca admin issue\" (default: none)")
	flags.StringVar(&f.metrics, "metrics", "", "`ADDRESS` for metrics and health over plain http, such as 127.0.0.1:9464 (default: none)")
}

// meters makes the metrics if anybody can read them; nil: nobody can.
func (f *caAdminFlags) meters() *admin.Metrics {
	if f.admin == "" && f.metrics == "" {
		return nil
	}
	return admin.NewMetrics(buildVersion().Version)
}

// servedIssuers are the service's issuers as the admin API knows them.
func (s *caService) servedIssuers(o *caServeFlags) []admin.Issuer {
	var issuers []admin.Issuer
	for i, name := range append([]string{""}, o.issuers...) {
		issuers = append(issuers, admin.Issuer{Name: orWord(name, keystore.DefaultIntermediate), Directory: name, Authority: s.authorities[i]})
	}
	return issuers
}

// adminSide listens for admins and for what reads metrics; what is not asked for is nil.
type adminSide struct {
	api       *admin.Server
	apiAt     *tlsnet.Listener
	metrics   *admin.Metrics
	health    *admin.Health
	metricsAt net.Listener
}

func (s *adminSide) close() {
	if s.apiAt != nil {
		_ = s.apiAt.Close() // at the latest now; most were closed before
	}
	if s.metricsAt != nil {
		_ = s.metricsAt.Close()
	}
}

// openAdminSide opens the listeners. What was opened is in the side, whatever the error.
func (a *app) openAdminSide(cmd *cobra.Command, o *caServeFlags, s *caService, own *ownIdentity) (*adminSide, error) {
	side := &adminSide{metrics: s.metrics}
	if s.metrics == nil {
		return side, nil
	}
	watched := admin.Watched{Store: s.authorities[0].Store, Issuers: s.servedIssuers(o), Now: a.now}
	known := map[string]*x509.Certificate{"root": s.ca.Root}
	if o.office.admin != "" {
		root, err := a.openAdminAPI(cmd, o, s, own, side)
		if err != nil {
			return side, err
		}
		known["admin CA"] = root
	}
	watched.Certificates = func() map[string]*x509.Certificate {
		now := maps.Clone(known)
		now["service"] = own.certificate()
		return now
	}
	s.metrics.Watch(watched)
	if o.office.metrics == "" {
		return side, nil
	}
	l, err := net.Listen("tcp", o.office.metrics)
	if err != nil {
		return side, &failure{kind: kindLocal, text: "--metrics: " + err.Error(), err: err, hint: "is the port taken? --metrics 127.0.0.1:0 takes a free one"}
	}
	at, err := netip.ParseAddrPort(l.Addr().String())
	isLoopback := err == nil && at.Addr().IsLoopback()
	if !isLoopback {
		a.ui.warnf("everybody who reaches %s can read the metrics", l.Addr())
	}
	side.metricsAt, side.health = l, admin.NewHealth(watched, s.metrics, isLoopback)
	return side, nil
}

// openAdminAPI opens the API, and gives the root of the admin CA.
func (a *app) openAdminAPI(cmd *cobra.Command, o *caServeFlags, s *caService, own *ownIdentity, side *adminSide) (*x509.Certificate, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	ca, err := admin.ReadCA(home)
	if err != nil {
		return nil, adminFailure(err, "--admin")
	}
	profiles, err := a.ownProfiles()
	if err != nil {
		return nil, err
	}
	side.api, err = admin.New(admin.Options{
		Store: s.authorities[0].Store, Issuers: s.servedIssuers(o), Hosts: serviceNames(o), Profiles: profiles,
		Renew: s.publisher.Renew, Metrics: s.metrics, Version: buildVersion().Version, Now: a.now, Log: a.serviceLog(o),
	})
	if err != nil {
		return nil, cannotRun(err, "")
	}
	// TLS 1.3 alone, and no resumption: whoever comes shows the certificate, every time.
	core := tlscore.Config{ALPN: tlsnet.HTTPProtocols(), ClientAuth: tlscore.RequireClientCert, MinVersion: wire.VersionTLS13, NoTickets: true}
	side.apiAt, err = tlsnet.Listen("tcp", o.office.admin, own.use(tlsnet.Config{ClientRoots: []*x509.Certificate{ca.Root}, Core: core, Time: a.now}))
	if err != nil {
		return nil, &failure{kind: kindLocal, text: "--admin: " + err.Error(), err: err, hint: "is the port taken? --admin 127.0.0.1:0 takes a free one"}
	}
	return ca.Root, nil
}

// tell says where the side is.
func (s *adminSide) tell(told *serveLog) {
	say := func(what, url string, addr net.Addr) {
		told.tell(&told.app.ui.out, event{Event: "listening", Address: addr.String(), URL: url}, what+": "+url+"\n")
	}
	if s.apiAt != nil {
		say("admin API", "https://"+s.apiAt.Addr().String()+"/v1/", s.apiAt.Addr())
	}
	if s.metricsAt != nil {
		say("metrics", "http://"+s.metricsAt.Addr().String()+"/metrics", s.metricsAt.Addr())
	}
}

// serving are the servers of the side, each to be run until its context ends.
func (s *adminSide) serving(told *serveLog) []func(context.Context) error {
	var all []func(context.Context) error
	if s.apiAt != nil {
		h := s.metrics.Requests("admin", admin.AdminRoute, s.api)
		all = append(all, func(ctx context.Context) error { return serveHTTP(ctx, s.apiAt, h, told) })
	}
	if s.metricsAt != nil {
		all = append(all, func(ctx context.Context) error {
			stop := context.AfterFunc(ctx, s.health.Stop)
			defer stop()
			return servePlainHTTP(ctx, s.metricsAt, s.health)
		})
	}
	return all
}

// servePlainHTTP serves h without TLS until ctx ends, and then lets requests under way finish.
func servePlainHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	web := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	return serveUntil(ctx, web, func() error { return web.Serve(l) })
}

// serveAll runs servers until ctx ends, or one of them does: a service without one of its sides is not whole.
func serveAll(ctx context.Context, all ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(all))
	for _, serve := range all {
		go func() {
			err := serve(ctx)
			cancel()
			ended <- err
		}()
	}
	var errs []error
	for range all {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// handlers are the two public services, measured.
func (s *caService) handlers() (both, public http.Handler) {
	public = s.metrics.Requests("publish", admin.PublicRoute, s.publisher)
	acme := s.metrics.Requests("acme", admin.ACMERoute, s.server)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/acme/") {
			acme.ServeHTTP(w, r)
			return
		}
		public.ServeHTTP(w, r)
	}), public
}

// measure has the services tell what they do.
func (s *caService) measure(au *authority.Authority, name string, p *publish.Options) {
	if s.metrics == nil {
		return
	}
	au.Meter, p.Meter = s.metrics.Authority(name), s.metrics
	au.Store.Observe(s.metrics.Wrote)
}
