package cli

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
)

const monitorLong = `Watch servers and files: certificates that run out, are not renewed, not
reloaded, incomplete, revoked, not trusted or not the expected ones; and tell
people in time, once for each trouble.

What is watched stands in a file, in the section "monitor"; addresses on the
command line will do for a single look. What was seen is kept in the home, or
in a PostgreSQL database that several nodes share.

States: OK, WARNING, CRITICAL, EXPIRED, ERROR (it cannot be looked at) and
UNKNOWN. Without other words a certificate is a warning 30 days before its end
and critical 7 days before, and one that does not live long a third and a tenth
of its life.`

func newMonitor(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Watch certificates where they are served and where they lie, and tell people",
		Long:  monitorLong + "\n\n" + exitCodeHelp,
		Example: `  tlswright monitor check www.example.com:443
  tlswright monitor check -c tlswright.yaml
  tlswright monitor run -c tlswright.yaml
  tlswright monitor report --format html -o report.html
  tlswright monitor ack 1d9c2f80a1b2c3d4 --note "renewal is under way"`,
	}
	return group(cmd, newMonitorCheck(a), newMonitorRun(a), newMonitorReport(a), newMonitorHistory(a), newMonitorDiff(a), newMonitorIncidents(a),
		newMonitorAdd(a), newMonitorRemove(a), newMonitorAck(a), newMonitorSilence(a), newMonitorTestAlert(a), newMonitorDashboard(a))
}

const monitorRunLong = `Watch until SIGINT or SIGTERM. Each target is looked at when its time comes:
every six hours where nothing else is said, spread so that not all come at
once, and never more than two at one host.

SIGHUP has the file read again; targets that are gone are forgotten, new ones
are looked at at once. Several nodes may run on one PostgreSQL database: each
look is made by one of them, and what one that died had taken is looked at by
another a little later.

Each change of a target's state is one line on standard output; incidents are
told on the channels of the file. --metrics ADDRESS tells Prometheus how
everything stands, at /metrics; --dashboard ADDRESS serves pages for browsers.
An address without a host is on loopback.`

// monitorRunFlags are the flags of `monitor run`.
type monitorRunFlags struct {
	monitorFlags
	isQuiet   bool
	metrics   string
	dashboard string
}

func newMonitorRun(a *app) *cobra.Command {
	o := &monitorRunFlags{}
	cmd := &cobra.Command{
		Use:     "run",
		Short:   "Watch until it is told to end",
		Long:    monitorRunLong + "\n\n" + exitCodeHelp,
		Example: "  tlswright monitor run -c tlswright.yaml\n  tlswright monitor run --metrics 127.0.0.1:9465\n  tlswright monitor run --json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.monitorRun(cmd, o) },
	}
	o.register(cmd)
	cmd.Flags().BoolVarP(&o.isQuiet, "quiet", "q", false, "tell trouble of the monitor's own only")
	cmd.Flags().StringVar(&o.metrics, "metrics", "", "`ADDRESS` where Prometheus reads, such as 127.0.0.1:9465 (default: as the file says, or none)")
	cmd.Flags().StringVar(&o.dashboard, "dashboard", "", "`ADDRESS` of pages for browsers, such as 127.0.0.1:9780 (default: as the file says, or none)")
	cmd.Flags().Lookup("json").Usage = "tell what happens as JSON, a line each"
	return cmd
}

func (a *app) monitorRun(cmd *cobra.Command, o *monitorRunFlags) (err error) {
	file, err := a.readMonitor(o.file)
	if err != nil {
		return err
	}
	file.monitor.Metrics = cmp.Or(o.metrics, file.monitor.Metrics)
	file.monitor.Dashboard.Listen = cmp.Or(dashboardAddress(o.dashboard), file.monitor.Dashboard.Listen)
	told := &monitorLog{app: a, asJSON: o.asJSON, isQuiet: o.isQuiet, states: make(map[string]string)}
	var current atomic.Pointer[monitorFile]
	current.Store(file)
	m, err := a.openMonitor(cmd.Context(), file, estate.MonitorOptions{Looked: told.looked, Log: slog.New(told), Serves: true, Own: func() []config.Watched { return current.Load().own }})
	if isGivenUp(cmd.Context(), err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	for _, l := range m.Links() {
		told.listening(l.What, l.URL)
	}
	told.begun(m.Targets(), file.monitor, m.History.Where())
	stop := a.monitorReloads(cmd.Context(), m, &current)
	defer stop()
	if err := m.Run(cmd.Context()); err != nil {
		return cannotRun(err, "")
	}
	return nil
}

// monitorReloads reads the file again when SIGHUP asks for it.
func (a *app) monitorReloads(ctx context.Context, m *estate.Monitor, current *atomic.Pointer[monitorFile]) (stop func()) {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-again:
				before := current.Load()
				file, err := a.readMonitor(before.name)
				if err == nil {
					current.Store(file)
					err = m.Reload(ctx, file.monitor)
				}
				if err != nil {
					current.Store(before)
					a.ui.warnf("the file was not taken over, the old settings stay in force: %v", err)
					continue
				}
				a.ui.notef("%s was read again", before.name)
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(again)
		close(done)
	}
}
