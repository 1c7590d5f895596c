package tlsnet

import (
	"sync"
	"time"
)

// alarm is a timer that goes from handshake to handshake: to make one takes three allocations, and most never go off.
type alarm struct {
	timer *time.Timer

	mu    sync.Mutex
	owner *patience // nil: nobody's
}

// alarms are those that nobody has.
type alarms struct{ pool sync.Pool }

// set takes one that calls passed after that time.
func (s *alarms) set(p *patience, after time.Duration) *alarm {
	if a, ok := s.pool.Get().(*alarm); ok {
		a.assign(p)
		a.timer.Reset(after)
		return a
	}
	a := &alarm{owner: p}
	a.timer = time.AfterFunc(after, a.ring)
	return a
}

// give takes one back. If it is going off at this moment, which concerns nobody any more, it is not used again.
func (s *alarms) give(a *alarm) {
	a.assign(nil)
	if a.timer.Stop() {
		s.pool.Put(a)
	}
}

func (a *alarm) ring() {
	if p := a.assign(nil); p != nil {
		p.passed()
	}
}

// assign returns whose it was.
func (a *alarm) assign(p *patience) *patience {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.owner
	a.owner = p
	return before
}
