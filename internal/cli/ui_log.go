package cli

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/tlswright/tlswright/pki"
)

// serviceLog hands what the services log on: errors always, the rest as notes unless they are to be quiet.
func (a *app) serviceLog(isQuiet bool) *slog.Logger {
	level := slog.LevelInfo
	if isQuiet {
		level = slog.LevelError
	}
	return slog.New(&uiLog{ui: a.ui, level: level})
}

// uiLog is a slog.Handler that writes notes and warnings.
type uiLog struct {
	ui    *ui
	level slog.Level
}

func (l *uiLog) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

func (l *uiLog) Handle(_ context.Context, r slog.Record) error {
	text := pki.Printable(r.Message)
	r.Attrs(func(at slog.Attr) bool {
		text += fmt.Sprintf(" %s=%s", at.Key, pki.Printable(at.Value.String()))
		return true
	})
	if r.Level >= slog.LevelWarn {
		l.ui.warnf("%s", text)
	} else {
		l.ui.notef("%s", text)
	}
	return nil
}

func (l *uiLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *uiLog) WithGroup(string) slog.Handler      { return l }
