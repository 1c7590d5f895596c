package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/dashboard"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/monitor"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
)

// monitorFlags are what the commands of the monitor share.
type monitorFlags struct {
	file   string
	asJSON bool
}

func (f *monitorFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.file, "config", "c", defaultConfig, "the `FILE` with the section monitor")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml", "json")
}

// monitorFile is a file that was read.
type monitorFile struct {
	name    string
	text    []byte
	monitor *config.Monitor
	link    func(incident string) string // where an incident can be read about; nil: nowhere
}

// readMonitor reads a file. What is wrong in it is shown where it stands.
func (a *app) readMonitor(name string) (*monitorFile, error) {
	text, _, err := a.readBytes(name)
	if errors.Is(err, os.ErrNotExist) {
		f := cannotRun(err, "")
		f.hint = "name the file with -c; two lines are enough: monitor: and below it targets: [www.example.com:443]"
		return nil, f
	}
	if err != nil {
		return nil, err
	}
	file := &monitorFile{name: name, text: text}
	if file.monitor, err = config.ReadMonitor(text); err != nil {
		var wrong *config.Error
		if !errors.As(err, &wrong) {
			return nil, cannotRun(err, "%s", pki.Printable(name))
		}
		if wrong.Line > 0 {
			a.ui.write(&a.ui.err, wrong.Excerpt(text))
		}
		return nil, &failure{kind: kindUsage, text: pki.Printable(name) + ": " + wrong.Error(), hint: wrong.Hint, err: wrong}
	}
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, cannotRun(err, "")
	}
	file.monitor.RelativeTo(dir)
	file.link = dashboard.IncidentURL(&file.monitor.Dashboard)
	return file, nil
}

// openedMonitor is an engine with its history.
type openedMonitor struct {
	engine  *monitor.Engine
	history *history.History
	remove  string // a folder that is of no use afterwards; "": none
}

func (m *openedMonitor) close() error {
	err := m.history.Close()
	if m.remove != "" {
		err = errors.Join(err, os.RemoveAll(m.remove))
	}
	return err
}

// historyPath is where the history is kept where nothing else is said.
func (a *app) historyPath() (string, error) {
	home, err := a.home()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return "", cannotRun(err, "")
	}
	return filepath.Join(home, "monitor.db"), nil
}

// openHistory opens the history that a file names, or that of the home.
func (a *app) openHistory(ctx context.Context, m *config.Monitor) (*history.History, error) {
	address := m.Database
	if address == "" {
		var err error
		if address, err = a.historyPath(); err != nil {
			return nil, err
		}
	}
	h, err := history.Open(ctx, address)
	if err != nil {
		return nil, cannotRun(err, "the history")
	}
	return h, nil
}

// openMonitor makes the engine of a file. A file without a name is for one look: nothing of it is kept.
func (a *app) openMonitor(ctx context.Context, file *monitorFile, looked func(string, watch.Verdict, time.Duration), log *slog.Logger) (*openedMonitor, error) {
	stores, err := a.scanStores(nil, true)
	if err != nil {
		return nil, err
	}
	m := &openedMonitor{}
	if file.name == "" {
		if m.remove, err = os.MkdirTemp("", "tlswright-monitor-"); err != nil {
			return nil, cannotRun(err, "")
		}
		m.history, err = history.Open(ctx, filepath.Join(m.remove, "history.db"))
	} else {
		m.history, err = a.openHistory(ctx, file.monitor)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(m.remove))
	}
	m.engine, err = monitor.New(file.monitor, monitor.Options{History: m.history, Now: a.now, Looked: looked, Log: log,
		Look: monitor.LookOptions{Stores: stores, AllowPrivate: file.monitor.AllowPrivate, LogTLS: a.logTLS, Intermediates: a.ownIntermediates()}, CAs: a.monitorCAs, Renew: a.renewLive, Link: file.link, Record: file.monitor.Dashboard.Listen != "" && !file.monitor.Dashboard.NoRecords})
	if err != nil {
		return nil, errors.Join(a.monitorFailure(file, err), m.close())
	}
	return m, nil
}

// monitorFailure shows where in the file a target stands that will not do.
func (a *app) monitorFailure(file *monitorFile, err error) error {
	var wrong *monitor.TargetError
	if errors.As(err, &wrong) && wrong.Place.Line > 0 {
		place := config.Error{Line: wrong.Place.Line, Column: wrong.Place.Column}
		a.ui.write(&a.ui.err, place.Excerpt(file.text))
		return &failure{kind: kindUsage, text: pki.Printable(file.name) + ": " + wrong.Error(), err: err}
	}
	if file.name == "" {
		return &failure{kind: kindUsage, text: err.Error(), err: err, hint: "write it as www.example.com:443"}
	}
	return cannotRun(err, "%s", pki.Printable(file.name))
}

// renewLive renews a certificate of the tree that "acme obtain" keeps, whatever its age: the monitor says that it is time.
func (a *app) renewLive(ctx context.Context, name string) error {
	f := &acmeFlags{}
	t, err := a.acmeTree(f)
	if err != nil {
		return err
	}
	results, err := t.Renew(ctx, acmeclient.RenewOptions{Names: []string{name}, Force: true, Client: func(server string) (*acmeclient.Client, error) {
		return a.acmeClient(t, f, server, func(string) {})
	}})
	if err != nil {
		return acmeFailure(err)
	}
	for _, r := range results {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// ownIntermediates are those of the CA of the home, where there is one.
func (a *app) ownIntermediates() []*x509.Certificate {
	home, err := a.home()
	if err != nil {
		return nil
	}
	ca, err := keystore.ReadCA(home)
	if err != nil {
		return nil // most homes have none
	}
	list, err := ca.Intermediates()
	if err != nil {
		return nil
	}
	var all []*x509.Certificate
	for _, i := range list {
		all = append(all, i.Certificate)
	}
	return all
}
