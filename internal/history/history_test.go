package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

// conformance is what every database must do. open gives a new, empty history, closed when the test ends.
func conformance(t *testing.T, open func(*testing.T) *History) {
	for _, c := range append(append(stories(), ofMany()...), []conformanceCase{
		{"targets come and go with the file", targetsComeAndGo},
		{"a person's targets are a person's", targetsOfAPerson},
		{"a look is claimed once", aLookIsClaimedOnce},
		{"who lost a claim files nothing", whoLostAClaim},
		{"claims are handed over", claimsAreHandedOver},
		{"once in a while is once", onceInAWhile},
		{"what was seen is found again", whatWasSeen},
		{"an estate is read at one go", anEstateIsRead},
		{"what was issued is known by its use", whatWasIssued},
		{"logs are read on", logsAreReadOn},
		{"changes are told once", changesAreToldOnce},
		{"an outage does not hide a change", anOutageHidesNothing},
		{"incidents have one life", incidentsHaveOneLife},
		{"one certificate is one incident", oneCertificateIsOneIncident},
		{"deliveries are made until they succeed", deliveriesAreMade},
		{"people acknowledge and silence", peopleAcknowledge},
		{"what is forgotten ends its incidents", whatIsForgotten},
		{"lists mean what they say", listsMeanWhatTheySay},
		{"many file at once", manyFileAtOnce},
		{"what is old is swept away", whatIsOld},
		{"who breaks off is told that", whoBreaksOff},
		{"a dashboard finds its way", aDashboardFindsItsWay},
		{"the last handshake is kept", theLastHandshake},
	}...) {
		t.Run(c.name, func(t *testing.T) {
			c.test(&fixture{T: t, History: open(t), now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)})
		})
	}
}

// conformanceCase is one thing that every database must do.
type conformanceCase struct {
	name string
	test func(*fixture)
}

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *History { return openIn(t, filepath.Join(t.TempDir(), "history.db")) })
}

func openIn(t *testing.T, address string) *History {
	t.Helper()
	h, err := Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

type fixture struct {
	*testing.T
	*History
	now time.Time
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) rules() Rules {
	return Rules{Incidents: incident.Rules{Escalate: map[incident.Severity]time.Duration{incident.Critical: time.Hour}},
		Route: func(*incident.Notice) []string { return []string{"mail", "chat"} }}
}

// watchAll synchronizes targets that are due now.
func (f *fixture) watchAll(names ...string) []string {
	f.Helper()
	var wanted []Wanted
	for _, n := range names {
		wanted = append(wanted, Wanted{Name: n, Spec: json.RawMessage(`{"address":"` + n + `"}`), First: f.now})
	}
	gone, err := f.Synchronize(f.Context(), FromFile, wanted)
	f.must(err)
	return gone
}

func (f *fixture) claim(holder string) []Due {
	f.Helper()
	due, err := f.Claim(f.Context(), f.now, f.now.Add(time.Minute), holder, 100)
	f.must(err)
	return due
}

// observation is one of a certificate by that name.
func observation(target, name string) *watch.Observation {
	c := watch.Certificate{Fingerprint: "f-" + name, Subject: "CN=" + name, Issuer: "CN=CA", Names: []string{name + ".example"}, Key: "ECDSA P-256", Pin: "p-" + name,
		NotBefore: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 1, 30, 0, 0, 0, 0, time.UTC)}
	return &watch.Observation{Target: target, Place: "192.0.2.1:443", Source: watch.Served, Outcome: watch.Answered, Version: "TLS 1.3", Leaves: []watch.Leaf{{Chain: []watch.Certificate{c}}}}
}

// look claims a target and files what it shows.
func (f *fixture) look(o *watch.Observation, findings ...incident.Finding) []incident.Notice {
	f.Helper()
	f.now = f.now.Add(time.Hour)
	if _, err := f.Force(f.Context(), f.now, f.now.Add(time.Minute), "me", o.Target); err != nil {
		f.Fatal(err)
	}
	o.At, o.Took = f.now, time.Duration(f.now.Minute())
	return f.file("me", result(o, f.now, findings...))
}

func result(o *watch.Observation, now time.Time, findings ...incident.Finding) Result {
	v := watch.Verdict{Reason: "fine"}
	if len(findings) > 0 {
		v.State, v.Reason = watch.Warning, findings[0].Title
	}
	if len(o.Leaves) > 0 {
		v.Leaf = o.Leaves[0].Leaf().NotAfter
	}
	return Result{Target: o.Target, At: now, Next: now.Add(time.Hour), Took: 5 * time.Millisecond, Verdict: v, Findings: findings,
		Places: []Seen{{Observation: o, State: v.State, Reason: v.Reason}}}
}

func (f *fixture) file(holder string, results ...Result) []incident.Notice {
	f.Helper()
	notices, err := f.File(f.Context(), holder, results, f.rules())
	f.must(err)
	return notices
}

func finding(subject, step string) incident.Finding {
	return incident.Finding{Key: incident.Key{Kind: "expiry", Subject: subject}, Severity: incident.Critical, Step: step, Title: subject + " runs out", Text: step}
}

func events(notices []incident.Notice) string {
	var list []string
	for _, n := range notices {
		list = append(list, string(n.Event))
	}
	return strings.Join(list, " ")
}

func names(list []Target) string {
	var out []string
	for _, t := range list {
		out = append(out, t.Name)
	}
	return strings.Join(out, " ")
}

func targetsComeAndGo(f *fixture) {
	if gone := f.watchAll("a", "b", "c"); len(gone) != 0 {
		f.Errorf("gone are %v", gone)
	}
	f.look(observation("a", "x"))
	if gone := f.watchAll("a", "d"); !slices.Equal(gone, []string{"b", "c"}) {
		f.Errorf("gone are %v", gone)
	}
	list, total, err := f.Targets(f.Context(), TargetQuery{ByName: true})
	f.must(err)
	if names(list) != "a d" || total != 2 {
		f.Errorf("%d targets: %s", total, names(list))
	}
	if list[0].Last.IsZero() || list[0].Next.Sub(list[0].Last) != time.Hour {
		f.Errorf("what has not changed lost its history: %+v", list[0])
	}
}

func targetsOfAPerson(f *fixture) {
	f.watchAll("a")
	f.must(f.Add(f.Context(), Wanted{Name: "mine", Spec: json.RawMessage(`{}`), First: f.now}))
	if err := f.Add(f.Context(), Wanted{Name: "a", Spec: json.RawMessage(`{}`), First: f.now}); err == nil {
		f.Error("a target of the file was changed by a person")
	}
	if err := f.Remove(f.Context(), "a"); err == nil || errors.Is(err, ErrNotFound) {
		f.Errorf("a target of the file was removed by a person: %v", err)
	}
	f.watchAll("a")
	if _, err := f.Target(f.Context(), "mine"); err != nil {
		f.Errorf("the file took away what a person added: %v", err)
	}
	f.must(f.Remove(f.Context(), "mine"))
	if err := f.Remove(f.Context(), "mine"); !errors.Is(err, ErrNotFound) {
		f.Errorf("removed twice: %v", err)
	}
}

func aLookIsClaimedOnce(f *fixture) {
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("t%03d", i))
	}
	f.watchAll(all...)
	var mu sync.Mutex
	got := make(map[string]int)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for {
				due, err := f.Claim(context.Background(), f.now, f.now.Add(time.Minute), fmt.Sprint(n), 7)
				if err != nil {
					f.Error(err)
					return
				}
				if len(due) == 0 {
					return
				}
				mu.Lock()
				for _, d := range due {
					got[d.Name]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(got) != 200 {
		f.Errorf("%d of 200 targets were claimed", len(got))
	}
	for name, n := range got {
		if n != 1 {
			f.Errorf("%s was claimed %d times", name, n)
		}
	}
	if due := f.claim("late"); len(due) != 0 {
		f.Errorf("%d targets are claimed again", len(due))
	}
	f.must(f.Free(f.Context(), "0"))
	f.now = f.now.Add(2 * time.Minute)
	if due := f.claim("late"); len(due) == 0 {
		f.Error("what somebody held and never filed is not given to another one")
	}
}

func whoLostAClaim(f *fixture) {
	f.watchAll("a")
	f.claim("first")
	f.now = f.now.Add(time.Hour)
	if due := f.claim("second"); len(due) != 1 {
		f.Fatal("the claim does not end")
	}
	if n := f.file("first", result(observation("a", "x"), f.now, finding("x", "7d"))); len(n) != 0 {
		f.Errorf("told %s without a claim", events(n))
	}
	if n := f.file("second", result(observation("a", "x"), f.now, finding("x", "7d"))); events(n) != "opened" {
		f.Errorf("told %q", events(n))
	}
	if n := f.file("second", result(observation("a", "x"), f.now, finding("x", "3d"))); len(n) != 0 {
		f.Errorf("filed twice: %s", events(n))
	}
}

func whatWasSeen(f *fixture) {
	f.watchAll("a")
	f.look(observation("a", "x"))
	f.now = f.now.Add(2 * time.Hour)
	due := f.claim("me")
	if len(due) != 1 || len(due[0].Before) != 1 || due[0].Before[0].Leaves[0].Leaf().Fingerprint != "f-x" || due[0].Since["192.0.2.1:443"].IsZero() {
		f.Fatalf("what was seen before: %+v", due)
	}
	f.file("me", result(observation("a", "x"), f.now))
	places, err := f.Places(f.Context(), "a")
	f.must(err)
	if len(places) != 1 || !places[0].At.After(places[0].Since) || places[0].Observation.Leaves[0].Leaf().Subject != "CN=x" {
		f.Errorf("places are %+v", places)
	}
	looks, err := f.Looks(f.Context(), "a", Page{})
	f.must(err)
	days, err := f.Days(f.Context(), "a", time.Time{})
	f.must(err)
	if len(looks) != 2 || len(days) != 1 || days[0].Looks != 2 || days[0].Mean != 5*time.Millisecond {
		f.Errorf("looks %+v, days %+v", looks, days)
	}
	known, total, err := f.Certificates(f.Context(), CertificateQuery{Text: "X.EXAMPLE"})
	f.must(err)
	if total != 1 || len(known[0].Where) != 1 || known[0].Where[0].Target != "a" || !known[0].Last.After(known[0].First) {
		f.Errorf("certificates are %+v", known)
	}
}

func changesAreToldOnce(f *fixture) {
	f.watchAll("a")
	f.look(observation("a", "x"))
	f.look(observation("a", "x"))
	f.look(observation("a", "y"))
	f.look(observation("a", "y"))
	list, err := f.Changes(f.Context(), "a", time.Time{}, Page{})
	f.must(err)
	var fields []string
	for _, c := range list {
		fields = append(fields, c.Field)
	}
	slices.Sort(fields)
	if strings.Join(fields, " ") != "certificate key names" {
		f.Errorf("changed are %v", fields)
	}
}

func anOutageHidesNothing(f *fixture) {
	f.watchAll("a")
	f.look(observation("a", "x"))
	down := &watch.Observation{Target: "a", Place: "192.0.2.1:443", Source: watch.Served, Outcome: watch.TimedOut}
	f.look(down)
	f.look(&watch.Observation{Target: "a", Place: "192.0.2.1:443", Source: watch.Served, Outcome: watch.Refused})
	f.now = f.now.Add(2 * time.Hour)
	due := f.claim("me")
	if len(due[0].Known) != 1 || due[0].Known[0].Leaves[0].Leaf().Fingerprint != "f-x" {
		f.Fatalf("the last answer is %+v", due[0].Known)
	}
	f.must(f.Free(f.Context(), "me"))
	f.look(observation("a", "y"))
	list, err := f.Changes(f.Context(), "a", time.Time{}, Page{})
	f.must(err)
	if !slices.ContainsFunc(list, func(c Changed) bool { return c.Field == "certificate" && c.Before == "f-x" && c.After == "f-y" }) {
		f.Errorf("the change during an outage is not told: %+v", list)
	}
}

func incidentsHaveOneLife(f *fixture) {
	f.watchAll("a")
	for _, step := range []struct {
		findings []incident.Finding
		want     string
	}{
		{nil, ""},
		{[]incident.Finding{finding("x", "30d")}, "opened"},
		{[]incident.Finding{finding("x", "30d")}, ""},
		{[]incident.Finding{finding("x", "7d")}, "raised"},
		{nil, "resolved"},
		{nil, ""},
		{[]incident.Finding{finding("x", "30d")}, "opened"},
	} {
		if n := f.look(observation("a", "x"), step.findings...); events(n) != step.want {
			f.Errorf("told %q, want %q", events(n), step.want)
		}
	}
	list, total, err := f.Incidents(f.Context(), IncidentQuery{})
	f.must(err)
	if total != 2 || list[0].ID == list[1].ID || !list[0].IsOpen() || list[1].IsOpen() || len(list[1].Affected()) != 0 {
		f.Errorf("incidents: %+v", list)
	}
	told, err := f.Notices(f.Context(), list[1].ID)
	f.must(err)
	if len(told) != 3 || len(told[0].Channels) != 2 {
		f.Errorf("told of the first one: %+v", told)
	}
	patient := finding("y", "")
	patient.Seen = 3
	for i, want := range []string{"resolved", "", "opened"} {
		if n := f.look(observation("a", "x"), patient); events(n) != want {
			f.Errorf("look %d: told %q, want %q", i, events(n), want)
		}
	}
}

func oneCertificateIsOneIncident(f *fixture) {
	f.watchAll("a", "b", "c")
	for i, name := range []string{"a", "b", "c"} {
		if n := f.look(observation(name, "x"), finding("x", "30d")); events(n) != map[bool]string{true: "opened"}[i == 0] {
			f.Errorf("%s: told %q", name, events(n))
		}
	}
	list, total, err := f.Incidents(f.Context(), IncidentQuery{Open: true, Target: "b"})
	f.must(err)
	if total != 1 || len(list[0].Affected()) != 3 {
		f.Fatalf("incidents: %+v", list)
	}
	f.look(observation("a", "y"))
	f.look(observation("b", "y"))
	if n := f.look(observation("c", "y")); events(n) != "resolved" {
		f.Errorf("the last one is renewed: %q", events(n))
	}
}

func deliveriesAreMade(f *fixture) {
	f.watchAll("a")
	f.look(observation("a", "x"), finding("x", "30d"))
	claim := func() []Delivery {
		list, err := f.ClaimDeliveries(f.Context(), f.now, f.now.Add(time.Minute), "", 10)
		f.must(err)
		return list
	}
	list := claim()
	if len(list) != 2 || len(claim()) != 0 {
		f.Fatalf("%d deliveries, and some of them twice", len(list))
	}
	f.must(f.Delivered(f.Context(), f.now, list[0].Notice.ID, list[0].Channel))
	f.must(f.Failed(f.Context(), f.now.Add(time.Hour), list[1].Notice.ID, list[1].Channel, "no route"))
	f.now = f.now.Add(30 * time.Minute)
	if n := len(claim()); n != 0 {
		f.Errorf("%d deliveries before their time", n)
	}
	f.now = f.now.Add(31 * time.Minute)
	again := claim()
	if len(again) != 1 || again[0].Tries != 1 || again[0].Trouble != "no route" || again[0].Notice.ID != list[1].Notice.ID {
		f.Fatalf("tried again is %+v", again)
	}
	f.now = f.now.Add(2 * time.Minute) // who held it has died
	if len(claim()) != 1 {
		f.Error("a delivery that somebody held and never made is lost")
	}
	f.must(f.Failed(f.Context(), time.Time{}, again[0].Notice.ID, again[0].Channel, "given up"))
	f.now = f.now.Add(24 * time.Hour)
	waiting, err := f.Waiting(f.Context())
	f.must(err)
	if len(claim()) != 0 || len(waiting) != 0 {
		f.Error("what was given up is tried again")
	}
}

func peopleAcknowledge(f *fixture) {
	f.watchAll("a", "b")
	first := f.look(observation("a", "x"), finding("x", "30d"))[0].Incident
	f.must(f.Acknowledge(f.Context(), f.now, first, "ops", "on it", f.rules()))
	if err := f.Acknowledge(f.Context(), f.now, "none", "ops", "", f.rules()); !errors.Is(err, ErrNotFound) {
		f.Errorf("an unknown incident is acknowledged: %v", err)
	}
	n, err := f.Tick(f.Context(), f.now.Add(5*time.Hour), f.rules())
	f.must(err)
	if len(n) != 0 {
		f.Errorf("told %q of what is acknowledged", events(n))
	}
	i, err := f.Incident(f.Context(), first)
	f.must(err)
	if i.Acknowledged == nil || i.Acknowledged.By != "ops" || len(i.Affected()) != 1 {
		f.Errorf("it is not kept: %+v", i)
	}
	id, err := f.Silence(f.Context(), incident.Silence{From: f.now, To: f.now.Add(24 * time.Hour), Target: "b", By: "ops"})
	f.must(err)
	told := f.look(observation("b", "y"), finding("y", "30d"))
	if len(told) != 1 || told[0].Silenced != id {
		f.Errorf("silenced is %+v", told)
	}
	f.must(f.EndSilence(f.Context(), id))
	if err := f.EndSilence(f.Context(), id); !errors.Is(err, ErrNotFound) {
		f.Errorf("ended twice: %v", err)
	}
	n, err = f.Tick(f.Context(), f.now, f.rules())
	f.must(err)
	if events(n) != "opened" {
		f.Errorf("after the silence: %q", events(n))
	}
}

func whatIsForgotten(f *fixture) {
	f.watchAll("a", "b")
	f.look(observation("a", "x"), finding("x", "30d"))
	gone := f.watchAll("b")
	if len(gone) != 1 {
		f.Fatal(gone)
	}
	n, err := f.Forget(f.Context(), f.now, gone[0], f.rules())
	f.must(err)
	if events(n) != "resolved" {
		f.Errorf("told %q", events(n))
	}
}

func listsMeanWhatTheySay(f *fixture) {
	f.watchAll("web_1.example", "web%2.example", "db.example")
	f.look(observation("db.example", "x"), finding("x", "30d"))
	for text, want := range map[string]string{"": "db.example web%2.example web_1.example", "WEB": "web%2.example web_1.example", "_1": "web_1.example", "%": "web%2.example", "RUNS OUT": "db.example", `\`: ""} {
		list, total, err := f.Targets(f.Context(), TargetQuery{Text: text})
		f.must(err)
		if names(list) != want || total != len(list) {
			f.Errorf("%q finds %q, %d in all; want %q", text, names(list), total, want)
		}
	}
	list, _, err := f.Targets(f.Context(), TargetQuery{States: []watch.State{watch.Warning, watch.Critical}})
	f.must(err)
	if names(list) != "db.example" {
		f.Errorf("by state: %q", names(list))
	}
	list, total, err := f.Targets(f.Context(), TargetQuery{Page: Page{Limit: 1, Offset: 1}, ByName: true})
	f.must(err)
	if names(list) != "web%2.example" || total != 3 {
		f.Errorf("the second page is %q of %d", names(list), total)
	}
	s, err := f.Summary(f.Context(), f.now)
	f.must(err)
	if s.States[watch.Warning] != 1 || s.States[watch.Unknown] != 2 || s.Open[incident.Critical] != 1 || s.Waiting != 2 || s.Overdue != 2 || s.Certificates != 1 {
		f.Errorf("summary: %+v", s)
	}
	f.must(f.SetFact(f.Context(), f.now, "beat", "one"))
	f.must(f.SetFact(f.Context(), f.now, "beat", "two"))
	value, at, err := f.Fact(f.Context(), "beat")
	if value != "two" || !at.Equal(f.now) || err != nil {
		f.Errorf("a fact comes back as %q, %v, %v", value, at, err)
	}
}

func manyFileAtOnce(f *fixture) {
	var all []string
	for i := range 60 {
		all = append(all, fmt.Sprintf("t%03d", i))
	}
	f.watchAll(all...)
	var mu sync.Mutex
	var told []incident.Notice
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			holder := fmt.Sprint(n)
			for {
				due, err := f.Claim(context.Background(), f.now, f.now.Add(time.Minute), holder, 5)
				if err != nil {
					f.Error(err)
					return
				}
				if len(due) == 0 {
					return
				}
				var results []Result
				for _, d := range due {
					results = append(results, result(observation(d.Name, "x"), f.now, finding("x", "30d"), finding("own-"+d.Name, "")))
				}
				notices, err := f.File(context.Background(), holder, results, f.rules())
				if err != nil {
					f.Error(err)
					return
				}
				mu.Lock()
				told = append(told, notices...)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(told) != 61 {
		f.Errorf("%d notices of 61 incidents", len(told))
	}
	list, total, err := f.Incidents(f.Context(), IncidentQuery{Open: true, Page: Page{Limit: 100}})
	f.must(err)
	if total != 61 {
		f.Errorf("%d incidents are open", total)
	}
	for _, i := range list {
		if i.Key.Subject == "x" && len(i.Affected()) != 60 {
			f.Errorf("%d of 60 targets are affected", len(i.Affected()))
		}
	}
}

func whatIsOld(f *fixture) {
	f.watchAll("a")
	f.look(observation("a", "x"), finding("x", "30d"))
	f.look(observation("a", "y"))
	f.now = f.now.Add(100 * 24 * time.Hour)
	f.look(observation("a", "y"), finding("y", "30d"))
	old := f.now.Add(-50 * 24 * time.Hour)
	f.must(f.Sweep(f.Context(), old, old, old, f.now))
	looks, err := f.Looks(f.Context(), "a", Page{})
	f.must(err)
	changes, err := f.Changes(f.Context(), "", time.Time{}, Page{})
	f.must(err)
	_, incidents, err := f.Incidents(f.Context(), IncidentQuery{})
	f.must(err)
	_, certificates, err := f.Certificates(f.Context(), CertificateQuery{})
	f.must(err)
	if len(looks) != 1 || len(changes) != 0 || incidents != 1 || certificates != 1 {
		f.Errorf("left are %d looks, %d changes, %d incidents, %d certificates", len(looks), len(changes), incidents, certificates)
	}
}

// whoBreaksOff: the database's own words for a transaction that was taken away are nobody's trouble.
func whoBreaksOff(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	err := f.update(ctx, func(c *change) error {
		cancel()
		for {
			if _, err := c.ExecContext(context.Background(), "SELECT 1"); errors.Is(err, sql.ErrTxDone) {
				return nil // behind it, Commit finds no transaction
			}
		}
	})
	if !errors.Is(err, context.Canceled) {
		f.Errorf("told %v", err)
	}
}

func TestAFileOfOthersIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	h := openIn(t, path)
	if h.Where() != path {
		t.Errorf("it is called %s", h.Where())
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "open to others") {
		t.Errorf("a file that all may read: %v", err)
	}
	if _, err := Open(t.Context(), "postgres://user:secret@%zz/"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("an address that cannot be read: %v", err)
	}
}
