package monitor

import (
	"context"
	"sync"
)

// politeness lets only so many look at one host at the same time.
type politeness struct {
	limit int
	mu    sync.Mutex
	hosts map[string]*queue
}

// queue is a host with those who look at it and wait for it.
type queue struct {
	slots chan struct{}
	users int
}

// enter waits for a place at a host; "" is no host, and has no end of places. leave must be called.
func (p *politeness) enter(ctx context.Context, host string) (leave func(), err error) {
	if host == "" {
		return func() {}, nil
	}
	p.mu.Lock()
	if p.hosts == nil {
		p.hosts = make(map[string]*queue)
	}
	q := p.hosts[host]
	if q == nil {
		q = &queue{slots: make(chan struct{}, max(1, p.limit))}
		p.hosts[host] = q
	}
	q.users++
	p.mu.Unlock()
	forget := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if q.users--; q.users == 0 {
			delete(p.hosts, host)
		}
	}
	select {
	case q.slots <- struct{}{}:
		return func() { <-q.slots; forget() }, nil
	case <-ctx.Done():
		forget()
		return nil, ctx.Err()
	}
}
