package cli

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/monitor"
	"github.com/tlswright/tlswright/pki"
)

// withHistory opens the history of a file, or that of the home where there is no file, for one command.
func (a *app) withHistory(ctx context.Context, o *monitorFlags, work func(h *history.History, m *config.Monitor) error) (err error) {
	m := &config.Monitor{}
	file, err := a.readMonitor(o.file)
	switch {
	case err == nil:
		m = file.monitor
	case o.file != defaultConfig || !errors.Is(err, os.ErrNotExist):
		return err
	}
	h, err := a.openHistory(ctx, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	return work(h, m)
}

// historyFailure puts an error of the history into words.
func historyFailure(err error, hint string) error {
	if err == nil {
		return nil
	}
	f := cannotRun(err, "")
	if errors.Is(err, history.ErrNotFound) {
		f.hint = hint
	}
	return f
}

func newMonitorAdd(a *app) *cobra.Command {
	o := &monitorFlags{}
	var w config.Watched
	cmd := &cobra.Command{
		Use:   "add ADDRESS",
		Short: "Watch one more server, without touching the file",
		Long: `Watch one more server from now on. It is kept beside those of the file, and
looked at by "monitor run" and "monitor check" as they are. A target of the
file is changed there.`,
		Example: "  tlswright monitor add www.example.com:443\n  tlswright monitor add --every 1h --name mail mail.example.com:25/smtp",
		Args:    oneArg("the ADDRESS to watch, as www.example.com:443"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.Address = args[0]
			return a.monitorAdd(cmd, o, w)
		},
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVar(&w.Name, "name", "", "call it `NAME` (default: the address)")
	f.StringVar(&w.ServerName, "servername", "", "`NAME` to ask for and to verify")
	f.StringVar(&w.StartTLS, "starttls", "", "`PROTOCOL` in which it is asked to go over to TLS")
	f.StringSliceVar(&w.CA, "ca", nil, "trust the certificates in this `FILE`")
	spanVar(cmd, &w.Schedule.Every, "every", "look after each `TIME`, as 6h or 1d")
	_ = cmd.MarkFlagFilename("ca", "pem", "crt")
	return cmd
}

func (a *app) monitorAdd(cmd *cobra.Command, o *monitorFlags, w config.Watched) error {
	return a.withHistory(cmd.Context(), o, func(h *history.History, m *config.Monitor) error {
		wanted, err := monitor.One(w, m, a.now())
		if err != nil {
			return &failure{kind: kindUsage, text: err.Error(), err: err, hint: "write the address as www.example.com:443"}
		}
		if err := h.Add(cmd.Context(), wanted); err != nil {
			return cannotRun(err, "")
		}
		return a.done(o, map[string]string{"added": wanted.Name}, "watching %s from now on", wanted.Name)
	})
}

// done tells that something was done.
func (a *app) done(o *monitorFlags, report map[string]string, format string, args ...any) error {
	if o.asJSON {
		return a.ui.printJSON(report)
	}
	a.ui.printf(format, args...)
	return nil
}

func newMonitorRemove(a *app) *cobra.Command {
	o := &monitorFlags{}
	cmd := &cobra.Command{
		Use:     "remove TARGET",
		Short:   "Stop watching what \"monitor add\" began to watch",
		Long:    "Stop watching a target that was added by \"monitor add\". Its incidents end; what\nit has shown stays in the history. A target of the file is taken out there.",
		Example: "  tlswright monitor remove www.example.com:443",
		Args:    oneArg("the TARGET to forget"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withHistory(cmd.Context(), o, func(h *history.History, m *config.Monitor) error {
				rules, err := monitor.RulesOf(m)
				if err != nil {
					return cannotRun(err, "")
				}
				if err := h.Remove(cmd.Context(), args[0]); err != nil {
					return historyFailure(err, "\"tlswright monitor report\" lists the targets")
				}
				if _, err := h.Forget(cmd.Context(), a.now(), args[0], rules); err != nil {
					return cannotRun(err, "")
				}
				return a.done(o, map[string]string{"removed": args[0]}, "%s is not watched any more", args[0])
			})
		},
	}
	o.register(cmd)
	return cmd
}

func newMonitorAck(a *app) *cobra.Command {
	o := &monitorFlags{}
	var note, by string
	cmd := &cobra.Command{
		Use:   "ack INCIDENT",
		Short: "Say that somebody takes care of an incident",
		Long: `Acknowledge an open incident: it is not escalated any more, and told again only
if it becomes worse, and when it is over.`,
		Example: "  tlswright monitor incidents\n  tlswright monitor ack 9d1c2f80a1b2c3d4 --note \"renewal is under way\"",
		Args:    oneArg("the id of the INCIDENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withHistory(cmd.Context(), o, func(h *history.History, m *config.Monitor) error {
				rules, err := monitor.RulesOf(m)
				if err != nil {
					return cannotRun(err, "")
				}
				if err := h.Acknowledge(cmd.Context(), a.now(), args[0], by, note, rules); err != nil {
					return historyFailure(err, "\"tlswright monitor incidents\" lists the open ones")
				}
				return a.done(o, map[string]string{"acknowledged": args[0], "by": by}, "%s takes care of incident %s", by, args[0])
			})
		},
	}
	o.register(cmd)
	cmd.Flags().StringVar(&note, "note", "", "`TEXT` that others are to know")
	cmd.Flags().StringVar(&by, "by", actor(), "`WHO` takes care")
	return cmd
}

// silenceFlags are the flags of `monitor silence`.
type silenceFlags struct {
	monitorFlags
	target, kind, note, by, end string
	last                        time.Duration
}

func newMonitorSilence(a *app) *cobra.Command {
	o := &silenceFlags{}
	cmd := &cobra.Command{
		Use:   "silence",
		Short: "Keep messages back for a while, as during maintenance",
		Long: `Keep messages back for a while. Incidents are opened and kept as always; what
is still open when the silence ends is told then. Without --target and --kind
everything is kept back. Without --for, silences are listed.`,
		Example: `  tlswright monitor silence --target "*.test.example*" --for 2h --note "moving"
  tlswright monitor silence
  tlswright monitor silence --end 019a8c1e5f00d3b2c4e6a8f0`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.monitorSilence(cmd, o) },
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.target, "target", "", "only targets that fit this `PATTERN`; * is any run of characters")
	f.StringVar(&o.kind, "kind", "", "only trouble of this `KIND`, as expiry or unreachable")
	spanVar(cmd, &o.last, "for", "how long, as a `TIME` like 2h or 1d")
	f.StringVar(&o.note, "note", "", "`TEXT` that others are to know")
	f.StringVar(&o.by, "by", actor(), "`WHO` wants it")
	f.StringVar(&o.end, "end", "", "end the silence with this `ID`")
	return cmd
}

func (a *app) monitorSilence(cmd *cobra.Command, o *silenceFlags) error {
	return a.withHistory(cmd.Context(), &o.monitorFlags, func(h *history.History, _ *config.Monitor) error {
		switch {
		case o.end != "":
			if err := h.EndSilence(cmd.Context(), o.end); err != nil {
				return historyFailure(err, "\"tlswright monitor silence\" lists them")
			}
			return a.done(&o.monitorFlags, map[string]string{"ended": o.end}, "silence %s has ended", o.end)
		case o.last < 0:
			return usagef(cmd, "--for %v is no time to come", o.last)
		case o.last == 0 && (o.target != "" || o.kind != "" || o.note != ""):
			return usagef(cmd, "--for is needed: how long, as 2h")
		case o.last == 0:
			return a.listSilences(cmd.Context(), h, o)
		}
		now := a.now()
		id, err := h.Silence(cmd.Context(), incident.Silence{From: now, To: now.Add(o.last), By: o.by, Note: o.note, Target: o.target, Kind: o.kind})
		if err != nil {
			return cannotRun(err, "")
		}
		return a.done(&o.monitorFlags, map[string]string{"silence": id, "until": jsonTime(now.Add(o.last))}, "silence %s, until %s", id, timeOf(now.Add(o.last)))
	})
}

func (a *app) listSilences(ctx context.Context, h *history.History, o *silenceFlags) error {
	list, err := h.Silences(ctx)
	if err != nil {
		return cannotRun(err, "")
	}
	if o.asJSON {
		out := []silenceReport{}
		for i := range list {
			out = append(out, ofSilence(&list[i]))
		}
		return a.ui.printJSON(out)
	}
	if len(list) == 0 {
		a.ui.printf("there is no silence; --for 2h makes one")
		return nil
	}
	cells := [][]string{{"SILENCE", "UNTIL", "TARGET", "KIND", "BY", "NOTE"}}
	for _, s := range list {
		cells = append(cells, []string{s.ID, timeOf(s.To), pki.Printable(orAll(s.Target)), pki.Printable(orAll(s.Kind)), pki.Printable(s.By), pki.Printable(s.Note)})
	}
	a.ui.write(&a.ui.out, a.ui.out.grid(cells, func(row, _ int) style {
		if row == 0 {
			return faint
		}
		return plain
	}))
	return nil
}

func orAll(s string) string {
	if s == "" {
		return "all"
	}
	return s
}

func newMonitorTestAlert(a *app) *cobra.Command {
	o := &monitorFlags{}
	var channel string
	cmd := &cobra.Command{
		Use:     "test-alert",
		Short:   "Send a test message to the channels",
		Long:    "Send a message that says it is a test to every channel of the file, or to one of\nthem. Exit code 1 if one of them did not take it.",
		Example: "  tlswright monitor test-alert\n  tlswright monitor test-alert --channel ops",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			file, err := a.readMonitor(o.file)
			if err != nil {
				return err
			}
			m, err := a.openMonitor(cmd.Context(), file, estate.MonitorOptions{})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, m.Close()) }()
			sent, sendErr := m.Engine.TestAlert(cmd.Context(), channel)
			if o.asJSON {
				report := map[string]any{"sent": append([]string{}, sent...)}
				if sendErr != nil {
					report["error"] = sendErr.Error()
				}
				err = a.ui.printJSON(report)
			} else {
				for _, name := range sent {
					a.ui.printf("%s took the message", name)
				}
			}
			if sendErr != nil {
				return errors.Join(err, &failure{kind: kindFinding, text: sendErr.Error(), err: sendErr})
			}
			return err
		},
	}
	o.register(cmd)
	cmd.Flags().StringVar(&channel, "channel", "", "only the channel `NAME`")
	return cmd
}
