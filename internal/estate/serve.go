package estate

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// ShutdownPatience is how long requests under way may take to finish at the end.
const ShutdownPatience = 5 * time.Second

// WebServer is one that can be stopped.
type WebServer interface {
	Shutdown(context.Context) error
	Close() error
}

// ServeUntil serves until ctx ends, and then lets requests under way finish.
func ServeUntil(ctx context.Context, web WebServer, serve func() error) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), ShutdownPatience)
		defer cancel()
		err := web.Shutdown(patience)
		if err != nil {
			err = web.Close() // what did not finish in time is cut off; that is no failure of the command
		}
		stopped <- err
	})
	defer stop()
	err := serve()
	if ctx.Err() == nil {
		return errors.Join(err, web.Close())
	}
	return <-stopped
}

// ServePlain serves h without TLS until ctx ends, and then lets requests under way finish.
func ServePlain(ctx context.Context, l net.Listener, h http.Handler) error {
	web := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	return ServeUntil(ctx, web, func() error { return web.Serve(l) })
}

// ServeAll runs servers until ctx ends, or one of them does: a service without one of its sides is not whole.
func ServeAll(ctx context.Context, all ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(all))
	for _, serve := range all {
		go func() {
			err := serve(ctx)
			cancel()
			ended <- err
		}()
	}
	var errs []error
	for range all {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// warnings turns what net/http logs into warnings, a line each.
type warnings struct{ log *slog.Logger }

func (w *warnings) Write(p []byte) (int, error) {
	w.log.Warn(pki.Printable(strings.TrimSpace(string(p))))
	return len(p), nil
}
