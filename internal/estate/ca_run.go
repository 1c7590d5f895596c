package estate

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"syscall"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
)

// caRun is what runs while the part does.
type caRun struct {
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu   sync.Mutex
	errs []error
}

// ended notes why a door has closed that was to stay open, or could not be closed well.
func (r *caRun) ended(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

// run serves until ctx ends. A CA without one of its doors is not whole: if one ends, all do.
func (p *caPart) run(ctx context.Context) error {
	r := &caRun{}
	r.ctx, r.cancel = context.WithCancel(ctx)
	defer r.cancel()
	p.mu.Lock()
	if p.now == nil {
		p.mu.Unlock()
		return errClosed
	}
	p.serving = r
	for _, d := range p.doors {
		p.start(d)
	}
	p.mu.Unlock()
	r.work.Go(func() { _ = p.own.keepFresh(r.ctx) }) // it ends with ctx, and fails never
	<-r.ctx.Done()
	p.mu.Lock()
	p.serving = nil // whoever changes settings now starts nothing any more
	if p.now != nil && p.now.health != nil {
		p.now.health.Stop()
	}
	p.mu.Unlock()
	r.work.Wait()
	return errors.Join(r.errs...)
}

// start serves a door, if the part runs. The part must be locked.
func (p *caPart) start(d *door) {
	r := p.serving
	if d == nil || r == nil {
		return
	}
	ctx, stop := context.WithCancel(r.ctx)
	d.stop = stop
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { p.answer(d.key, w, req) })
	if p.o.Requests != nil && d.key != "metrics" {
		h = p.o.Requests(h)
	}
	r.work.Go(func() {
		defer d.close()
		defer stop()
		err := d.serve(ctx, h, &p.o)
		if err == nil && ctx.Err() == nil {
			err = errors.New("the listener at " + d.address + " has ended")
		}
		if err != nil {
			r.ended(err)
			r.cancel()
		}
	})
}

// answer has the services in force answer.
func (p *caPart) answer(key string, w http.ResponseWriter, r *http.Request) {
	s := p.enter()
	if s == nil {
		http.Error(w, errClosed.Error(), http.StatusServiceUnavailable)
		return
	}
	defer s.leave()
	h := s.handlers[key]
	if h == nil {
		http.Error(w, "this is no longer served here", http.StatusServiceUnavailable)
		return
	}
	h.ServeHTTP(w, r)
}

// apply takes over a section. New services are opened beside those in force, behind the same doors; nothing changes unless
// all can be had.
func (p *caPart) apply(ctx context.Context, next *config.Estate) error {
	p.applying.Lock()
	defer p.applying.Unlock()
	if next.CA == nil {
		return errReopen
	}
	c := *next.CA
	p.mu.RLock()
	before, doors := p.settings, p.doors
	p.mu.RUnlock()
	switch {
	case reflect.DeepEqual(before, &c):
		return p.readFiles(&c)
	case before.Database != c.Database:
		return errReopen // the records are other ones
	}
	fresh, err := newDoors(&c, before, doors)
	if err != nil {
		return err
	}
	if err := p.change(ctx, &c, fresh); err != nil {
		for key, d := range fresh {
			if d != doors[key] {
				p.giveUp(d)
			}
		}
		return err
	}
	return nil
}

// readFiles takes up the certificate that a section names, if its files hold another one than before.
func (p *caPart) readFiles(c *config.CA) error {
	files, err := serviceFiles(c)
	if err != nil || files == nil || bytes.Equal(files.Chain[0], p.own.certificate().Raw) {
		return err
	}
	return p.own.take(*files, nil)
}

// newDoors are the doors of a section: those that stay as they are, and others.
func newDoors(c, before *config.CA, old map[string]*door) (map[string]*door, error) {
	doors := make(map[string]*door)
	var err error
	for _, key := range doorKeys() {
		if doorAddress(c, key) == doorAddress(before, key) {
			doors[key] = old[key]
			continue
		}
		if doors[key], err = bindDoor(key, doorAddress(c, key)); err != nil {
			break
		}
	}
	if err == nil {
		return doors, nil
	}
	for key, d := range doors {
		if d != old[key] {
			d.close()
		}
	}
	if errors.Is(err, syscall.EADDRINUSE) && slices.ContainsFunc(doorKeys(), func(key string) bool { return old[key] != nil && leavesFor(old[key], c) }) {
		return nil, errReopen
	}
	return nil, err
}

// leavesFor reports whether a door is to be elsewhere by a section that has another use for its port, or for more addresses of
// it: then it must be closed first.
func leavesFor(d *door, c *config.CA) bool {
	_, port, err := net.SplitHostPort(d.bound.Addr().String())
	return err == nil && doorAddress(c, d.key) != d.address && slices.ContainsFunc(doorKeys(), func(key string) bool {
		_, wanted, err := net.SplitHostPort(doorAddress(c, key))
		return err == nil && wanted == port
	})
}

// change opens new services, and puts them in the place of the old ones.
func (p *caPart) change(ctx context.Context, c *config.CA, doors map[string]*door) error {
	next, err := p.openServices(ctx, c, doors)
	if err != nil {
		return err
	}
	id, issue, err := p.identityFor(ctx, c, next)
	for key, d := range doors {
		if err == nil && d != p.doors[key] {
			err = p.fit(d)
		}
	}
	if err == nil && id != nil {
		err = p.own.take(*id, issue)
	}
	if err != nil {
		return errors.Join(err, next.close())
	}
	next.watch(p, p.own, isAtLoopback(doors["metrics"]))
	p.mu.Lock()
	old, oldDoors, r := p.now, p.doors, p.serving
	if old == nil {
		p.mu.Unlock()
		return errors.Join(errClosed, next.close())
	}
	p.now, p.doors, p.settings = next, doors, c
	for key, d := range doors {
		if d != oldDoors[key] {
			p.start(d)
		}
	}
	p.draining.Go(func() {
		if err := old.retire(p.life); err != nil {
			p.base.Log.Warn("closing what was replaced: " + err.Error())
		}
	})
	p.mu.Unlock()
	for key, d := range oldDoors {
		switch {
		case d == nil || d == doors[key]:
		case r != nil:
			p.own.drop(d.user)
			d.stop()
			<-d.bound.closed // the port may be wanted again at once
		default:
			p.giveUp(d)
		}
	}
	return nil
}

// giveUp closes a door that is not served.
func (p *caPart) giveUp(d *door) {
	if d != nil {
		p.own.drop(d.user)
		d.close()
	}
}

// identityFor is the service's certificate by other settings; nil: the one it has is right.
func (p *caPart) identityFor(ctx context.Context, c *config.CA, next *caServices) (*keystore.Identity, func(context.Context) (keystore.Identity, error), error) {
	files, err := serviceFiles(c)
	if err != nil || files != nil {
		return files, nil, err
	}
	b := p.settings
	if b.Certificate == "" && b.Lifetime == c.Lifetime && slices.Equal(serviceNames(b), serviceNames(c)) && next.publishesAt(p.own.certificate()) {
		return nil, nil, nil
	}
	id, err := next.issueIdentity(ctx, p.base, c)
	return &id, p.nextIdentity, err
}

// isAtLoopback reports whether only this machine reaches a door.
func isAtLoopback(d *door) bool { return d != nil && config.IsLoopback(d.bound.Addr().String()) }
