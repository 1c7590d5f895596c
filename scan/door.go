package scan

import (
	"context"
	"sync"
	"time"
)

// door lets connections to one address out: so many at once, so far apart, and fewer when the server pushes back.
type door struct {
	mu      sync.Mutex
	limit   int // connections at once
	full    int // what limit was at first
	open    int
	waiting []chan struct{}
	pace    time.Duration
	next    time.Time // when the next one may begin
	count   int       // begun so far
}

func newDoor(limit int, pace time.Duration) *door {
	return &door{limit: limit, full: limit, pace: pace}
}

// enter waits for a free place and for the pace. Each enter that succeeds wants a leave.
func (d *door) enter(ctx context.Context) error {
	d.mu.Lock()
	if d.open < d.limit {
		d.open++
		d.mu.Unlock()
	} else {
		turn := make(chan struct{})
		d.waiting = append(d.waiting, turn)
		d.mu.Unlock()
		select {
		case <-turn:
		case <-ctx.Done():
			d.giveUp(turn)
			return ctx.Err()
		}
	}
	if err := d.keepPace(ctx); err != nil {
		d.leave()
		return err
	}
	return nil
}

// giveUp takes a waiter out of the queue; if its turn has come in the meantime it passes it on.
func (d *door) giveUp(turn chan struct{}) {
	d.mu.Lock()
	for i, w := range d.waiting {
		if w == turn {
			d.waiting = append(d.waiting[:i], d.waiting[i+1:]...)
			d.mu.Unlock()
			return
		}
	}
	d.mu.Unlock()
	d.leave()
}

// keepPace waits until the next connection may begin.
func (d *door) keepPace(ctx context.Context) error {
	d.mu.Lock()
	d.count++
	if d.pace <= 0 {
		d.mu.Unlock()
		return ctx.Err()
	}
	now := time.Now()
	at := d.next
	if at.Before(now) {
		at = now
	}
	d.next = at.Add(d.pace)
	d.mu.Unlock()
	return wait(ctx, at.Sub(now))
}

// leave frees a place.
func (d *door) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
	for d.open < d.limit && len(d.waiting) > 0 {
		turn := d.waiting[0]
		d.waiting = d.waiting[1:]
		d.open++
		close(turn)
	}
}

// slow halves the number of connections at once: the server pushes back.
func (d *door) slow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = max(1, d.limit/2)
}

// reopen allows as many connections at once as at first.
func (d *door) reopen() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = d.full
}

// made is how many connections were begun.
func (d *door) made() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

// wait sleeps, unless the context ends first.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
