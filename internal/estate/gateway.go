package estate

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/gateway"
)

// Gateway is a gateway with what it needs of the estate. Its ports are bound.
type Gateway struct {
	b       *Base
	g       *gateway.Gateway
	release func() error
	once    sync.Once
	closed  error

	mu     sync.Mutex
	config *config.Gateway // that is in force
	served bool

	records string // database of the CA, when this was opened
	hadCA   bool   // that there was one in the same estate
}

// GatewayOutput is where a gateway tells what it does.
type GatewayOutput struct {
	Events    func(gateway.Event) // nil: nobody is told
	AccessLog io.Writer           // where the access log "-" goes
}

// OpenGateway opens what a gateway needs, and binds its ports.
func OpenGateway(ctx context.Context, b *Base, c *config.Gateway, out GatewayOutput) (*Gateway, error) {
	options, release, err := b.GatewayOptions(ctx, c)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	options.Events, options.Output = out.Events, out.AccessLog
	if b.whole != nil {
		options.Notify, options.KeepMemory = func(string) {}, false // of this process it is a part
		options.IsOurs = b.whole.probes.has
	}
	g, err := gateway.New(b.resolved(c), options)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	if err := g.Listen(); err != nil {
		return nil, errors.Join(err, g.Close(), release())
	}
	return &Gateway{b: b, g: g, release: release, config: c, records: b.records(), hadCA: b.whole.hasCA()}, nil
}

func (g *Gateway) name() string { return "gateway" }

// Run serves until ctx ends, and then lets what is under way finish.
func (g *Gateway) Run(ctx context.Context) error {
	g.mu.Lock()
	g.served = true
	g.mu.Unlock()
	return g.g.Serve(ctx)
}

func (g *Gateway) run(ctx context.Context) error { return g.Run(ctx) }

// Reload takes over other settings: all of them or, with an error, none.
func (g *Gateway) Reload(c *config.Gateway) ([]gateway.Change, error) {
	changes, err := g.g.Reload(g.b.resolved(c))
	if err == nil {
		g.mu.Lock()
		g.config = c
		g.mu.Unlock()
	}
	return changes, err
}

// resolved is a configuration with the directory of the own CA in the place of the word.
func (b *Base) resolved(c *config.Gateway) *config.Gateway {
	if !slices.ContainsFunc(c.Sites, func(s config.Site) bool {
		return s.Certificate.ACME != nil && s.Certificate.ACME.Directory == config.OwnDirectory
	}) {
		return c
	}
	with := *c
	with.Sites = slices.Clone(c.Sites)
	for i := range with.Sites {
		if a := with.Sites[i].Certificate.ACME; a != nil && a.Directory == config.OwnDirectory {
			own := *a
			own.Directory = b.whole.acmeDirectory()
			with.Sites[i].Certificate.ACME = &own
		}
	}
	return &with
}

func (g *Gateway) apply(_ context.Context, next *config.Estate) error {
	before := g.settings()
	_, judged := needsOwnCA(before)
	_, judges := needsOwnCA(next.Gateway)
	if c := next.Gateway; c.User != before.User || c.Metrics != before.Metrics || c.AllowPrivate != before.AllowPrivate || c.Tickets != before.Tickets ||
		judges && !judged || g.records != g.b.records() || g.hadCA != g.b.whole.hasCA() {
		return errReopen
	}
	_, err := g.Reload(next.Gateway)
	return err
}

// Close lets go of everything. Whoever runs it ends that first.
func (g *Gateway) Close() error {
	g.once.Do(func() {
		g.mu.Lock()
		served := g.served
		g.mu.Unlock()
		if !served {
			g.closed = g.g.Close()
		}
		g.closed = errors.Join(g.closed, g.release())
	})
	return g.closed
}

func (g *Gateway) close() error { return g.Close() }

// links are the sites, under the first name of each.
func (g *Gateway) links() []Link {
	c := g.settings()
	var all []Link
	seen := make(map[string]bool)
	for i := range c.Listeners {
		l := &c.Listeners[i]
		at, ok := g.addr(l).(*net.TCPAddr)
		if !ok || l.Protocol != config.ProtocolHTTPS {
			continue
		}
		for _, name := range l.Sites {
			s := siteOf(c, name)
			if s == nil || seen[name] {
				continue
			}
			seen[name] = true
			all = append(all, Link{Part: "gateway", What: "site " + name, URL: "https://" + net.JoinHostPort(tryName(s, ""), portOf(at)) + "/"})
		}
	}
	return all
}

// settings are those in force.
func (g *Gateway) settings() *config.Gateway {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.config
}

// addr is where a listener is bound; nil: nowhere.
func (g *Gateway) addr(l *config.Listener) net.Addr {
	if l.Name != "" {
		return g.g.Addr(l.Name)
	}
	return g.g.Addr(l.Address)
}
