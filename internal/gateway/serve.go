package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/store"
)

// Listen binds all listeners, or none. It must come before Serve, and is where privileges are dropped: what New and
// Listen need as root, such as keys and ports below 1024, is had by then.
func (g *Gateway) Listen() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.state.Load().config
	if err := g.bindAll(c, nil); err != nil {
		return err
	}
	g.noteAddresses()
	if err := g.serveMetrics(c); err != nil {
		g.closeAll()
		return err
	}
	if err := g.becomeUser(c); err != nil {
		g.closeAll()
		return err
	}
	return nil
}

// becomeUser gives up the privileges that are not needed any more, and makes sure that what is needed later can still be
// had: whoever cannot read the records of revoked certificates would refuse everybody, once it serves.
func (g *Gateway) becomeUser(c *config.Gateway) error {
	if c.User == "" {
		return nil
	}
	var folders []string
	if dir := g.folder(""); dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return &ConfigError{Where: "user", Err: err}
		}
		folders = append(folders, dir)
	}
	if err := dropPrivileges(c.User, folders...); err != nil {
		return err
	}
	cannot := func(what string, err error) error {
		return &ConfigError{Where: "user", Err: fmt.Errorf("%s cannot %s: %w; give it to that user, or run as its owner", c.User, what, err)}
	}
	for _, dir := range folders {
		f, err := os.CreateTemp(dir, ".user-*")
		if err != nil {
			return cannot("write to "+dir, err)
		}
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			return cannot("write to "+dir, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, live := range g.o.Live {
		_, err := live.StatusOf(ctx, [32]byte{}, []byte{1})
		if err != nil && !errors.Is(err, store.ErrIssuer) && !errors.Is(err, store.ErrNotFound) {
			return cannot("read the records of our own CA", err)
		}
	}
	for _, s := range g.state.Load().sites {
		if err := s.reload(ctx); err != nil {
			return cannot("read what the site "+s.name+" needs", err)
		}
	}
	return nil
}

// bindAll binds what is not bound yet. On error what it bound is closed again.
func (g *Gateway) bindAll(c *config.Gateway, keep []*listener) error {
	bound := keep
	for i := range c.Listeners {
		lc := &c.Listeners[i]
		if findListener(keep, lc) != nil {
			continue
		}
		l, err := g.bind(c, lc)
		if err != nil {
			for _, l := range bound[len(keep):] {
				_ = l.nl.Close()
			}
			return err
		}
		bound = append(bound, l)
	}
	g.listeners = bound
	return nil
}

func findListener(all []*listener, lc *config.Listener) *listener {
	for _, l := range all {
		if l.name == listenerName(lc) && l.address == lc.Address && l.protocol == lc.Protocol {
			return l
		}
	}
	return nil
}

func (g *Gateway) closeAll() {
	for _, l := range g.listeners {
		_ = l.nl.Close()
	}
	g.listeners = nil
	if g.operator != nil {
		_ = g.operator.nl.Close()
		g.operator = nil
	}
}

// Serve serves until ctx ends or a listener fails, and then lets what is under way finish for as long as Options.Grace
// says. The error is nil where ctx ended it. A Gateway serves once.
func (g *Gateway) Serve(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	g.mu.Lock()
	if len(g.listeners) == 0 || g.serving != nil {
		g.mu.Unlock()
		return errors.New("gateway: Serve comes once, after Listen")
	}
	g.serving = work
	for _, l := range g.listeners {
		g.start(l)
	}
	if g.operator != nil {
		g.running.Go(func() { _ = g.operator.server.Serve(g.operator.nl) })
	}
	g.attend(g.state.Load())
	g.mu.Unlock()
	g.running.Go(func() { g.access.flushEvery(work) })
	if g.o.KeepMemory {
		g.running.Go(func() { keepMemory(work) })
	}
	g.o.Notify(Ready)

	var err error
	select {
	case <-ctx.Done():
	case err = <-g.failed:
	}
	g.o.Notify(Stopping)
	g.tell(slog.LevelInfo, Event{Kind: "stopping", Text: "no new connections are taken; what is under way may finish"})
	g.finish(cancel)
	return errors.Join(err, g.denials.close(), g.access.close(), g.closeKept())
}

// start serves one listener in the background.
func (g *Gateway) start(l *listener) {
	g.tell(slog.LevelInfo, Event{Kind: "listening", Listener: l.name, Address: l.nl.Addr().String(),
		Text: "listening on " + string(l.protocol) + "://" + l.nl.Addr().String()})
	g.running.Go(func() {
		if err := l.serve(); err != nil {
			select {
			case g.failed <- err:
			default:
			}
		}
	})
}

// finish ends everything, gracefully for a while.
func (g *Gateway) finish(cancel context.CancelFunc) {
	g.mu.Lock()
	g.stopping = true // from here on Reload changes nothing any more
	g.mu.Unlock()
	patience, stop := context.WithTimeout(context.Background(), g.o.Grace)
	defer stop()
	var wg sync.WaitGroup
	for _, l := range g.listeners {
		wg.Go(func() { l.shutdown(patience) })
	}
	wg.Wait()
	if g.operator != nil {
		_ = g.operator.server.Close()
	}
	cancel()
	st := g.state.Load()
	if st.stop != nil {
		st.stop()
	}
	st.discard(nil)
	g.running.Wait()
}

// Close lets go of what New has opened, where Serve was never called.
func (g *Gateway) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.serving != nil {
		return errors.New("gateway: it serves: end the context of Serve")
	}
	g.closeAll()
	g.state.Load().discard(nil)
	return errors.Join(g.denials.close(), g.access.close(), g.closeKept())
}

// attend starts what a state needs in the background: watching its files, renewing its certificates.
func (g *Gateway) attend(st *state) {
	ctx, stop := context.WithCancel(g.serving)
	st.stop = stop
	g.running.Go(func() { g.watchFiles(ctx, st) })
	g.running.Go(func() { g.renew(ctx, st) })
}

// pause waits, and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
