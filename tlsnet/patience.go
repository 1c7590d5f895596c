package tlsnet

import (
	"context"
	"io"
	"sync"
	"time"
)

// patience is the context of one handshake: its caller's, which Config.HandshakeTimeout ends as well. It is what
// context.WithTimeoutCause and context.AfterFunc make together, with a third of their allocations, for it makes nothing
// ready that nobody has asked for: most handshakes are over before anybody looks.
type patience struct {
	context.Context             // the caller's
	beneath         io.Closer   // closed, in a goroutine of its own, if the context ends before the handshake does; nil: nothing is
	until           time.Time   // zero: no time-out
	alarms          *alarms     // where alarm comes from
	alarm           *alarm      // nil: no time-out, or over
	unwatch         func() bool // nil: the caller's context never ends

	mu    sync.Mutex
	done  chan struct{} // made when somebody asks for it
	err   error         // the context has ended
	cause error         // and why
}

// newPatience returns the context of a handshake that may take that long, 0 for ever. Whoever makes it calls over, in the same
// goroutine.
func newPatience(ctx context.Context, timeout time.Duration, beneath io.Closer, alarms *alarms) *patience {
	p := &patience{Context: ctx, beneath: beneath, alarms: alarms}
	if timeout > 0 {
		p.until = time.Now().Add(timeout)
		p.alarm = alarms.set(p, timeout)
	}
	if ctx.Done() != nil {
		p.unwatch = context.AfterFunc(ctx, p.left)
	}
	return p
}

// over ends the context, because the handshake is over. The error is why it had ended before that; nil: it had not.
func (p *patience) over() error {
	if p.alarm != nil {
		p.alarms.give(p.alarm)
		p.alarm = nil
	}
	if p.unwatch != nil {
		p.unwatch()
	}
	if p.Context.Err() != nil { // what watches it may not have come so far
		p.left()
	}
	if p.end(context.Canceled, context.Canceled) {
		return nil
	}
	return p.cause // it does not change any more
}

// passed is called when the time-out has passed, left when the caller's context has ended.
func (p *patience) passed() {
	if p.end(context.DeadlineExceeded, ErrHandshakeTimeout) {
		p.late()
	}
}

// late ends what waits for the network.
func (p *patience) late() {
	if p.beneath != nil {
		p.beneath.Close()
	}
}

func (p *patience) left() {
	if p.end(p.Context.Err(), context.Cause(p.Context)) {
		p.late()
	}
}

// end ends the context, and reports whether it had not ended before.
func (p *patience) end(err, cause error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return false
	}
	p.err, p.cause = err, cause
	if p.done != nil {
		close(p.done)
	}
	return true
}

// Done implements context.Context.
func (p *patience) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		p.done = make(chan struct{})
		if p.err != nil {
			close(p.done)
		}
	}
	return p.done
}

// Err implements context.Context.
func (p *patience) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		return p.Context.Err() // what watches it may not have come so far
	}
	return p.err
}

// Deadline implements context.Context.
func (p *patience) Deadline() (time.Time, bool) {
	at, ok := p.Context.Deadline()
	if p.until.IsZero() || ok && at.Before(p.until) {
		return at, ok
	}
	return p.until, true
}
