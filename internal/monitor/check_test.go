package monitor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/watch"
)

func TestAChecksNamesAreTakenOnce(t *testing.T) {
	l := newLab(t)
	address := l.server(l.leaf(pkitest.P256, 60*day)).address
	for _, name := range []string{"a", "b", "c"} {
		l.watched(name, address)
	}
	l.check(0)
	if _, err := l.h.Force(t.Context(), l.now, l.now.Add(time.Minute), "somebody else", "b"); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := l.e.Check(t.Context(), []string{"a", "b", "a", "nowhere", "c"}, func(r history.Result) { got = append(got, r.Target) })
	if !errors.Is(err, history.ErrNotFound) || !strings.Contains(err.Error(), "target b: ") || !strings.Contains(err.Error(), "target nowhere: ") || len(got) != 2 {
		t.Errorf("looked at %v: %v", got, err)
	}
	if looks, err := l.h.Looks(t.Context(), "a", history.Page{}); err != nil || len(looks) != 1 { // the clock stands still: both are one
		t.Errorf("%d looks, %v", len(looks), err)
	}
}

func TestACheckThatIsBrokenOffKeepsNothingToItself(t *testing.T) {
	l := newLab(t)
	address := l.server(l.leaf(pkitest.P256, 60*day)).address
	for _, name := range []string{"a", "b", "c"} {
		l.watched(name, address)
	}
	l.start()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.e.Check(ctx, nil, func(history.Result) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	err := l.e.Check(ctx, nil, func(history.Result) { cancel() })
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	due, err := l.h.ForceAll(t.Context(), l.now, l.now.Add(time.Minute), "somebody else", []string{"a", "b", "c"})
	if err != nil || len(due) != 3 {
		t.Errorf("%d of 3 targets are free: %v", len(due), err)
	}
}

// Many names of one host that answers nobody, more than there are slots, keep no other target waiting.
func TestABusyHostStallsNoCheck(t *testing.T) {
	l := newLab(t)
	address := l.server(l.leaf(pkitest.P256, 60*day)).address
	const many = 30
	l.c.Parallel = 8
	for i := range many {
		l.watched(fmt.Sprintf("a%03d", i), "busy.example:443")
	}
	l.watched("z", address)
	l.start()
	release := make(chan struct{})
	usual := l.e.see
	l.e.see = func(ctx context.Context, s *spec, withGrade bool, before []*watch.Observation) seen {
		if s.target.Host == "busy.example" {
			<-release
			return seen{observations: []*watch.Observation{{Target: s.Name, Place: s.Address, Source: watch.Served, Outcome: watch.TimedOut, At: l.now}}}
		}
		return usual(ctx, s, withGrade, before)
	}
	looks := 0
	if err := l.e.Check(t.Context(), nil, func(r history.Result) {
		if looks++; looks == 1 {
			l.state(map[string]history.Result{r.Target: r}, "z", watch.OK, "")
			close(release)
		}
	}); err != nil || looks != many+1 {
		t.Errorf("%d looks, %v", looks, err)
	}
}
