package history

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

// stories are cases of the conformance suite about what is told to whom, and what is remembered.
func stories() []conformanceCase {
	return []conformanceCase{
		{"the end is told to who heard the beginning", theEndIsTold},
		{"a channel hears of its targets wherever they stand", channelsHearOfTheirs},
		{"one incident's messages come in order", messagesInOrder},
		{"an incident outlives no target that is gone", noTargetNoIncident},
		{"where an incident was is found again", whereItWas},
		{"what changes is told where addresses change", addressesChange},
		{"changes are found by target and time", changesAreFound},
		{"outages are not kept for ever", outagesAreForgotten},
		{"what is no text is kept as far as it can be", whatIsNoText},
	}
}

// byTeam routes to "pager" what is critical, and to "team-X" what concerns targets that begin with X.
func byTeam(n *incident.Notice) (channels []string) {
	if n.Severity >= incident.Critical {
		channels = append(channels, "pager")
	}
	for _, t := range n.All {
		if c := "team-" + t[:1]; !slices.Contains(channels, c) {
			channels = append(channels, c)
		}
	}
	return channels
}

// lookWith is look, with other rules.
func (f *fixture) lookWith(route func(*incident.Notice) []string, target string, findings ...incident.Finding) {
	f.Helper()
	f.now = f.now.Add(time.Hour)
	_, err := f.Force(f.Context(), f.now, f.now.Add(time.Minute), "me", target)
	f.must(err)
	o := observation(target, "x")
	o.At = f.now
	_, err = f.File(f.Context(), "me", []Result{result(o, f.now, findings...)}, Rules{Route: route})
	f.must(err)
}

// sent claims what is to be delivered, notes that it was, and writes it down: "team-a opened critical".
func (f *fixture) sent() string {
	f.Helper()
	var all []string
	for {
		list, err := f.ClaimDeliveries(f.Context(), f.now, f.now.Add(time.Minute), "", 100)
		f.must(err)
		if len(list) == 0 {
			break
		}
		for _, d := range list {
			all = append(all, fmt.Sprint(d.Channel, " ", d.Notice.Event, " ", d.Notice.Severity))
			f.must(f.Delivered(f.Context(), f.now, d.Notice.ID, d.Channel))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (f *fixture) wantSent(what, want string) {
	f.Helper()
	if got := f.sent(); got != want {
		f.Errorf("%s: sent %q, want %q", what, got, want)
	}
}

func theEndIsTold(f *fixture) {
	f.watchAll("a", "b")
	bad, less := finding("x", "7d"), finding("x", "")
	less.Severity = incident.Warning
	f.lookWith(byTeam, "a", bad)
	f.wantSent("it is critical", "pager opened critical, team-a opened critical")
	f.lookWith(byTeam, "a", less)
	f.wantSent("it is less bad", "")
	f.lookWith(byTeam, "a")
	f.wantSent("it is over", "pager resolved warning, team-a resolved warning")
}

func channelsHearOfTheirs(f *fixture) {
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf("a%02d", i))
	}
	f.watchAll(append(names, "z", "y")...)
	warning := finding("x", "30d")
	warning.Severity = incident.Warning
	f.lookWith(byTeam, "a00", warning)
	f.wantSent("the first target", "team-a opened warning")
	for _, name := range names[1:] {
		f.lookWith(byTeam, name, warning)
	}
	f.wantSent("others of the same team", "")
	f.lookWith(byTeam, "z", warning)
	f.wantSent("a target of another team", "team-z opened warning")
	f.lookWith(byTeam, "z", warning)
	f.wantSent("again", "")
	f.lookWith(byTeam, "a05", finding("x", "7d"))
	f.wantSent("worse", "pager raised critical, team-a raised critical, team-z raised critical")
	f.must(func() error {
		_, err := f.Silence(f.Context(), incident.Silence{From: f.now, To: f.now.Add(2 * time.Hour)})
		return err
	}())
	f.lookWith(byTeam, "y", warning)
	f.wantSent("a target of a third team, silenced", "")
}

func messagesInOrder(f *fixture) {
	f.watchAll("a")
	one := func(*incident.Notice) []string { return []string{"mail"} }
	f.lookWith(one, "a", finding("x", "7d"))
	first, err := f.ClaimDeliveries(f.Context(), f.now, f.now.Add(time.Minute), "", 10)
	f.must(err)
	if len(first) != 1 {
		f.Fatalf("%d deliveries", len(first))
	}
	f.must(f.Failed(f.Context(), f.now.Add(5*time.Hour), first[0].Notice.ID, "mail", "no route"))
	f.lookWith(one, "a")
	f.lookWith(one, "a", finding("other", ""))
	f.wantSent("while the first waits", "mail opened critical")
	f.now = f.now.Add(5 * time.Hour)
	list, err := f.ClaimDeliveries(f.Context(), f.now, f.now.Add(time.Minute), "", 10)
	f.must(err)
	if len(list) != 1 || list[0].Notice.Event != incident.Opened {
		f.Fatalf("claimed are %+v", list)
	}
	f.must(f.Delivered(f.Context(), f.now, list[0].Notice.ID, "mail"))
	f.wantSent("after it", "mail resolved critical")
}

func noTargetNoIncident(f *fixture) {
	f.watchAll("a", "b")
	f.must(f.Add(f.Context(), Wanted{Name: "mine", Spec: json.RawMessage(`{}`), First: f.now}))
	f.look(observation("a", "x"), finding("x", "30d"))
	f.look(observation("mine", "y"), finding("y", "30d"))
	_, err := f.Report(f.Context(), f.now, "channel mail", []incident.Finding{finding("mail", "")}, f.rules())
	f.must(err)
	f.watchAll("b") // and the process dies before it ends the incident of a
	f.must(f.Remove(f.Context(), "mine"))
	gone := f.watchAll("b")
	if !slices.Equal(gone, []string{"a", "mine"}) {
		f.Errorf("to be forgotten are %v", gone)
	}
	for _, name := range gone {
		_, err := f.Forget(f.Context(), f.now, name, f.rules())
		f.must(err)
	}
	list, _, err := f.Incidents(f.Context(), IncidentQuery{Open: true})
	f.must(err)
	if len(list) != 1 || list[0].Key.Subject != "mail" {
		f.Errorf("open are %+v", list)
	}
	if gone := f.watchAll("b"); len(gone) != 0 {
		f.Errorf("again to be forgotten are %v", gone)
	}
}

func whereItWas(f *fixture) {
	f.watchAll("a", "b")
	f.look(observation("a", "x"), finding("x", "30d"))
	f.look(observation("b", "x"), finding("x", "30d"))
	f.look(observation("a", "y"))
	if _, total, err := f.Incidents(f.Context(), IncidentQuery{Target: "a", Open: true}); err != nil || total != 0 {
		f.Errorf("%d incidents of a are open, which are over there: %v", total, err)
	}
	f.look(observation("b", "y"))
	list, total, err := f.Incidents(f.Context(), IncidentQuery{Target: "a"})
	f.must(err)
	if total != 1 || list[0].IsOpen() || len(list[0].Targets) != 2 || len(list[0].Affected()) != 0 {
		f.Fatalf("%d incidents of a: %+v", total, list)
	}
	i, err := f.Incident(f.Context(), list[0].ID)
	f.must(err)
	if i.Targets["a"].Until.IsZero() || i.Targets["a"].Text != "30d" {
		f.Errorf("of a it says %+v", i.Targets["a"])
	}
	f.look(observation("a", "y"), finding("x", "30d"))
	if list, total, err = f.Incidents(f.Context(), IncidentQuery{Target: "a"}); err != nil || total != 2 || !list[0].IsOpen() || len(list[0].Targets) != 1 {
		f.Errorf("%d incidents of a, %v: %+v", total, err, list)
	}
}

// A name whose addresses change from look to look, as those of big hosters do, has one history all the same.
func addressesChange(f *fixture) {
	f.watchAll("a")
	at := func(place, name string) *watch.Observation {
		o := observation("a", name)
		o.Place = place
		return o
	}
	f.look(at("192.0.2.1:443", "x"))
	f.look(at("192.0.2.2:443", "x"))
	list, err := f.Changes(f.Context(), "a", time.Time{}, Page{})
	f.must(err)
	if len(list) != 0 {
		f.Errorf("another address alone is told as %+v", list)
	}
	f.look(at("192.0.2.3:443", "y"))
	list, err = f.Changes(f.Context(), "a", time.Time{}, Page{})
	f.must(err)
	if !slices.ContainsFunc(list, func(c Changed) bool {
		return c.Field == "certificate" && c.Before == "f-x" && c.After == "f-y" && c.Place == "192.0.2.3:443"
	}) {
		f.Errorf("another certificate at another address is told as %+v", list)
	}
}

func changesAreFound(f *fixture) {
	f.watchAll("a", "b")
	f.look(observation("a", "x"))
	f.look(observation("b", "x"))
	f.look(observation("a", "y"))
	middle := f.now
	f.look(observation("b", "y"))
	for _, c := range []struct {
		target string
		since  time.Time
		want   int
	}{{"", time.Time{}, 6}, {"a", time.Time{}, 3}, {"a", middle, 3}, {"a", middle.Add(time.Second), 0}, {"", middle.Add(time.Second), 3}, {"none", time.Time{}, 0}} {
		list, err := f.Changes(f.Context(), c.target, c.since, Page{})
		f.must(err)
		if len(list) != c.want {
			f.Errorf("%d changes of %q since %v, want %d", len(list), c.target, c.since, c.want)
		}
	}
	list, err := f.Changes(f.Context(), "", time.Time{}, Page{Limit: 1})
	f.must(err)
	if len(list) != 1 || list[0].Target != "b" {
		f.Errorf("the newest is %+v", list)
	}
}

// While what is old is swept away, others can write.
func TestMuchIsSweptInParts(t *testing.T) {
	h := openIn(t, t.TempDir()+"/history.db")
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	err := h.update(t.Context(), func(c *change) error {
		for i := range 2*sweptTogether + 10 {
			if err := c.exec(`INSERT INTO looks (target, at, state, took, leaf_ends) VALUES ('a', $1, 0, 0, 0)`, millis(now)-int64(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Sweep(t.Context(), now, now, now, now); err != nil {
		t.Fatal(err)
	}
	looks, err := h.Looks(t.Context(), "a", Page{})
	if err != nil || len(looks) != 1 {
		t.Errorf("%d looks are left, %v", len(looks), err)
	}
	for _, table := range []string{"looks WHERE at", "days WHERE day", "changes WHERE at", "changes WHERE field = 'outcome' AND at"} {
		var a, b, c int
		var plan string
		if err := h.readers.QueryRow("EXPLAIN QUERY PLAN SELECT * FROM "+table+" < 5").Scan(&a, &b, &c, &plan); err != nil || !strings.Contains(plan, "USING INDEX") || strings.Contains(table, "outcome") && !strings.Contains(plan, "changes_outages") {
			t.Errorf("%s: %s, %v", table, plan, err)
		}
	}
}

// What one look costs must not grow with the number of changes that are kept.
func TestChangesOfATargetAreReadByAnIndex(t *testing.T) {
	h := openIn(t, t.TempDir()+"/history.db")
	for _, target := range []string{"", "a"} {
		query, args := changesQuery(target, time.Time{}, Page{})
		var plan strings.Builder
		err := each(t.Context(), h.readers, func(scan func(...any) error) error {
			var id, parent, unused int
			var detail string
			err := scan(&id, &parent, &unused, &detail)
			plan.WriteString(detail + "\n")
			return err
		}, "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil || strings.Contains(plan.String(), "TEMP B-TREE") || !strings.Contains(plan.String(), "USING INDEX") {
			t.Errorf("changes of %q are read so, %v:\n%s", target, err, plan.String())
		}
	}
}

// What a server says, and what a file is called, may be no text; a look is kept all the same.
func whatIsNoText(f *fixture) {
	f.watchAll("a")
	o := observation("a", "x")
	o.Place, o.Error = "/etc/ssl/\xff\x00.pem", "421 \xfe\x00 busy"
	bad := finding("x", "7d")
	bad.Title, bad.Text, bad.Subject = "421 \xff\x00", "\x00", "s\xff\x00"
	f.now = f.now.Add(time.Hour)
	f.claim("me")
	r := result(o, f.now, bad)
	r.Verdict.Reason, r.Places[0].Reason = "it says \xff\x00", "\x00\xff"
	f.file("me", r)
	places, err := f.Places(f.Context(), "a")
	f.must(err)
	target, err := f.Target(f.Context(), "a")
	f.must(err)
	open, _, err := f.Incidents(f.Context(), IncidentQuery{Open: true})
	f.must(err)
	list, err := f.ClaimDeliveries(f.Context(), f.now, f.now.Add(time.Minute), "", 1)
	f.must(err)
	f.must(f.Failed(f.Context(), f.now.Add(time.Hour), list[0].Notice.ID, list[0].Channel, "550 \xff\x00"))
	if len(places) != 1 || !strings.HasPrefix(target.Reason, "it says ") || len(open) != 1 {
		f.Errorf("kept are %+v, %+v, %+v", target, places, open)
	}
}

// A server that comes and goes each minute must not fill the disk with that, where changes are kept for ever.
func outagesAreForgotten(f *fixture) {
	f.watchAll("a")
	f.look(observation("a", "x"))
	f.look(&watch.Observation{Target: "a", Place: "192.0.2.1:443", Source: watch.Served, Outcome: watch.Refused})
	f.look(observation("a", "y"))
	f.now = f.now.Add(100 * 24 * time.Hour)
	f.must(f.Sweep(f.Context(), f.now.Add(-30*24*time.Hour), f.now.Add(-365*24*time.Hour), time.Time{}, f.now))
	list, err := f.Changes(f.Context(), "a", time.Time{}, Page{})
	f.must(err)
	if len(list) != 3 || slices.ContainsFunc(list, func(c Changed) bool { return c.Field == "outcome" }) {
		f.Errorf("left are %+v", list)
	}
}

// A look at one of thousands of addresses that serve the same certificate costs no more than at one of ten.
func TestALookDoesNotReadAllOthers(t *testing.T) {
	f := &fixture{T: t, History: openIn(t, t.TempDir()+"/history.db"), now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	f.watchAll("a", "b")
	id := f.look(observation("a", "x"), finding("x", "30d"))[0].Incident
	cost := func() float64 {
		return testing.AllocsPerRun(5, func() { f.look(observation("b", "x"), finding("x", "30d")) })
	}
	few := cost()
	f.must(f.update(f.Context(), func(c *change) error {
		var row string
		if err := c.QueryRowContext(c.ctx, `SELECT row_id FROM incidents WHERE id = $1`, id).Scan(&row); err != nil {
			return err
		}
		for i := range 3000 {
			if err := c.exec(`INSERT INTO affected (incident, target, active, body) VALUES ($1, $2, 1, '{}')`, row, fmt.Sprintf("t%04d", i)); err != nil {
				return err
			}
		}
		return nil
	}))
	if many := cost(); many > 2*few {
		t.Errorf("%g allocations, and beside 3000 others %g", few, many)
	}
	n := f.look(observation("b", "x"), incident.Finding{Key: finding("x", "").Key, Severity: incident.Emergency, Step: "0", Title: "x is over"})
	if events(n) != "raised" || n[0].Affected != 3002 || len(n[0].Targets) != incident.MaxTargets || n[0].Targets[0] != "a" {
		t.Errorf("told %+v", n)
	}
	f.look(observation("a", "y"))
	if n := f.look(observation("b", "y")); len(n) != 0 {
		t.Errorf("while 3000 others have it, it is told as %s", events(n))
	}
}
