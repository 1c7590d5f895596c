package cli

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/monitor"
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
	own     []config.Watched // what is watched beside the targets of the file
}

// readMonitor reads a file. What is wrong in it is shown where it stands.
func (a *app) readMonitor(name string) (*monitorFile, error) {
	text, _, err := a.readBytes(name)
	if errors.Is(err, os.ErrNotExist) {
		f := cannotRun(err, "")
		f.hint = "name the file with -c; two lines are enough: monitor: and below it targets: [www.example.com:443]; tlswright init writes a whole one"
		return nil, f
	}
	if err != nil {
		return nil, err
	}
	file := &monitorFile{name: name, text: text}
	b, err := a.base(nil)
	if err != nil {
		return nil, err
	}
	if file.monitor, file.own, err = estate.ReadMonitor(b, text); err != nil {
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
	return file, nil
}

// openMonitor makes the engine of a file. A file without a name is for one look: nothing of it is kept.
func (a *app) openMonitor(ctx context.Context, file *monitorFile, o estate.MonitorOptions) (*estate.Monitor, error) {
	b, err := a.base(nil)
	if err != nil {
		return nil, err
	}
	o.Once = file.name == ""
	if o.Own == nil {
		o.Own = func() []config.Watched { return file.own }
	}
	m, err := estate.OpenMonitor(ctx, b, file.monitor, o)
	if err != nil {
		return nil, a.monitorFailure(file, err)
	}
	return m, nil
}

// openHistory opens the history that a file names, or that of the home.
func (a *app) openHistory(ctx context.Context, m *config.Monitor) (*history.History, error) {
	b, err := a.base(nil)
	if err != nil {
		return nil, err
	}
	h, err := b.OpenHistory(ctx, m)
	if err != nil {
		return nil, cannotRun(err, "")
	}
	return h, nil
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
	var problem *estate.Problem
	if errors.As(err, &problem) && (problem.Key == "metrics" || problem.Key == "dashboard") {
		f := &failure{kind: kindLocal, text: problem.Text, hint: problem.Advice, err: err}
		if problem.Key == "metrics" {
			f.text = "--metrics: " + f.text
		}
		var taken *net.OpError
		if errors.As(err, &taken) {
			f.hint = "is the port taken? --" + problem.Key + " 127.0.0.1:0 takes a free one"
		}
		return f
	}
	return cannotRun(err, "%s", pki.Printable(file.name))
}
