package cli

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net"
	"strings"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/dashboard"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/monitor"
)

// monitorSite is where a monitor's dashboard is served.
type monitorSite struct {
	app    *app
	site   *dashboard.Site
	server *dashboard.Server
}

// openMonitorSite listens where the settings say, or a flag in their place; nil: there is no dashboard.
func (a *app) openMonitorSite(c *config.Dashboard, flag string) (*monitorSite, error) {
	if flag != "" {
		if !strings.Contains(flag, ":") {
			flag += ":" + config.DashboardPort
		}
		if strings.HasPrefix(flag, ":") {
			flag = "127.0.0.1" + flag
		}
		c.Listen = flag
	}
	if c.Listen == "" {
		return nil, nil
	}
	site, err := dashboard.Listen(*c, a.now)
	if err != nil {
		f := cannotRun(err, "the dashboard")
		var taken *net.OpError
		if f.hint == "" && errors.As(err, &taken) {
			f.hint = "is the port taken? --dashboard 127.0.0.1:0 takes a free one"
		}
		return nil, f
	}
	return &monitorSite{app: a, site: site}, nil
}

// link makes addresses of incidents' pages; nil where there are none.
func (s *monitorSite) link() func(string) string {
	if s == nil {
		return nil
	}
	return s.site.IncidentURL
}

// begin makes the pages of a history. rules says what follows when somebody acknowledges; pulse may be nil.
func (s *monitorSite) begin(h *history.History, m *config.Monitor, rules func() history.Rules, pulse func() dashboard.Pulse, trouble *slog.Logger) (err error) {
	o := dashboard.Options{Source: h, Keeper: &monitorKeeper{s.app, h, rules}, Pulse: pulse, HasCA: len(s.app.monitorCAs(m)) > 0, Version: buildVersion().Version, Now: s.app.now, Log: trouble}
	s.server, err = dashboard.New(s.site.Options(o))
	if err != nil {
		return cannotRun(err, "the dashboard")
	}
	return nil
}

// serve answers until ctx ends.
func (s *monitorSite) serve(ctx context.Context) error {
	web, serve := s.site.Server(s.server, log.New(&warnings{s.app.ui}, "", 0))
	return serveUntil(ctx, web, serve)
}

// close ends listening, at the latest now.
func (s *monitorSite) close() {
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

// monitorKeeper changes a history for who uses its pages.
type monitorKeeper struct {
	app   *app
	h     *history.History
	rules func() history.Rules
}

// Acknowledge implements dashboard.Keeper.
func (k *monitorKeeper) Acknowledge(ctx context.Context, id, by, note string) error {
	return k.h.Acknowledge(ctx, k.app.now(), id, by, note, k.rules())
}

// Silence implements dashboard.Keeper.
func (k *monitorKeeper) Silence(ctx context.Context, s incident.Silence) (string, error) {
	return k.h.Silence(ctx, s)
}

// EndSilence implements dashboard.Keeper.
func (k *monitorKeeper) EndSilence(ctx context.Context, id string) error {
	return k.h.EndSilence(ctx, id)
}
