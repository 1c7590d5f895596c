package history

import (
	"fmt"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

func anEstateIsRead(f *fixture) {
	f.watchAll("a", "b")
	a := observation("a", "a.test")
	f.look(a, incident.Finding{Key: incident.Key{Kind: "expiry", Subject: "x"}, Severity: incident.Warning, Title: "x"})
	b := observation("b", "b.test")
	f.look(b)
	states := func() (list []string) {
		f.must(f.PlaceStates(f.Context(), func(p PlaceState) {
			list = append(list, fmt.Sprintf("%s %s %s %d", p.Target, p.Place, p.Digest, p.At.Unix()))
		}))
		return list
	}
	before := states()
	f.now = f.now.Add(time.Hour)
	down := observation("b", "b.test")
	down.Outcome, down.Leaves = watch.Refused, nil
	f.look(down)
	after := states()
	if len(before) != 2 || len(after) != 2 || before[0] != after[0] || before[1] == after[1] {
		f.Errorf("%q, then %q", before, after)
	}
	var seen []string
	f.must(f.Shown(f.Context(), []string{"a", "b", "c"}, func(p PlaceState, now, answered *watch.Observation) {
		seen = append(seen, fmt.Sprintf("%s %s %v", p.Target, now.Outcome, answered != nil && len(answered.Leaves) == 1))
	}))
	if !slices.Equal(seen, []string{"a answered false", "b refused true"}) {
		f.Errorf("%q", seen)
	}
	var names []string
	f.must(f.TargetStates(f.Context(), func(t Target) { names = append(names, t.Name) }))
	kinds, err := f.OpenKinds(f.Context())
	f.must(err)
	if !slices.Equal(names, []string{"a", "b"}) || len(kinds) != 1 || kinds["expiry"] != 1 {
		f.Errorf("%q, %v", names, kinds)
	}
}
