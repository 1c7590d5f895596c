package cli

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/watch"
)

// monitorCheckFlags are the flags of `monitor check`.
type monitorCheckFlags struct {
	monitorFlags
	failOn     string
	startTLS   string
	serverName string
	ca         []string
	warning    int
	critical   int
	grade      bool
	isQuiet    bool
}

const monitorCheckLong = `Look at every target once, now, and say how each stands; or only at the TARGETS
that are named. Made for cron: exit code 1 if one of them is a warning or worse
(see --fail-on).

Targets named on the command line that are in the file are looked at as the
file says. Without a file they are addresses, and nothing is kept of the look.

With a file, what is seen is kept, changes are noted, and incidents are opened
and delivered as "monitor run" does it.`

func newMonitorCheck(a *app) *cobra.Command {
	o := &monitorCheckFlags{}
	cmd := &cobra.Command{
		Use:   "check [TARGET...]",
		Short: "Look at all targets once, now",
		Long:  monitorCheckLong + "\n\n" + exitCodeHelp,
		Example: `  tlswright monitor check www.example.com:443 mail.example.com:25/smtp
  tlswright monitor check -c tlswright.yaml --json
  tlswright monitor check --warning 14 --critical 3 www.example.com:443`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.monitorCheck(cmd, o, args) },
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.failOn, "fail-on", "WARNING", "the `STATE` from which on the exit code is 1: WARNING, ERROR, CRITICAL or EXPIRED")
	complete(cmd, "fail-on", []string{"WARNING", "ERROR", "CRITICAL", "EXPIRED"})
	f.StringVar(&o.startTLS, "starttls", "", "`PROTOCOL` in which addresses on the command line are asked to go over to TLS")
	f.StringVar(&o.serverName, "servername", "", "`NAME` to ask for and to verify, for addresses on the command line")
	f.StringSliceVar(&o.ca, "ca", nil, "trust the certificates in this `FILE`, for addresses on the command line")
	f.IntVar(&o.warning, "warning", 0, "warn so many `DAYS` before the end, for addresses on the command line")
	f.IntVar(&o.critical, "critical", 0, "critical so many `DAYS` before the end, for addresses on the command line")
	f.BoolVar(&o.grade, "grade", false, "scan addresses on the command line in full, for a grade")
	f.BoolVarP(&o.isQuiet, "quiet", "q", false, "show only what is not OK")
	_ = cmd.MarkFlagFilename("ca", "pem", "crt")
	return cmd
}

// adHoc is the configuration for addresses on the command line.
func (o *monitorCheckFlags) adHoc(args []string) *monitorFile {
	m := &config.Monitor{Policy: watch.Policy{Warning: watch.Span{Time: time.Duration(o.warning) * day}, Critical: watch.Span{Time: time.Duration(o.critical) * day}, Patience: 1}}
	every := time.Duration(-1)
	if o.grade {
		every = 1 // by every look: whoever asks for grades wants them now, however many
	}
	for _, address := range args {
		m.Targets = append(m.Targets, config.Watched{Address: address, StartTLS: o.startTLS, ServerName: o.serverName, CA: o.ca, Schedule: config.Schedule{Grade: every}})
	}
	return &monitorFile{monitor: m}
}

func (a *app) monitorCheck(cmd *cobra.Command, o *monitorCheckFlags, args []string) (err error) {
	var worst watch.State
	if err := worst.UnmarshalText([]byte(o.failOn)); err != nil || worst < watch.Warning {
		return usagef(cmd, "--fail-on %q is none of WARNING, ERROR, CRITICAL and EXPIRED", o.failOn)
	}
	if err := o.checkDays(cmd); err != nil {
		return err
	}
	file := o.adHoc(args)
	if len(args) == 0 || cmd.Flags().Changed("config") {
		if file, err = a.readMonitor(o.file); err != nil {
			if f := (*failure)(nil); errors.As(err, &f) && errors.Is(err, os.ErrNotExist) {
				f.hint += "; or name addresses: tlswright monitor check www.example.com:443"
			}
			return err
		}
	}
	m, err := a.openMonitor(cmd.Context(), file, estate.MonitorOptions{Log: slog.New(&monitorLog{app: a, asJSON: o.asJSON, isQuiet: true})})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	names := args
	if file.name == "" {
		names = nil
	}
	progress := newScanProgress(a, 0, false)
	var list []targetReport
	err = m.Engine.Check(cmd.Context(), names, func(r history.Result) {
		list = append(list, ofResult(&r, a.now()))
		progress.looked(len(list))
	})
	progress.clear()
	if err != nil && (len(list) == 0 || cmd.Context().Err() != nil) {
		return a.checkFailure(err)
	}
	if file.name != "" {
		if err := a.deliverAfterCheck(cmd, m); err != nil {
			return err
		}
	}
	told := a.tellCheck(list, o, worst)
	if err != nil { // what was seen is shown, and then what was not
		return a.checkFailure(err)
	}
	return told
}

// checkDays refuses thresholds that make no sense.
func (o *monitorCheckFlags) checkDays(cmd *cobra.Command) error {
	for name, days := range map[string]int{"warning": o.warning, "critical": o.critical} {
		if cmd.Flags().Changed(name) && (days < 1 || days > 36500) {
			return usagef(cmd, "--%s %d is no number of days", name, days)
		}
	}
	if o.warning > 0 && o.critical > o.warning {
		return usagef(cmd, "--critical %d begins before --warning %d", o.critical, o.warning)
	}
	return nil
}

// deliverAfterCheck does what a daemon would do beside looking, and sends what there is to send; what cannot be sent stays in
// the queue.
func (a *app) deliverAfterCheck(cmd *cobra.Command, m *estate.Monitor) error {
	if err := m.Engine.AfterCheck(cmd.Context()); err != nil {
		return cannotRun(err, "")
	}
	waiting, err := m.History.Waiting(cmd.Context())
	if err != nil {
		return cannotRun(err, "")
	}
	for channel, n := range waiting {
		a.ui.warnf("the channel %s could not be reached: %s wait for the next check", channel, countOf(n, "message"))
	}
	return nil
}

func (a *app) checkFailure(err error) error {
	f := cannotRun(err, "")
	if errors.Is(err, history.ErrNotFound) {
		f.hint = "is a daemon looking at it just now? \"tlswright monitor report\" lists the targets"
	}
	return f
}

// tellCheck prints the worst last, where the eye is when a command has ended.
func (a *app) tellCheck(list []targetReport, o *monitorCheckFlags, failOn watch.State) error {
	slices.SortStableFunc(list, func(x, y targetReport) int {
		return cmp.Or(cmp.Compare(x.State, y.State), cmp.Compare(x.Target, y.Target))
	})
	count := make(map[watch.State]int)
	var worst watch.State
	for _, t := range list {
		count[t.State]++
		worst = max(worst, t.State)
	}
	shown := list
	if o.isQuiet {
		shown = slices.DeleteFunc(slices.Clone(list), func(t targetReport) bool { return t.State == watch.OK })
	}
	if o.asJSON {
		if err := a.ui.printJSON(map[string]any{"state": worst, "targets": shown}); err != nil {
			return err
		}
	} else {
		a.targetTable(shown)
		if !o.isQuiet || len(shown) > 0 {
			a.ui.printf("%s: %s", countOf(len(list), "target"), stateCount(count))
		}
	}
	if worst >= failOn || worst == watch.Unknown && failOn <= watch.Warning {
		return &failure{kind: kindFinding, text: fmt.Sprintf("the worst state is %s", worst), told: true}
	}
	return nil
}

// looked is told how many targets were looked at.
func (p *scanProgress) looked(n int) {
	if p.isOn() {
		p.draw(countOf(n, "target") + " looked at")
	}
}
