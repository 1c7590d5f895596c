package estate

import (
	"context"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/dashboard"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/monitor"
	"github.com/tlswright/tlswright/internal/watch"
)

// Dashboard is where a monitor's pages are served.
type Dashboard struct {
	b      *Base
	site   *dashboard.Site
	server *dashboard.Server
	log    *slog.Logger
}

// OpenDashboard binds the address of the pages.
func OpenDashboard(b *Base, c *config.Dashboard) (*Dashboard, error) {
	site, err := dashboard.Listen(*c, b.Now)
	if err != nil {
		return nil, listenProblem("dashboard", "the dashboard", err)
	}
	return &Dashboard{b: b, site: site}, nil
}

// Begin makes the pages of a history. rules says what follows when somebody acknowledges; pulse may be nil.
func (s *Dashboard) Begin(h *history.History, m *config.Monitor, rules func() history.Rules, pulse func() dashboard.Pulse, trouble *slog.Logger) (err error) {
	s.log = trouble
	o := dashboard.Options{Source: h, Keeper: &keeper{s.b, h, rules}, Pulse: pulse, HasCA: len(s.b.MonitorCAs(m)) > 0, Version: s.b.Version, Now: s.b.Now, Log: trouble}
	s.server, err = dashboard.New(s.site.Options(o))
	return doing(err, "the dashboard")
}

// URL is where browsers find the pages.
func (s *Dashboard) URL() string { return s.site.URL() + "/" }

// Serve answers until ctx ends.
func (s *Dashboard) Serve(ctx context.Context) error {
	web, serve := s.site.Server(s.server, log.New(&warnings{s.b.Log}, "", 0))
	return ServeUntil(ctx, web, serve)
}

// Close ends listening, at the latest now. A nil Dashboard has nothing to close.
func (s *Dashboard) Close() {
	if s != nil {
		s.site.Close()
	}
}

// pulseOf tells a dashboard how an engine keeps time.
func pulseOf(e *monitor.Engine) func() dashboard.Pulse {
	return func() dashboard.Pulse {
		s := e.Stats()
		return dashboard.Pulse{Looks: int(s.Looks), Failed: int(s.Unfiled), Median: s.Recent.P50, Ninety9: s.Recent.P99, Most: s.Recent.Max}
	}
}

// keeper changes a history for who uses its pages.
type keeper struct {
	b     *Base
	h     *history.History
	rules func() history.Rules
}

// Acknowledge implements dashboard.Keeper.
func (k *keeper) Acknowledge(ctx context.Context, id, by, note string) error {
	return k.h.Acknowledge(ctx, k.b.Now(), id, by, note, k.rules())
}

// Silence implements dashboard.Keeper.
func (k *keeper) Silence(ctx context.Context, s incident.Silence) (string, error) {
	return k.h.Silence(ctx, s)
}

// EndSilence implements dashboard.Keeper.
func (k *keeper) EndSilence(ctx context.Context, id string) error { return k.h.EndSilence(ctx, id) }

// monitorMetrics is the page that Prometheus reads, and where it is.
type monitorMetrics struct {
	listener net.Listener
	page     *monitor.Metrics
}

// openMonitorMetrics listens at an address, on loopback where it names no host; nil for "".
func openMonitorMetrics(address string) (*monitorMetrics, error) {
	if address == "" {
		return nil, nil
	}
	if strings.HasPrefix(address, ":") {
		address = "127.0.0.1" + address
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listenProblem("metrics", "", err)
	}
	return &monitorMetrics{listener: l}, nil
}

// begin makes the page, now that there is an engine.
func (s *monitorMetrics) begin(b *Base, m *Monitor) {
	if s == nil {
		return
	}
	at, err := netip.ParseAddrPort(s.listener.Addr().String())
	isLocal := err == nil && at.Addr().IsLoopback()
	if !isLocal {
		b.Log.Warn("everybody who reaches " + s.listener.Addr().String() + " can read the metrics")
	}
	s.page = monitor.NewMetrics(monitor.MetricsOptions{History: m.History, Version: b.Version, Now: b.Now, Stats: m.Engine.Stats, Local: isLocal})
}

func (s *monitorMetrics) url() string { return "http://" + s.listener.Addr().String() + "/metrics" }

// looked counts a look.
func (s *monitorMetrics) looked(target string, v watch.Verdict, took time.Duration) {
	if s != nil && s.page != nil {
		s.page.Looked(target, v, took)
	}
}

// serve answers until ctx ends.
func (s *monitorMetrics) serve(ctx context.Context) error { return ServePlain(ctx, s.listener, s.page) }

// close ends listening, at the latest now.
func (s *monitorMetrics) close() {
	if s != nil {
		_ = s.listener.Close() // it may have ended with serve
	}
}
