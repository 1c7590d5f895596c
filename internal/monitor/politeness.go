package monitor

import (
	"context"
	"math"
	"sync"
	"time"
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
	took  time.Duration // the last visit
}

// visit is a place at a host, or in the line for it.
type visit struct {
	p    *politeness
	host string
	q    *queue // nil: no host, or not admitted
	has  bool   // the place at the host: there was one at once, or wait has returned
	from time.Time
}

// ask wants a place at a host; "" is no host, and has no end of places. Where the line is longer than most already, ok is
// false, and soon tells when there may be room again. Without a place at once (has), wait for it; leave must be called.
func (p *politeness) ask(host string, most int) (v *visit, soon time.Duration, ok bool) {
	v = &visit{p: p, host: host}
	if host == "" {
		v.has = true
		return v, 0, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hosts == nil {
		p.hosts = make(map[string]*queue)
	}
	q := p.hosts[host]
	if q == nil {
		q = &queue{slots: make(chan struct{}, max(1, p.limit)), took: 200 * time.Millisecond}
		p.hosts[host] = q
	}
	select {
	case q.slots <- struct{}{}:
		v.has, v.from = true, time.Now()
	default:
		if line := q.users - cap(q.slots); line >= most {
			return v, time.Duration(q.users) * q.took / time.Duration(cap(q.slots)), false
		}
	}
	q.users++
	v.q = q
	return v, 0, true
}

// wait for the place.
func (v *visit) wait(ctx context.Context) error {
	if v.has {
		return nil
	}
	select {
	case v.q.slots <- struct{}{}:
		v.has, v.from = true, time.Now()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave the host, or the line.
func (v *visit) leave() {
	if v.q == nil {
		return
	}
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	if v.has {
		v.q.took = time.Since(v.from)
		<-v.q.slots
	}
	if v.q.users--; v.q.users == 0 {
		delete(v.p.hosts, v.host)
	}
}

// enter waits for a place at a host, however long the line. leave must be called.
func (p *politeness) enter(ctx context.Context, host string) (leave func(), err error) {
	v, _, _ := p.ask(host, math.MaxInt)
	if err := v.wait(ctx); err != nil {
		v.leave()
		return nil, err
	}
	return v.leave, nil
}
