package monitor

import (
	"context"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/history"
)

// runner brings the crew its work, and brings about what only time does, until ctx ends: alone, or with other nodes.
type runner interface {
	run(ctx context.Context, c *crew, p *post) error
}

// Run watches until ctx ends, and then waits for the looks under way.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.Synchronize(ctx); err != nil {
		return err
	}
	var r runner = &alone{e}
	if pool := e.o.History.Jobs(); pool != nil {
		r = &node{e: e, pool: pool}
	}
	// A runner that fails ends the looks as well.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, p := newCrew(ctx, e), newPost(e)
	err := r.run(ctx, c, p)
	cancel()
	p.wait()
	if closeErr := c.close(); err == nil {
		err = closeErr
	}
	return err
}

// alone is the runner of one process.
type alone struct{ e *Engine }

func (a *alone) run(ctx context.Context, c *crew, p *post) error {
	var wg sync.WaitGroup
	wg.Go(func() { a.claim(ctx, c) })
	wg.Go(func() {
		every(ctx, deliveryPeriod, func() { a.e.trouble(ctx, "deliveries could not be made", p.round(ctx)) })
	})
	wg.Go(func() {
		every(ctx, tickPeriod, func() { a.e.trouble(ctx, "time could not have its consequences", a.e.tick(ctx)) })
	})
	wg.Go(func() {
		every(ctx, sweepTries, func() { a.e.trouble(ctx, "what is old could not be dropped", a.e.sweepOnce(ctx)) })
	})
	wg.Wait()
	return nil
}

// claim brings the crew what is due.
func (a *alone) claim(ctx context.Context, c *crew) {
	for ctx.Err() == nil {
		room := c.waitForRoom(ctx)
		now := a.e.o.Now()
		var due []history.Due
		var err error
		if room > 0 {
			due, err = a.e.o.History.Claim(ctx, now, now.Add(a.e.lease()), a.e.holder, min(room, claimBatch))
		}
		a.e.trouble(ctx, "targets could not be claimed", err)
		c.take(due)
		switch {
		case err != nil:
			pause(ctx, time.Second)
		case len(due) == 0:
			pause(ctx, idleWait)
		}
	}
}

// every does something again and again until ctx ends, with a pause in between.
func every(ctx context.Context, period time.Duration, work func()) {
	for ctx.Err() == nil {
		work()
		pause(ctx, period)
	}
}

// trouble tells of an error, unless it is the end.
func (e *Engine) trouble(ctx context.Context, text string, err error) {
	if err != nil && ctx.Err() == nil {
		e.o.Log.Error(text, "error", err.Error())
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
