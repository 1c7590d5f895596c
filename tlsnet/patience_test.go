package tlsnet

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A patience is a context like those of the standard library: it ends once, for one reason, and tells all who asked.
func TestPatienceEndsForOneReason(t *testing.T) {
	gone := errors.New("the caller went away")
	for _, c := range []struct {
		name       string
		timeout    time.Duration
		leave      bool // the caller's context ends
		err, cause error
	}{
		{"nothing happens", time.Hour, false, nil, nil},
		{"no time-out at all", 0, false, nil, nil},
		{"the time is up", 1, false, context.DeadlineExceeded, ErrHandshakeTimeout},
		{"the caller leaves", time.Hour, true, context.Canceled, gone},
		{"the caller leaves, no time-out", 0, true, context.Canceled, gone},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, leave := context.WithCancelCause(context.WithValue(t.Context(), testKey{}, "kept"))
			defer leave(nil)
			late := make(chan struct{}, 1)
			p := newPatience(ctx, c.timeout, closer(func() { late <- struct{}{} }), new(alarms))
			child, cancel := context.WithCancel(p)
			defer cancel()
			if c.leave {
				leave(gone)
			}
			if p.Value(testKey{}) != "kept" {
				t.Error("the caller's values are lost")
			}
			if at, ok := p.Deadline(); ok != (c.timeout > 0) || ok && time.Until(at) > c.timeout {
				t.Errorf("deadline %v, %v", at, ok)
			}
			if c.err != nil {
				<-p.Done()
				<-child.Done()
				<-late
			}
			if !errors.Is(p.Err(), c.err) {
				t.Errorf("ended by %v, want %v", p.Err(), c.err)
			}
			if why := p.over(); why != c.cause {
				t.Errorf("the reason is %v, want %v", why, c.cause)
			}
			<-p.Done()
			<-child.Done()
			select {
			case <-late:
				t.Error("it was late, or late again")
			default:
			}
		})
	}
}

// A caller who leaves at the very end is noticed by whoever ends the handshake.
func TestPatienceNoticesTheCallerLeavingLast(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	calls := 0
	p := newPatience(ctx, time.Hour, closer(func() { calls++ }), new(alarms))
	p.unwatch() // as if it had not run yet
	leave()
	if why := p.over(); !errors.Is(why, context.Canceled) || calls != 1 {
		t.Errorf("%v, %d calls", why, calls)
	}
}

// closer is an io.Closer.
type closer func()

func (f closer) Close() error { f(); return nil }

type testKey struct{}

// An alarm that went off, or goes off while it is given back, tells nobody else.
func TestAlarmsTellTheirOwnerOnly(t *testing.T) {
	var s alarms
	for range 2000 {
		first := newPatience(t.Context(), time.Nanosecond, nil, &s) // which may or may not go off before the end
		first.over()
		second := newPatience(t.Context(), time.Hour, nil, &s)
		if why := second.over(); why != nil {
			t.Fatal(why)
		}
	}
	rang := make(chan struct{})
	p := newPatience(t.Context(), time.Nanosecond, closer(func() { close(rang) }), &s)
	<-rang
	if why := p.over(); !errors.Is(why, ErrHandshakeTimeout) {
		t.Error(why)
	}
}
