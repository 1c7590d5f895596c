package monitor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/history"
)

// A check takes targets in bundles: a transaction for each of a thousand would take longer than looking.
const checkBundle = 256

// Check looks at targets once, those of a list or (nil) all, whatever their time, and files what it sees. The results come
// in the order in which the looks end, one after the other; when Check returns all of them are filed. The error names what
// was not looked at, or not filed.
func (e *Engine) Check(ctx context.Context, names []string, done func(history.Result)) error {
	if err := e.Synchronize(ctx); err != nil {
		return err
	}
	if len(names) == 0 {
		var err error
		if names, err = e.allNames(ctx); err != nil {
			return err
		}
	}
	c := &checking{e: e, done: done, filing: newFiler(e), slots: make(chan struct{}, e.parallel()), inHand: make(chan struct{}, mostInHand),
		taken: make(map[string]struct{})}
	leases, end := context.WithCancel(ctx)
	c.wg.Go(func() { e.keepLeases(leases, c.held) })
	for bundle := range slices.Chunk(once(names), checkBundle) {
		if c.look(ctx, bundle); ctx.Err() != nil {
			break
		}
	}
	c.looking.Wait()
	end()
	c.wg.Wait()
	if err := c.filing.close(); err != nil {
		c.failed = append(c.failed, err)
	}
	if len(c.failed) > 0 {
		free, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		c.failed = append(c.failed, e.o.History.Free(free, e.holder)) // what was taken and not looked at
	}
	return errors.Join(c.failed...)
}

// allNames lists all targets.
func (e *Engine) allNames(ctx context.Context) (names []string, err error) {
	for {
		list, total, err := e.o.History.Targets(ctx, history.TargetQuery{ByName: true, Page: history.Page{Limit: 10_000, Offset: len(names)}})
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			names = append(names, t.Name)
		}
		if len(list) == 0 || len(names) >= total {
			return names, nil
		}
	}
}

// once leaves out what stands in a list before.
func once(names []string) []string {
	seen := make(map[string]bool, len(names))
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		twice := seen[name]
		seen[name] = true
		return twice
	})
}

// checking is a check under way.
type checking struct {
	e      *Engine
	done   func(history.Result)
	filing *filer
	slots  chan struct{}  // of looks that are made just now
	inHand chan struct{}  // those that wait for their host as well, which keeps nobody else waiting
	wg     sync.WaitGroup // what goes on beside the looks
	mu     sync.Mutex
	failed []error

	looking sync.WaitGroup
	taken   map[string]struct{} // what is held
}

// held lists it.
func (c *checking) held() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.taken))
}

// look takes some targets and begins to look at them. It waits where too many are in hand.
func (c *checking) look(ctx context.Context, names []string) {
	now := c.e.o.Now()
	due, err := c.e.o.History.ForceAll(ctx, now, now.Add(c.e.lease()), c.e.holder, names)
	if err != nil {
		c.fail(err)
		return
	}
	c.mu.Lock()
	for i := range due {
		c.taken[due[i].Name] = struct{}{}
	}
	c.mu.Unlock()
	for _, name := range names {
		if !slices.ContainsFunc(due, func(d history.Due) bool { return d.Name == name }) {
			c.fail(fmt.Errorf("target %s: %w, or it is being looked at", name, history.ErrNotFound))
		}
	}
	for i := range due {
		c.inHand <- struct{}{}
		c.looking.Go(func() {
			defer func() { <-c.inHand }()
			r, ok := c.one(ctx, &due[i])
			if !ok {
				c.fail(context.Cause(ctx))
				return
			}
			c.mu.Lock()
			c.done(r)
			c.mu.Unlock()
			c.filing.put(r)
			c.mu.Lock()
			delete(c.taken, r.Target)
			c.mu.Unlock()
		})
	}
}

// one looks at a target when its host has a place, and there is a slot. ok is false where ctx has ended.
func (c *checking) one(ctx context.Context, d *history.Due) (r history.Result, ok bool) {
	s, err := prepare(d)
	if err != nil {
		return c.e.unreadable(d, err), true
	}
	leave, err := c.e.hosts.enter(ctx, s.host())
	if err != nil {
		return r, false
	}
	defer leave()
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return r, false
	}
	defer func() { <-c.slots }()
	return c.e.lookAt(ctx, d, s)
}

// fail notes an error, the same one once.
func (c *checking) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.ContainsFunc(c.failed, func(e error) bool { return errors.Is(err, e) && e.Error() == err.Error() }) {
		c.failed = append(c.failed, err)
	}
}
