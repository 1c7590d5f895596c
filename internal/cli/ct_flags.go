package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	outside "github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/follow"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
)

// ctLogFlags say which logs of Certificate Transparency are meant.
type ctLogFlags struct {
	list    string
	only    []string
	timeout time.Duration
}

func (f *ctLogFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.list, "logs", "", "the list of logs, a `FILE` in the form that Chrome's has (JSON, version 3)")
	flags.StringArrayVar(&f.only, "log", nil, "only the log of this `NAME`, a part of its description, its URL or identifier; may be repeated")
	flags.DurationVar(&f.timeout, "log-timeout", 30*time.Second, "how long a log may take to answer, as a `TIME` such as 30s")
	_ = cmd.MarkFlagFilename("logs", "json")
}

// chosen reads the list and gives it, with the logs of it that --log names or, without --log, those that suit.
func (f *ctLogFlags) chosen(cmd *cobra.Command, a *app, suits func(*ct.Log) bool) (*ct.LogList, []*ct.Log, error) {
	if f.list == "" {
		u := usagef(cmd, "%q needs a list of logs: --logs FILE", cmd.CommandPath())
		u.hint = "Chrome's is at https://www.gstatic.com/ct/log_list/v3/log_list.json"
		return nil, nil, u
	}
	list, err := a.readLogList(f.list)
	if err != nil {
		return nil, nil, err
	}
	for _, text := range list.Unreadable {
		a.ui.notef("left out of the list: %s", pki.Printable(text))
	}
	var logs []*ct.Log
	found := make([]bool, len(f.only))
	for _, l := range list.Logs {
		take := len(f.only) == 0 && suits(l)
		for i, name := range f.only {
			if isLogCalled(l, name) {
				take, found[i] = true, true
			}
		}
		if take {
			logs = append(logs, l)
		}
	}
	for i, ok := range found {
		if !ok {
			return nil, nil, usagef(cmd, "--log %q: the list has no such log", f.only[i])
		}
	}
	if len(logs) == 0 {
		return nil, nil, &failure{kind: kindLocal, text: f.list + " has no log for this", hint: "is the list up to date? --log NAME takes one all the same"}
	}
	return list, logs, nil
}

func isLogCalled(l *ct.Log, name string) bool {
	return name != "" && (strings.Contains(strings.ToLower(l.Description), strings.ToLower(name)) || strings.TrimSuffix(l.URL, "/") == strings.TrimSuffix(name, "/") ||
		hex.EncodeToString(l.ID[:]) == strings.ToLower(name))
}

// logName is how a log is shown.
func logName(l *ct.Log) string { return follow.Name(l) }

// logFetcher makes who asks logs.
func (a *app) logFetcher(timeout time.Duration) (*outside.Fetcher, error) {
	b, err := a.base(nil)
	if err != nil {
		return nil, err
	}
	f, err := b.LogFetcher(timeout)
	if err != nil {
		return nil, cannotRun(err, "")
	}
	return f, nil
}

// transparencyFlags have certificates of servers shown to logs before they are signed.
type transparencyFlags struct {
	list    string
	minimum int
}

// What is said of the flags, of `ca init` and `ca serve`.
const (
	ctLogsUsage    = "show certificates of servers to the logs of the list in `FILE`, and embed their timestamps (\"none\": to no log)"
	ctMinimumUsage = "the `NUMBER` of logs that must take a certificate (default: as browsers demand)"
)

func (f *transparencyFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.list, "ct-logs", "", ctLogsUsage)
	flags.IntVar(&f.minimum, "ct-minimum", 0, ctMinimumUsage)
	_ = cmd.MarkFlagFilename("ct-logs", "json")
}

// maxMinimum bounds --ct-minimum.
const maxMinimum = 16

// read gives what the flags say; nil where they say nothing.
func (f *transparencyFlags) read(cmd *cobra.Command, a *app) (*estate.KeptLogs, error) {
	if f.minimum < 0 || f.minimum > maxMinimum {
		return nil, usagef(cmd, "--ct-minimum %d is not between 0 and %d", f.minimum, maxMinimum)
	}
	if f.list == "" || f.list == config.NoLogs {
		if f.minimum != 0 {
			return nil, usagef(cmd, "--ct-minimum without --ct-logs: which logs?")
		}
		return nil, nil
	}
	data, origin, err := a.readBytes(f.list)
	if err != nil {
		return nil, err
	}
	if _, err := ct.ParseLogList(data); err != nil {
		return nil, cannotRun(err, "%s", origin)
	}
	return &estate.KeptLogs{Minimum: f.minimum, Logs: data}, nil
}

// showToLogs has the authority show what it issues to the logs of the flags or, where they say nothing, of the home folder.
func (a *app) showToLogs(ctx context.Context, cmd *cobra.Command, f *transparencyFlags, au *authority.Authority) error {
	if f.list == config.NoLogs {
		au.Transparency = nil
		return nil
	}
	k, err := f.read(cmd, a)
	if err != nil {
		return err
	}
	if k == nil {
		return nil // as the home folder has it
	}
	b, err := a.base(nil)
	if err != nil {
		return err
	}
	return b.ShowToLogs(ctx, k, au)
}

// logFailure puts the error of a log into words, and tells by its kind whether the log was caught.
func logFailure(l *ct.Log, err error) *failure {
	f := &failure{kind: kindNetwork, text: logName(l) + ": " + pki.Printable(err.Error()), err: err}
	switch {
	case errors.Is(err, outside.ErrLog):
		f.kind = kindTrust
	case errors.Is(err, context.Canceled):
		f.kind, f.text = kindInterrupted, "interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		f.kind = kindTimeout
	}
	return f
}

// countsToday tells whether timestamps of the log count for new certificates.
func countsToday(l *ct.Log) bool { return l.State == ct.Usable || l.State == ct.Qualified }

// placeText is a place in a log's tree.
func placeText(index uint64) string { return fmt.Sprintf("entry %d", index) }
