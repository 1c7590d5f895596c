package estate

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"

	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/tlsnet"
)

// ReadCA reads the section "ca" of a file. One that is there and empty is that of the sample, as it is for all that read the
// file.
func ReadCA(text []byte) (*config.CA, error) {
	usual, err := Read([]byte(sample))
	if err != nil {
		return nil, err
	}
	return config.ReadCA(text, usual.CA)
}

// CAOptions are what a CA that is served by itself may have different. The zero value is sound.
type CAOptions struct {
	Chaos    acmeserver.Chaos                // how the ACME server misbehaves
	Log      *slog.Logger                    // what the services tell of their work; nil: that of the base
	Requests func(http.Handler) http.Handler // put around every handler, to see requests; nil: nobody does
	Refused  func(c *tlsnet.Conn, why error) // is told of handshakes that failed; nil: the log is
}

// CA is a CA that is served: ACME over https, OCSP, CRLs and the roots over http, the admin API and metrics.
type CA struct{ part *caPart }

// OpenCA opens what a section describes: ports are bound, and everything is read. A CA is made where there is none. Close it
// after use.
func OpenCA(ctx context.Context, b *Base, c *config.CA, o CAOptions) (*CA, error) {
	p, err := openCAWith(ctx, b, c, o)
	if err != nil {
		return nil, err
	}
	return &CA{part: p}, nil
}

// Links are what can be opened.
func (c *CA) Links() []Link { return c.part.links() }

// Address is where the CA listens for what a key of its section says: listen, http, admin, metrics; nil: nowhere.
func (c *CA) Address(key string) net.Addr { return c.part.address(key) }

// Run serves until ctx ends.
func (c *CA) Run(ctx context.Context) error { return c.part.run(ctx) }

// Close gives everything back.
func (c *CA) Close() error { return c.part.close() }

// caPart is the CA as a part of an estate: doors, which are addresses that it listens at, and behind them services, which
// are replaced as a whole when settings change. Whoever came through a door before is still served by the old ones.
type caPart struct {
	base *Base
	o    CAOptions
	ca   *keystore.CA // without keys
	own  *ownIdentity

	applying sync.Mutex // one change at a time

	mu       sync.RWMutex
	settings *config.CA
	now      *caServices
	doors    map[string]*door // by key
	serving  *caRun           // nil: not yet, or no more

	life     context.Context // ends with close
	end      context.CancelFunc
	draining sync.WaitGroup // of services that were replaced
}

// openCA opens the part of an estate.
func openCA(ctx context.Context, b *Base, c *config.CA) (*caPart, error) {
	return openCAWith(ctx, b, c, CAOptions{})
}

func openCAWith(ctx context.Context, b *Base, c *config.CA, o CAOptions) (p *caPart, err error) {
	own := *b
	if c.Database != "" {
		own.Database = c.Database
	}
	own.Log = b.Log.With("part", "ca")
	if o.Log == nil {
		o.Log = own.Log
	}
	settings := *c
	p = &caPart{base: &own, o: o, settings: &settings, doors: make(map[string]*door)}
	p.life, p.end = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
			p = nil
		}
	}()
	if p.ca, err = p.base.OpenOrMakeCA(); err != nil {
		return p, err
	}
	files, err := serviceFiles(c)
	if err != nil {
		return p, err
	}
	for _, key := range doorKeys() {
		if p.doors[key], err = bindDoor(key, doorAddress(c, key)); err != nil {
			return p, err
		}
	}
	if p.now, err = p.openServices(ctx, c, p.doors); err != nil {
		return p, err
	}
	if p.own, err = p.firstIdentity(ctx, c, files); err != nil {
		return p, err
	}
	for _, key := range doorKeys() {
		if err := p.fit(p.doors[key]); err != nil {
			return p, err
		}
	}
	p.now.watch(p, p.own, isAtLoopback(p.doors["metrics"]))
	return p, nil
}

// fit makes TLS of a door that is to have it.
func (p *caPart) fit(d *door) error {
	if d == nil {
		return nil
	}
	if d.key == "metrics" && !isAtLoopback(d) {
		p.base.Log.Warn("everybody who reaches " + d.bound.Addr().String() + " can read the metrics")
	}
	return d.fit(p.own, p.base)
}

// name is that of the section.
func (p *caPart) name() string { return "ca" }

// address is where a door is; nil: there is none.
func (p *caPart) address(key string) net.Addr {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if d := p.doors[key]; d != nil {
		return d.bound.Addr()
	}
	return nil
}

// secure is what is served over TLS, and where.
func (p *caPart) secure() map[string]*net.TCPAddr {
	all := make(map[string]*net.TCPAddr)
	for key, what := range map[string]string{"listen": "CA", "admin": "admin API"} {
		if at, ok := p.address(key).(*net.TCPAddr); ok {
			all[what] = at
		}
	}
	return all
}

// base URLs of the public sides; "": there is none.
func (p *caPart) urls() (https, http string) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	https, http = p.settings.URL, baseHTTP(p.settings, p.doors)
	if d := p.doors["listen"]; https == "" && d != nil {
		https = "https://" + d.bound.Addr().String()
	}
	return https, http
}

// baseHTTP is how relying parties see the http side; "": there is none.
func baseHTTP(c *config.CA, doors map[string]*door) string {
	if d := doors["http"]; c.HTTPURL == "" && d != nil {
		return "http://" + d.bound.Addr().String()
	}
	return c.HTTPURL
}

func (p *caPart) links() []Link {
	https, plain := p.urls()
	all := []Link{{Part: "ca", What: "ACME directory", URL: https + "/acme/directory"}}
	p.mu.RLock()
	issuers := p.settings.Issuers
	p.mu.RUnlock()
	for _, name := range issuers {
		all = append(all, Link{Part: "ca", What: "ACME directory of " + name, URL: https + "/acme/ca/" + name + "/directory"})
	}
	if at := p.address("admin"); at != nil {
		all = append(all, Link{Part: "ca", What: "admin API", URL: "https://" + at.String() + "/v1/"})
	}
	if at := p.address("metrics"); at != nil {
		all = append(all, Link{Part: "ca", What: "metrics", URL: "http://" + at.String() + "/metrics"})
	}
	if p.address("http") != nil {
		all = append(all, Link{Part: "ca", What: "roots, OCSP and CRLs", URL: plain + "/"})
	}
	return all
}

// enter gives the services in force, which stay open until leave; nil: the part is closed.
func (p *caPart) enter() *caServices {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.now != nil {
		p.now.inside.Add(1)
	}
	return p.now
}

// close gives everything back. It may be called whether or not the part has run.
func (p *caPart) close() error {
	p.mu.Lock()
	now, doors := p.now, p.doors
	p.now, p.doors = nil, nil
	p.mu.Unlock()
	for _, d := range doors {
		d.close()
	}
	p.end()
	p.draining.Wait()
	if now == nil {
		return nil
	}
	return now.close()
}

// checkCA finds what is wrong in a section without making or binding anything.
func checkCA(b *Base, c *config.CA) error {
	if _, err := serviceFiles(c); err != nil {
		return err
	}
	if _, err := newValidator(c, b.Now); err != nil {
		return err
	}
	if _, err := readAlternates(c.Chains); err != nil {
		return err
	}
	if _, err := readLogs(c); err != nil {
		return err
	}
	if _, err := adminRoot(b, c); err != nil {
		return err
	}
	ca, err := keystore.ReadCA(b.Home)
	switch {
	case errors.Is(err, keystore.ErrNoCA) && len(c.Issuers) == 0:
		return nil // it is made at the start
	case err != nil:
		return err
	}
	for _, name := range c.Issuers {
		if err := hasIntermediate(ca, name); err != nil {
			return err
		}
	}
	_, err = b.Profiles()
	return err
}

// hasIntermediate demands that an intermediate is there.
func hasIntermediate(ca *keystore.CA, name string) error {
	all, err := ca.Intermediates()
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Name == name {
			return nil
		}
	}
	return &Problem{Key: "issuers", Text: "there is no intermediate " + name, Advice: "make it: tlswright ca intermediate " + name, Kind: Usage, Err: keystore.ErrNoIntermediate}
}

// adminRoot is the root of the admin CA; nil: none is needed.
func adminRoot(b *Base, c *config.CA) (*x509.Certificate, error) {
	if c.Admin == "" {
		return nil, nil
	}
	ca, err := admin.ReadCA(b.Home)
	if errors.Is(err, admin.ErrNoCA) {
		return nil, &Problem{Text: err.Error(), Err: err, Advice: "make one: tlswright ca admin init"}
	}
	if err != nil {
		return nil, doing(err, "opening the admin CA")
	}
	return ca.Root, nil
}

// nonceFile is where used nonces are noted where the records do not.
func nonceFile(b *Base) string { return filepath.Join(b.Home, "ca", "nonces") }
