package estate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// Options are where an estate tells what it does. The zero value tells nobody.
type Options struct {
	Gateway    GatewayOutput
	Looked     func(target string, v watch.Verdict, took time.Duration) // told of every look of the monitor
	MonitorLog *slog.Logger
}

// Estate is what one file describes: parts that run together, and can be changed while they do.
type Estate struct {
	b *Base
	o Options

	mu       sync.Mutex // held by Run's beginning and end, and by Apply
	config   *config.Estate
	parts    []*running // in the order of sections
	life     context.Context
	failed   chan error
	isClosed bool
	unlock   func() error
}

// running is a part, and its life.
type running struct {
	part
	end  context.CancelFunc // nil: it does not run yet
	done chan struct{}
	err  error // of its end, once done is closed
}

// sectionsInOrder is the order in which parts are opened. Those later in it need those before.
func sectionsInOrder() []string { return []string{"ca", "gateway", "monitor"} }

// PartError says which part of an estate something went wrong with.
type PartError struct {
	Part string
	Err  error
}

// Error implements error.
func (e *PartError) Error() string { return e.Part + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *PartError) Unwrap() error { return e.Err }

// lockFile is held by the one estate that runs in a home.
const lockFile = "up.lock"

// Open opens all parts: files are read, and ports bound, but nothing is served. With an error nothing is left behind.
// Whoever opens an estate runs or closes it.
func Open(ctx context.Context, b *Base, c *config.Estate, o Options) (*Estate, error) {
	if err := checkUser(c); err != nil {
		return nil, &PartError{Part: "gateway", Err: err}
	}
	own := *b
	own.whole = &whole{}
	e := &Estate{b: &own, o: o, config: c, failed: make(chan error, 1)}
	if err := e.lock(); err != nil {
		return nil, err
	}
	for _, name := range sectionsInOrder() {
		if err := e.add(ctx, name, c); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	return e, nil
}

// lock keeps a second estate out of the home: both would write to one history.
func (e *Estate) lock() (err error) {
	e.unlock, err = keystore.HoldHome(e.b.Home, lockFile)
	var locked *keystore.LockedError
	if errors.As(err, &locked) {
		p := &Problem{Text: "another \"tlswright up\" runs in " + e.b.Home, Err: err, Advice: "end that one first, or take another home: --home DIR"}
		if locked.Stale { // where the system does not take a lock from the dead
			p.Advice += "; if none is running, remove " + locked.Path
		}
		return p
	}
	return err
}

// has reports whether a file has a section.
func has(c *config.Estate, name string) bool { return slices.Contains(c.Sections(), name) }

// add opens a part if the file has it, and puts it where it belongs.
func (e *Estate) add(ctx context.Context, name string, c *config.Estate) error {
	if !has(c, name) {
		return nil
	}
	var p part
	var err error
	switch name {
	case "ca":
		var ca *caPart
		if ca, err = e.openCA(ctx, c.CA); err == nil {
			p = ca
		}
	case "gateway":
		var g *Gateway
		if g, err = OpenGateway(ctx, e.b, c.Gateway, e.o.Gateway); err == nil {
			p = g
		}
	default:
		var m *Monitor
		if m, err = OpenMonitor(ctx, e.b, c.Monitor, MonitorOptions{Looked: e.o.Looked, Log: e.o.MonitorLog, Serves: true, Own: e.ownTargets}); err == nil {
			p = m
		}
	}
	if err != nil {
		return &PartError{Part: name, Err: err}
	}
	order := sectionsInOrder()
	at := slices.IndexFunc(e.parts, func(r *running) bool { return slices.Index(order, r.name()) > slices.Index(order, name) })
	if at < 0 {
		at = len(e.parts)
	}
	r := &running{part: p, done: make(chan struct{})}
	e.parts = slices.Insert(e.parts, at, r)
	e.introduce(c)
	if e.life != nil {
		e.start(r)
	}
	return nil
}

// openCA opens the CA. What it is to be stands in its own settings, not in those that the other parts know of.
func (e *Estate) openCA(ctx context.Context, c *config.CA) (*caPart, error) {
	b := *e.b
	b.whole = nil
	return openCAWith(ctx, &b, c, CAOptions{Refused: func(conn *tlsnet.Conn, why error) {
		if from := conn.RemoteAddr().String(); !e.b.whole.probes.has(from) {
			b.Log.Info("a handshake failed", "part", "ca", "with", from, "error", pki.Printable(why.Error()))
		}
	}})
}

// introduce tells the parts of each other.
func (e *Estate) introduce(c *config.Estate) {
	w := e.b.whole
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ca, w.directory, w.plain = nil, "", ""
	if p, ok := e.find("ca").(*caPart); ok {
		w.ca = c.CA
		w.directory, w.plain = p.urls()
		w.directory = "https://" + withoutAny(w.directory) + "/acme/directory"
	}
}

// withoutAny is the host of a URL as it is reached from this machine.
func withoutAny(base string) string {
	host := base[len("https://"):]
	if at, err := netip.ParseAddrPort(host); err == nil && at.Addr().IsUnspecified() {
		return reachable(net.TCPAddrFromAddrPort(at))
	}
	return host
}

// find is a part by its name; nil: there is none.
func (e *Estate) find(name string) part {
	for _, r := range e.parts {
		if r.name() == name {
			return r.part
		}
	}
	return nil
}

// ownTargets are what its monitor watches: where everything is, as it was bound.
func (e *Estate) ownTargets() []config.Watched {
	var list []served
	if p, ok := e.find("ca").(*caPart); ok {
		at := p.secure()
		list = append(list, servedByCA(p.inForce(), at["CA"], at["admin API"])...)
	}
	if g, ok := e.find("gateway").(*Gateway); ok {
		list = append(list, servedBySites(g.settings(), func(l *config.Listener) *net.TCPAddr {
			at, _ := g.addr(l).(*net.TCPAddr)
			return at
		})...)
	}
	return ownTargets(e.b, list)
}

// start runs a part in the background.
func (e *Estate) start(r *running) {
	ctx, end := context.WithCancel(e.life)
	r.end = end
	go func() {
		defer close(r.done)
		r.err = r.run(ctx)
		if ctx.Err() != nil {
			return // it was told to end: stop asks how it went
		}
		if r.err == nil {
			r.err = errors.New("it has ended by itself")
		}
		select {
		case e.failed <- &PartError{Part: r.name(), Err: r.err}:
		default: // another one was first
		}
	}()
}

// stop ends a part and closes it.
func (r *running) stop() (err error) {
	if r.end != nil {
		isOver := false
		select {
		case <-r.done:
			isOver = true // by itself, which was told
		default:
		}
		r.end()
		<-r.done
		if !isOver && !errors.Is(r.err, context.Canceled) { // what was under way may be given up
			err = r.err
		}
	}
	return errors.Join(err, r.close())
}

// Run serves until ctx ends or one of the parts does, and then closes all. ready is called when all runs; it may be nil.
func (e *Estate) Run(ctx context.Context, ready func()) (err error) {
	e.mu.Lock()
	e.life = context.WithoutCancel(ctx)
	for _, r := range e.parts {
		e.start(r)
	}
	e.mu.Unlock()
	gateway.Notify(gateway.Ready)
	if ready != nil {
		ready()
	}
	select {
	case <-ctx.Done():
	case err = <-e.failed:
	}
	gateway.Notify(gateway.Stopping)
	return errors.Join(err, e.Close())
}

// Close ends what runs, the last first, and lets go of everything.
func (e *Estate) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isClosed {
		return nil
	}
	e.isClosed = true
	var errs []error
	for _, r := range slices.Backward(e.parts) {
		if err := r.stop(); err != nil {
			errs = append(errs, &PartError{Part: r.name(), Err: err})
		}
	}
	return errors.Join(append(errs, e.unlock())...)
}

// Links are what can be opened now, part by part.
func (e *Estate) Links() (all []Link) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.parts {
		all = append(all, r.links()...)
	}
	return all
}

// RootPath is the file of the own CA's root.
func (e *Estate) RootPath() string { return e.b.RootPath() }

// Apply takes over other settings: all of them or, with an error, none. Parts take over what they can while they run, and are
// closed and opened anew where they cannot. Files that the settings name are read again, and logs opened again, where the
// settings are the same, too.
func (e *Estate) Apply(ctx context.Context, next *config.Estate) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isClosed {
		return errors.New("it is ending")
	}
	gateway.Notify(gateway.Reloading())
	defer gateway.Notify(gateway.Ready)
	if err := Check(ctx, e.b, next); err != nil {
		return err
	}
	before := e.config
	var done []string
	for _, name := range sectionsInOrder() {
		err := e.change(ctx, name, before, next)
		if err == nil {
			done = append(done, name)
			continue
		}
		return errors.Join(err, e.takeBack(ctx, done, name, next, before))
	}
	e.config = next
	return nil
}

// takeBack undoes what was done of a change, the last first. Then those later in the order look once more at those before
// them: they may know places that are given up again.
func (e *Estate) takeBack(ctx context.Context, done []string, failed string, next, before *config.Estate) (err error) {
	if len(done) == 0 {
		return nil
	}
	undo := func(name string, from *config.Estate) {
		if undone := e.change(ctx, name, from, before); undone != nil {
			err = errors.Join(err, fmt.Errorf("and the way back failed: %w", undone))
		}
	}
	for _, name := range slices.Backward(done) {
		undo(name, next)
	}
	for _, name := range append(done[1:], failed) {
		undo(name, before)
	}
	return err
}

// change brings one part from some settings to others. With an error it is as it was, as far as that can be.
func (e *Estate) change(ctx context.Context, name string, from, to *config.Estate) (err error) {
	defer func() {
		if err != nil {
			e.introduce(from)
		} else {
			e.introduce(to)
		}
	}()
	i := slices.IndexFunc(e.parts, func(r *running) bool { return r.name() == name })
	switch {
	case i < 0:
		return e.add(ctx, name, to)
	case !has(to, name):
		e.drop(i)
		return nil
	}
	err = e.parts[i].apply(ctx, to)
	if err == nil {
		return nil
	}
	if !errors.Is(err, errReopen) {
		return &PartError{Part: name, Err: err}
	}
	e.drop(i)
	if err = e.add(ctx, name, to); err == nil {
		return nil
	}
	if back := e.add(ctx, name, from); back != nil {
		err = errors.Join(err, fmt.Errorf("and the old settings do not work any more: %w", back))
	}
	return err
}

// drop ends a part. What goes wrong with that is told: the part is gone all the same.
func (e *Estate) drop(i int) {
	r := e.parts[i]
	e.parts = slices.Delete(e.parts, i, i+1)
	if err := r.stop(); err != nil {
		e.b.Log.Warn("at its end: "+err.Error(), "part", r.name())
	}
}
