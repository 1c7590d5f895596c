package history

import (
	"encoding/json"
	"fmt"
	"maps"
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

// issued is a certificate of a CA, as observation shows it.
func issued(name string, at time.Time) Issued {
	c := observation("", name).Leaves[0].Leaf()
	c.Serial = "5e" + name
	return Issued{Certificate: *c, Profile: "server", State: "issued", At: at}
}

func whatWasIssued(f *fixture) {
	f.watchAll("web", "files")
	list := []Issued{issued("served", f.now), issued("disk", f.now), issued("unused", f.now), issued("revoked", f.now), issued("bad", f.now), issued("held", f.now), issued("old", f.now)}
	list[6].NotAfter = f.now.Add(-time.Hour)
	list[2].Names = append(list[2].Names, "Also.Unused.example")
	f.must(f.NoteIssued(f.Context(), "own", list))
	list[3].State, list[3].Revoked = "revoked", f.now
	list[4].State, list[5].State = "revoked", "on hold"
	f.must(f.NoteIssued(f.Context(), "own", list))
	o := observation("web", "served")
	o.Leaves = append(o.Leaves, observation("", "bad").Leaves...)
	f.look(o)
	d := observation("files", "disk")
	d.Source, d.Place = watch.Disk, "/etc/x.pem"
	f.look(d)
	stands := func(when string, want map[Standing]int) {
		f.Helper()
		got, err := f.IssuedStandings(f.Context(), f.now)
		f.must(err)
		if !maps.Equal(got, want) {
			f.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	stands("at first", map[Standing]int{StandsServed: 1, StandsOnDisk: 1, StandsUnused: 1, StandsRevoked: 2, StandsRevokedServed: 1, StandsExpired: 1})
	f.must(f.Released(f.Context(), "own", nil))
	stands("off hold", map[Standing]int{StandsServed: 1, StandsOnDisk: 1, StandsUnused: 2, StandsRevoked: 1, StandsRevokedServed: 1, StandsExpired: 1})
	f.look(observation("web", "another"))
	stands("replaced", map[Standing]int{StandsReplaced: 1, StandsOnDisk: 1, StandsUnused: 2, StandsRevoked: 2, StandsExpired: 1})

	found, err := f.IssuedFor(f.Context(), f.now, []string{"f-revoked", "f-nobody"}, []string{"also.unused.example", "served.example", "bad.example"})
	f.must(err)
	if len(found) != 3 || found["f-revoked"].State != "revoked" || found["f-unused"].Seen || !found["f-served"].Seen || found["f-served"].CA != "own" {
		f.Errorf("%+v", found)
	}
	rows, total, err := f.Issued(f.Context(), f.now, IssuedQuery{Standing: StandsOnDisk})
	f.must(err)
	if total != 1 || rows[0].Fingerprint != "f-disk" || len(rows[0].Where) != 1 || rows[0].Where[0].Place != "/etc/x.pem" || rows[0].Profile != "server" {
		f.Errorf("%d %+v", total, rows)
	}
	for text, want := range map[string]int{"UNUSED.example": 1, "f-re": 1, "5eserved": 1, "%": 0, "": 7} {
		rows, total, err := f.Issued(f.Context(), f.now, IssuedQuery{Text: text, Page: Page{Limit: 3}})
		f.must(err)
		if total != want || len(rows) != min(want, 3) {
			f.Errorf("%q: %d of %d, want %d", text, len(rows), total, want)
		}
	}
	later := f.now.Add(400 * 24 * time.Hour)
	f.must(f.Sweep(f.Context(), time.Time{}, time.Time{}, time.Time{}, later))
	if _, total, err := f.Issued(f.Context(), later, IssuedQuery{}); err != nil || total != 6 {
		f.Errorf("%d are left, %v", total, err)
	}
}

// logsAreReadOn: where a log was left is kept though nothing was found in it, and what is in logs alone is not known.
func logsAreReadOn(f *fixture) {
	f.watchAll("ct", "web")
	o := observation("ct", "logged")
	o.Source, o.Place, o.Log = watch.Logged, "a log", json.RawMessage(`{"read":1}`)
	o.Leaves[0].Leaf().Serial = "5a"
	f.look(o)
	o.Log = json.RawMessage(`{"read":2}`)
	f.look(o)
	places, err := f.Places(f.Context(), "ct")
	f.must(err)
	changes, err := f.Changes(f.Context(), "ct", time.Time{}, Page{})
	f.must(err)
	if len(places) != 1 || string(places[0].Observation.Log) != `{"read":2}` || len(changes) != 0 {
		f.Errorf("%+v, %+v", places, changes)
	}
	more := observation("", "more").Leaves[0]
	more.Chain[0].Serial = "5b"
	o.Leaves = append(o.Leaves, more)
	f.look(o)
	if changes, err = f.Changes(f.Context(), "ct", time.Time{}, Page{}); err != nil || len(changes) != 1 || changes[0].Field != "logged" {
		f.Errorf("%v, %+v", err, changes)
	}
	w := observation("web", "more")
	w.Leaves[0].Leaf().Serial = "5b"
	w.Leaves[0].Leaf().Fingerprint = "the final one"
	f.look(w)
	i := issued("ours", f.now)
	f.must(f.NoteIssued(f.Context(), "own", []Issued{i}))
	seen, err := f.SeenIdentities(f.Context(), []string{"5a", "5b", i.Serial, "5c"})
	f.must(err)
	if len(seen) != 2 || !seen["CN=CA 5b"] || !seen[i.Identity()] {
		f.Errorf("%v", seen)
	}
}
