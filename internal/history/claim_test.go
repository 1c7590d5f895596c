package history

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

func claimsAreHandedOver(f *fixture) {
	f.watchAll("a", "b", "c", "d")
	soon := f.now.Add(time.Minute)
	names, err := f.Reserve(f.Context(), f.now, soon, "plan", 3)
	f.must(err)
	if slices.Sort(names); len(names) != 3 {
		f.Fatalf("reserved %q", names)
	}
	if rest, err := f.Reserve(f.Context(), f.now, soon, "another plan", 10); err != nil || len(rest) != 1 {
		f.Fatalf("then reserved %q, %v", rest, err)
	}
	due, err := f.Take(f.Context(), "plan", "node 1", soon, append(names, "no such target"))
	f.must(err)
	if len(due) != 3 || len(due[0].Spec) == 0 {
		f.Fatalf("taken over: %+v", due)
	}
	if again, err := f.Take(f.Context(), "plan", "node 2", soon, names); err != nil || len(again) != 0 {
		f.Fatalf("taken over twice: %+v, %v", again, err)
	}

	// What a node keeps stays its own; what it does not keep is somebody else's when its time is up.
	f.must(f.Keep(f.Context(), "node 1", soon.Add(time.Hour), names[:1]))
	f.must(f.Keep(f.Context(), "node 2", soon.Add(time.Hour), names[1:2])) // not its own: no change
	f.now = soon
	free, err := f.Reserve(f.Context(), f.now, f.now.Add(time.Minute), "plan", 10)
	f.must(err)
	if len(free) != 3 || slices.Contains(free, names[0]) {
		f.Errorf("after a minute %q are free, and %q is kept", free, names[0])
	}

	// What is postponed is nobody's until then.
	f.must(f.Postpone(f.Context(), "plan", f.now.Add(10*time.Second), free[:1]))
	f.must(f.Free(f.Context(), "plan"))
	now, err := f.Reserve(f.Context(), f.now, f.now.Add(time.Minute), "plan", 10)
	f.must(err)
	later, err := f.Reserve(f.Context(), f.now.Add(10*time.Second), f.now.Add(time.Minute), "plan", 10)
	f.must(err)
	if len(now) != 2 || !slices.Equal(later, free[:1]) {
		f.Errorf("postponed: %q now, %q later", now, later)
	}
}

func onceInAWhile(f *fixture) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	ours := 0
	for range 8 {
		wg.Go(func() {
			isOurs, err := f.Once(f.Context(), "sweep", f.now, time.Hour)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				f.Error(err)
			}
			if isOurs {
				ours++
			}
		})
	}
	wg.Wait()
	if ours != 1 {
		f.Errorf("%d of 8 are to sweep", ours)
	}
	for _, c := range []struct {
		name  string
		later time.Duration
		want  bool
	}{{"sweep", time.Hour - time.Second, false}, {"beat", 0, true}, {"sweep", time.Second, true}, {"sweep", 0, false}} {
		f.now = f.now.Add(c.later)
		if isOurs, err := f.Once(f.Context(), c.name, f.now, time.Hour); err != nil || isOurs != c.want {
			f.Errorf("%s: %v, %v", c.name, isOurs, err)
		}
	}
}

// Nodes that start together make the tables once, those of the queue too.
func nodesThatStartTogether(t *testing.T, address string) {
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			h, err := Open(t.Context(), address)
			if err != nil {
				t.Error(err)
				return
			}
			if n, err := h.Backlog(t.Context(), "look"); err != nil || n != 0 {
				t.Errorf("%d jobs, %v", n, err)
			}
			if skew, err := h.Skew(t.Context(), time.Now()); err != nil || skew.Abs() > time.Minute {
				t.Errorf("the clocks differ by %v, %v", skew, err)
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// nodesThatFileTheSame has two nodes file results that share certificates and incidents, in opposite orders.
func nodesThatFileTheSame(t *testing.T, address string) {
	f := &fixture{T: t, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	f.History = openIn(t, address)
	const targets, certificates = 60, 6
	subject := func(i, round int) string {
		if n := (i + round) % certificates; i < targets/2 {
			return fmt.Sprint("c", n)
		} else {
			return fmt.Sprint("c", certificates-1-n)
		}
	}
	var names []string
	for i := range targets {
		names = append(names, fmt.Sprintf("t%03d", i))
	}
	f.watchAll(names...)
	results := func(from, to, round int) (list []Result) {
		for i := from; i < to; i++ {
			name := subject(i, round)
			list = append(list, result(observation(names[i], name), f.now, finding(name, "30d")))
		}
		return list
	}
	f.claim("first")
	f.file("first", results(0, targets, 0)...) // opens the incidents
	for round := 1; round < 8; round++ {
		f.now = f.now.Add(2 * time.Hour)
		for n, holder := range []string{"a", "b"} {
			_, err := f.ForceAll(f.Context(), f.now, f.now.Add(time.Hour), holder, names[n*targets/2:][:targets/2])
			f.must(err)
		}
		var wg sync.WaitGroup
		for _, holder := range []string{"a", "b"} {
			wg.Go(func() {
				if _, err := f.File(f.Context(), holder, results(0, targets, round), f.rules()); err != nil { // each files its own half
					f.Error(err)
				}
			})
		}
		wg.Wait()
	}
	f.must(f.Close())
}
