package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	outside "github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/follow"
	"github.com/tlswright/tlswright/pki/ct"
)

type ctWatchFlags struct {
	ctLogFlags
	state    string
	backlog  int64
	interval time.Duration
	isOnce   bool
	asJSON   bool
}

const ctWatchLong = `Read logs as they grow, and tell of every new certificate for DOMAIN or a name
below it: once, whether as precertificate or certificate, and in however many
logs it is.

Nothing is believed: each tree head must be signed by the log and proven to have
grown from the one before, and all entries that were read must add up to its
root. A log that cannot prove that is reported at once; with --json both tree
heads are in the report, which is the evidence.

What was read is remembered in the file of --state, for each log, so that the
next run goes on there, also after a crash: nothing is left out, and at worst
the one that was told last is told once more. A log that is new in it is read
from its end on, or from --backlog entries before.

--once reads what there is and ends, for cron: with 1 where a log misbehaves, 3
where one could not be read.`

func newCTWatch(a *app) *cobra.Command {
	o := &ctWatchFlags{}
	cmd := &cobra.Command{
		Use:     "watch DOMAIN...",
		Short:   "Tell of new certificates for a domain, as logs grow",
		Long:    ctWatchLong,
		Example: "  tlswright ct watch example.com --logs log_list.json\n  tlswright ct watch example.com example.net --logs log_list.json --once --json\n  tlswright ct watch corp.test --logs own.json --backlog -1",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef(cmd, "%q needs a DOMAIN", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.ctWatch(cmd, o, args) },
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.state, "state", "", "the `FILE` that remembers what was read (default ct-watch.json below --home)")
	f.Int64Var(&o.backlog, "backlog", 0, "of a log that is new in the file: read this `NUMBER` of entries before its end, too (-1: all)")
	f.DurationVar(&o.interval, "interval", time.Minute, "how long to wait between two looks, as a `TIME` such as 5m")
	f.BoolVar(&o.isOnce, "once", false, "read what there is, and end")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, a line for each thing that happens")
	_ = cmd.MarkFlagFilename("state", "json")
	return cmd
}

// logWatch is a run of `ct watch`.
type logWatch struct {
	app     *app
	flags   *ctWatchFlags
	domains follow.Domains
	state   *watchState
	fetcher *outside.Fetcher
}

func (a *app) ctWatch(cmd *cobra.Command, o *ctWatchFlags, args []string) (err error) {
	w := &logWatch{app: a, flags: o}
	for _, text := range args {
		domain, err := follow.ParseDomain(text)
		if err != nil {
			return usagef(cmd, "%v", err)
		}
		w.domains = append(w.domains, domain)
	}
	switch {
	case o.backlog < -1:
		return usagef(cmd, "--backlog %d is neither a number of entries nor -1", o.backlog)
	case o.interval < time.Second:
		return usagef(cmd, "--interval %v is shorter than a second", o.interval)
	}
	_, logs, err := o.chosen(cmd, a, follow.IsGrowing)
	if err != nil {
		return err
	}
	if o.state == "" {
		home, err := a.home()
		if err != nil {
			return err
		}
		o.state = filepath.Join(home, "ct-watch.json")
	}
	if w.state, err = openWatchState(o.state); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.state.close()) }()
	if w.fetcher, err = a.logFetcher(o.timeout); err != nil {
		return err
	}
	defer w.fetcher.Close()
	return w.run(cmd.Context(), logs)
}

// run looks at all logs again and again.
func (w *logWatch) run(ctx context.Context, logs []*ct.Log) error {
	for {
		failures, err := w.round(ctx, logs)
		switch {
		case ctx.Err() != nil && w.flags.isOnce:
			return ctx.Err()
		case ctx.Err() != nil:
			return nil // a watch ends when it is told to
		case err != nil:
			return err
		case w.flags.isOnce:
			return summed(failures, len(logs))
		}
		select {
		case <-time.After(w.flags.interval):
		case <-ctx.Done():
			return nil
		}
	}
}

// summed is how a single look ends.
func summed(failures []*failure, logs int) error {
	if len(failures) == 0 {
		return nil
	}
	isCaught := slices.ContainsFunc(failures, func(f *failure) bool { return f.kind == kindTrust })
	if isCaught {
		return &failure{kind: kindTrust, text: "a log misbehaves: see above"}
	}
	return &failure{kind: kindNetwork, text: fmt.Sprintf("%d of %s could not be read", len(failures), countOf(logs, "log"))}
}

// maxFollowed bounds how many logs are read at the same time.
const maxFollowed = 8

// round reads every log up to its newest head. What is wrong with a log hurts no other; an error is about this machine.
func (w *logWatch) round(ctx context.Context, logs []*ct.Log) (failures []*failure, err error) {
	var mu sync.Mutex
	var wait sync.WaitGroup
	slots := make(chan struct{}, maxFollowed)
	for _, l := range logs {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			fail := w.follow(ctx, w.fetcher.Log(l))
			if fail == nil || ctx.Err() != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if fail.kind == kindLocal {
				err = fail
				return
			}
			failures = append(failures, fail)
		})
	}
	wait.Wait()
	return failures, err
}

// follow reads one log up to its newest head.
func (w *logWatch) follow(ctx context.Context, l *outside.Log) *failure {
	f := &follow.Log{Log: l, From: w.state.position(l.Log), Backlog: w.flags.backlog,
		Look:  func(index uint64, e ct.LogEntry) int { return w.look(l, index, e) },
		Keep:  func(p *follow.Position) error { return w.state.save(l.Log, p, w.app.now()) },
		Begun: func(first uint64) { w.app.ui.notef("%s: read from its end on, %s", logName(l.Log), placeText(first)) }}
	err := f.Read(ctx)
	var trouble *follow.Trouble
	var known *failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &trouble):
		return w.trouble(l, trouble.Err, trouble.Before, trouble.Shown)
	case errors.As(err, &known):
		return known
	}
	return cannotRun(err, "%s", w.flags.state)
}
