package cli

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	outside "github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/follow"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
	"github.com/tlswright/tlswright/tlsnet"
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

// logFetcher makes who asks logs. A person has named the list, so its addresses may be private ones: no certificate and no
// log can name others, for redirects are not followed.
func (a *app) logFetcher(timeout time.Duration) (*outside.Fetcher, error) {
	c, err := a.logTLS()
	if err != nil {
		return nil, err
	}
	return outside.New(outside.Options{AllowPrivate: true, Timeout: timeout, Now: a.now, TLS: c}), nil
}

// logTLS says whom to trust as the server of a log.
func (a *app) logTLS() (*tlsnet.Config, error) {
	trusted, err := a.loadTrust(nil)
	if err != nil {
		return nil, err
	}
	return &tlsnet.Config{Roots: trusted.roots, SystemRoots: trusted.system, Time: a.now}, nil
}

// transparencyFlags have certificates of servers shown to logs before they are signed.
type transparencyFlags struct {
	list    string
	minimum int
}

func (f *transparencyFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.list, "ct-logs", "", "show certificates of servers to the logs of the list in `FILE`, and embed their timestamps (\"none\": to no log)")
	flags.IntVar(&f.minimum, "ct-minimum", 0, "the `NUMBER` of logs that must take a certificate (default: as browsers demand)")
	_ = cmd.MarkFlagFilename("ct-logs", "json")
}

// maxMinimum bounds --ct-minimum.
const maxMinimum = 16

// transparencyFile is what a home folder remembers of --ct-logs.
const transparencyFile = "ct.json"

// noLogs is what --ct-logs says for none.
const noLogs = "none"

// keptLogs is the content of transparencyFile.
type keptLogs struct {
	Minimum int             `json:"minimum,omitempty"`
	Logs    json.RawMessage `json:"logs"` // the list as it was
}

// read gives what the flags say; nil where they say nothing.
func (f *transparencyFlags) read(cmd *cobra.Command, a *app) (*keptLogs, error) {
	if f.minimum < 0 || f.minimum > maxMinimum {
		return nil, usagef(cmd, "--ct-minimum %d is not between 0 and %d", f.minimum, maxMinimum)
	}
	if f.list == "" || f.list == noLogs {
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
	return &keptLogs{f.minimum, data}, nil
}

// keep has certificates that are issued from now on shown to these logs.
func (k *keptLogs) keep(home string) error {
	text, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	return keystore.WriteFile(filepath.Join(home, "ca", transparencyFile), append(text, '\n'), 0o644)
}

// showToLogs has the authority show what it issues to the logs of the flags or, where they say nothing, of the home folder.
func (a *app) showToLogs(ctx context.Context, cmd *cobra.Command, f *transparencyFlags, au *authority.Authority) error {
	if f.list == noLogs {
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
	return a.transparent(ctx, k, au)
}

// showToKeptLogs does so by what the home folder remembers.
func (a *app) showToKeptLogs(ctx context.Context, au *authority.Authority) error {
	home, err := a.home()
	if err != nil {
		return err
	}
	path := filepath.Join(home, "ca", transparencyFile)
	data, err := readFileWithin(path, maxInput)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return cannotRun(err, "reading which logs certificates are shown to")
	}
	var k keptLogs
	if err := json.Unmarshal(data, &k); err != nil {
		return cannotRun(err, "%s", path)
	}
	return a.transparent(ctx, &k, au)
}

// serveWithLogs is both, for a service.
func (a *app) serveWithLogs(cmd *cobra.Command, f *transparencyFlags, au *authority.Authority) error {
	if err := a.showToKeptLogs(cmd.Context(), au); err != nil {
		return err
	}
	return a.showToLogs(cmd.Context(), cmd, f, au)
}

func (a *app) transparent(ctx context.Context, k *keptLogs, au *authority.Authority) error {
	list, err := ct.ParseLogList(k.Logs)
	if err != nil {
		return cannotRun(err, "")
	}
	f, err := a.logFetcher(0)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, f.Close)
	au.Transparency = &authority.Transparency{Logs: list, Minimum: k.Minimum,
		Submit: func(ctx context.Context, log *ct.Log, chain [][]byte, entry ct.Entry) (ct.SCT, error) {
			return f.Log(log).Submit(ctx, chain, entry)
		}}
	return nil
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
