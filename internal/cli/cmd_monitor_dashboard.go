package cli

import (
	"cmp"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/monitor"
)

const monitorDashboardLong = `Serve the pages of what a monitor has seen, without looking: beside a "monitor
run" that runs elsewhere on the same database, or to look at an old history.
"monitor run --dashboard" serves them as well.

The pages show the estate at a glance, targets, certificates, incidents, and
each handshake; /api/v1/ gives the same as JSON. They are for this machine
alone unless the section dashboard of the file names a certificate, and only
show unless it names a token-file or a client-ca.`

func newMonitorDashboard(a *app) *cobra.Command {
	o := &monitorFlags{}
	var listen string
	cmd := &cobra.Command{
		Use:     "dashboard",
		Short:   "Serve the pages of what was seen",
		Long:    monitorDashboardLong + "\n\n" + exitCodeHelp,
		Example: "  tlswright monitor dashboard -c tlswright.yaml\n  tlswright monitor dashboard --listen 127.0.0.1:8000",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.monitorDashboard(cmd, o, listen) },
	}
	o.register(cmd)
	cmd.Flags().Lookup("json").Usage = "tell what happens as JSON, a line each"
	cmd.Flags().StringVar(&listen, "listen", "", "`ADDRESS` of the pages (default: as the file says, or 127.0.0.1:"+config.DashboardPort+")")
	return cmd
}

func (a *app) monitorDashboard(cmd *cobra.Command, o *monitorFlags, listen string) error {
	return a.withHistory(cmd.Context(), o, func(h *history.History, m *config.Monitor) (err error) {
		m.Dashboard.Listen = cmp.Or(dashboardAddress(listen), m.Dashboard.Listen, "127.0.0.1:"+config.DashboardPort)
		b, err := a.base(nil)
		if err != nil {
			return err
		}
		site, err := estate.OpenDashboard(b, &m.Dashboard)
		if err != nil {
			return a.monitorFailure(&monitorFile{name: o.file}, err)
		}
		defer site.Close()
		rules, err := monitor.RulesOf(m)
		if err != nil {
			return cannotRun(err, "")
		}
		told := &monitorLog{app: a, asJSON: o.asJSON, states: make(map[string]string)}
		if err := site.Begin(h, m, func() history.Rules { return rules }, nil, slog.New(told)); err != nil {
			return cannotRun(err, "")
		}
		told.listening("dashboard", site.URL())
		if err := site.Serve(cmd.Context()); err != nil && !errors.Is(err, cmd.Context().Err()) {
			return cannotRun(err, "the dashboard")
		}
		return nil
	})
}
