package estate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/dashboard"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/monitor"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/tlsnet"
)

// MonitorOptions say what becomes of what a monitor sees.
type MonitorOptions struct {
	Looked func(target string, v watch.Verdict, took time.Duration) // told of every look; nil: nobody is
	Log    *slog.Logger                                             // nil: nothing is logged
	Once   bool                                                     // a single look: nothing of it is kept
	Serves bool                                                     // the dashboard and the metrics of the settings, too
	Own    func() []config.Watched                                  // what is watched beside the targets of the file; nil: nothing
}

// Monitor is an engine with its history, and the sides on which it shows what it has seen.
type Monitor struct {
	Engine  *monitor.Engine
	History *history.History

	b       *Base
	o       MonitorOptions
	remove  string // a folder that is of no use afterwards; "": none
	site    *Dashboard
	metrics *monitorMetrics
	hadCA   bool // that there was one in the same estate, when this was opened

	mu     sync.Mutex
	config *config.Monitor // as it was written
}

// OpenMonitor opens the history that settings name, or that of the home, makes the engine, and binds the ports of what is
// served.
func OpenMonitor(ctx context.Context, b *Base, c *config.Monitor, o MonitorOptions) (_ *Monitor, err error) {
	m := &Monitor{b: b, o: o, config: c, hadCA: b.whole.hasCA()}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	link := dashboard.IncidentURL(&c.Dashboard)
	if o.Serves {
		if m.metrics, err = openMonitorMetrics(c.Metrics); err != nil {
			return nil, err
		}
		if c.Dashboard.Listen != "" {
			if m.site, err = OpenDashboard(b, &c.Dashboard); err != nil {
				return nil, err
			}
			link = m.site.site.IncidentURL
		}
	}
	stores, err := b.Stores()
	if err != nil {
		return nil, err
	}
	if o.Once {
		if m.remove, err = os.MkdirTemp("", "tlswright-monitor-"); err != nil {
			return nil, err
		}
		m.History, err = history.Open(ctx, filepath.Join(m.remove, "history.db"))
	} else {
		m.History, err = b.OpenHistory(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	m.Engine, err = monitor.New(m.effective(c), monitor.Options{History: m.History, Now: b.Now, Looked: m.looked, Log: o.Log,
		Look: monitor.LookOptions{Stores: stores, AllowPrivate: c.AllowPrivate, LogTLS: b.ClientTLS, Intermediates: b.intermediates(), Dial: b.prober()},
		CAs:  b.MonitorCAs, Renew: b.renewLive, Link: link, Record: c.Dashboard.Listen != "" && !c.Dashboard.NoRecords})
	if err != nil {
		return nil, err
	}
	m.metrics.begin(b, m)
	if m.site != nil {
		err = m.site.Begin(m.History, c, m.Engine.Rules, pulseOf(m.Engine), o.Log)
	}
	return m, err
}

// prober opens the connections of a monitor; nil: as usual, for one that is alone.
func (b *Base) prober() func(ctx context.Context, network, address string) (net.Conn, error) {
	if b.whole == nil {
		return nil
	}
	return b.whole.probes.dial
}

func (m *Monitor) name() string { return "monitor" }

// effective are settings with what is watched beside those of the file.
func (m *Monitor) effective(c *config.Monitor) *config.Monitor {
	if m.o.Own == nil || c.NotOwn {
		return c
	}
	with := *c
	with.Targets = append(m.o.Own(), c.Targets...)
	return &with
}

// Targets is how many are watched, without those of lists.
func (m *Monitor) Targets() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.effective(m.config).Targets)
}

func (m *Monitor) looked(target string, v watch.Verdict, took time.Duration) {
	m.metrics.looked(target, v, took)
	if m.o.Looked != nil {
		m.o.Looked(target, v, took)
	}
}

// Run watches until ctx ends.
func (m *Monitor) Run(ctx context.Context) error {
	services := []func(context.Context) error{m.Engine.Run}
	if m.metrics != nil {
		services = append(services, m.metrics.serve)
	}
	if m.site != nil {
		services = append(services, m.site.Serve)
	}
	return ServeAll(ctx, services...)
}

func (m *Monitor) run(ctx context.Context) error { return m.Run(ctx) }

// Reload takes over other targets, channels and rules; with an error nothing changes.
func (m *Monitor) Reload(ctx context.Context, c *config.Monitor) error {
	if err := m.Engine.Reload(ctx, m.effective(c)); err != nil {
		return err
	}
	m.mu.Lock()
	m.config = c
	m.mu.Unlock()
	return nil
}

func (m *Monitor) apply(ctx context.Context, next *config.Estate) error {
	m.mu.Lock()
	before := m.config
	m.mu.Unlock()
	c := next.Monitor
	a, b := before.Dashboard, c.Dashboard
	a.Place, b.Place = config.Place{}, config.Place{}
	showsCA := func(c *config.Monitor) bool { return len(m.b.MonitorCAs(c)) > 0 }
	if before.Database != c.Database || before.Metrics != c.Metrics || before.AllowPrivate != c.AllowPrivate || before.PerHost != c.PerHost || before.Parallel != c.Parallel || !reflect.DeepEqual(a, b) ||
		m.hadCA != m.b.whole.hasCA() || showsCA(before) != showsCA(c) { // roots are read, and pages made, at the beginning
		return errReopen
	}
	return m.Reload(ctx, c) // in any case: what the other parts serve may have changed
}

// Links are the pages that are served.
func (m *Monitor) Links() (all []Link) {
	if m.metrics != nil {
		all = append(all, Link{Part: "monitor", What: "metrics", URL: m.metrics.url()})
	}
	if m.site != nil {
		all = append(all, Link{Part: "monitor", What: "dashboard", URL: m.site.URL()})
	}
	return all
}

func (m *Monitor) links() []Link { return m.Links() }

// Close lets go of everything. Whoever runs it ends that first.
func (m *Monitor) Close() error {
	var errs []error
	m.metrics.close()
	m.site.Close()
	if m.History != nil {
		errs = append(errs, m.History.Close())
		m.History = nil
	}
	if m.remove != "" {
		errs = append(errs, os.RemoveAll(m.remove))
	}
	return errors.Join(errs...)
}

func (m *Monitor) close() error { return m.Close() }

// OpenHistory opens the history that settings name, or that of the home.
func (b *Base) OpenHistory(ctx context.Context, m *config.Monitor) (*history.History, error) {
	address := m.Database
	if address == "" {
		if err := os.MkdirAll(b.Home, 0o700); err != nil {
			return nil, err
		}
		address = filepath.Join(b.Home, "monitor.db")
	}
	h, err := history.Open(ctx, address)
	return h, doing(err, "the history")
}

// renewLive renews a certificate of the tree that "acme obtain" keeps, whatever its age: the monitor says that it is time.
func (b *Base) renewLive(ctx context.Context, name string) error {
	t, err := b.Tree()
	if err != nil {
		return err
	}
	results, err := t.Renew(ctx, acmeclient.RenewOptions{Names: []string{name}, Force: true, Client: func(server string) (*acmeclient.Client, error) {
		c, err := b.ClientTLS()
		if err != nil {
			return nil, err
		}
		return acmeclient.New(t, acmeclient.Options{Server: server, Transport: &tlsnet.Transport{Config: c}, UserAgent: "tlswright", Now: b.Now}), nil
	}})
	if err != nil {
		return fmt.Errorf("renew %s: %w", name, err)
	}
	for _, r := range results {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}
