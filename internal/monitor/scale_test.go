package monitor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/notify"
	"github.com/tlswright/tlswright/internal/watch"
)

// simulation is many targets that cost nothing to look at, and a clock that is moved by hand. Five targets show each certificate; of a
// hundred targets two are dead for ever and one does not answer at every fifth look. Of three certificates two are renewed 25
// days before their end, and one never is.
type simulation struct {
	*testing.T
	n     int
	begin time.Time
	now   time.Time
	h     *history.History
	e     *Engine
	mail  [2]*counter

	last    map[string][]string    // by target: the certificates that were a warning at the last look, and the one before
	state   map[string]watch.State // by target, what it should be after the last look
	warned  map[string]bool        // certificates that ever were
	flights [3]time.Duration       // real time: claiming, looking, filing
	looks   int
}

const (
	sharedBy = 5
	lifetime = 90 * day
)

// newSimulation synchronizes n targets with a history.
func newSimulation(t *testing.T, address string, n int) *simulation {
	t.Helper()
	w := &simulation{T: t, n: n, begin: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), last: make(map[string][]string), state: make(map[string]watch.State), warned: make(map[string]bool)}
	w.now = w.begin
	var err error
	if w.h, err = history.Open(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.h.Close() })
	c := &config.Monitor{Channels: []config.Channel{{Name: "first", Kind: "command", Command: []string{"true"}}, {Name: "second", Kind: "command", Command: []string{"true"}}}}
	for i := range n {
		c.Targets = append(c.Targets, config.Watched{Name: nameOf(i), Address: fmt.Sprintf("host%06d.example:443", i)})
	}
	if w.e, err = New(c, Options{History: w.h, Now: func() time.Time { return w.now }}); err != nil {
		t.Fatal(err)
	}
	w.e.see = w.see
	for i, name := range []string{"first", "second"} {
		w.mail[i] = &counter{got: make(map[string]int), kinds: make(map[string]int)}
		w.e.c.Load().channels[name] = channel{w.mail[i], c.Channels[i]}
	}
	if err := w.e.Synchronize(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func nameOf(i int) string { return fmt.Sprintf("t%06d", i) }

func isDead(i int) bool { return i%50 == 7 }

// isDown is true for two looks in a row at most, however they are spread.
func isDown(i int, at time.Time) bool {
	return i%100 == 13 && (int(at.Unix()/int64(DefaultEvery.Seconds()))+i)%5 == 0
}

// certificateOfAll is what a target shows at a time.
func (w *simulation) certificate(i int, at time.Time) watch.Certificate {
	c, generation := i/sharedBy, 0
	end := w.begin.Add(time.Duration(c%800)*day/10 + 71*time.Minute)
	for c%3 != 0 && end.Sub(at) <= 25*day {
		generation, end = generation+1, end.Add(lifetime-25*day)
	}
	id := fmt.Sprintf("%08x%04x", c, generation)
	name := fmt.Sprintf("*.zone%06d.example", c)
	return watch.Certificate{Fingerprint: fmt.Sprintf("%064s", id), Subject: "CN=" + name, Issuer: "CN=Simulated CA 1,O=Example Trust", Names: []string{name, name[2:]}, Serial: id, NotBefore: end.Add(-lifetime),
		NotAfter: end, Key: "ECDSA P-256", Pin: fmt.Sprintf("%064s", "f"+id), Signature: "ECDSA-SHA256"}
}

// see is a look that costs nothing.
func (w *simulation) see(_ context.Context, s *spec, withGrade bool, _ []*watch.Observation) seen {
	i, _ := strconv.Atoi(s.Name[1:])
	at := w.now
	o := &watch.Observation{Target: s.Name, Place: fmt.Sprintf("10.%d.%d.%d:443", i/65536, i/256%256, i%256), Source: watch.Served, At: at, Took: 40 * time.Millisecond}
	if isDead(i) || isDown(i, at) {
		o.Outcome, o.Error = watch.TimedOut, "no answer in time"
		return seen{observations: []*watch.Observation{o}}
	}
	issuer := watch.Certificate{Fingerprint: fmt.Sprintf("%064d", 1), Subject: "CN=Simulated CA 1,O=Example Trust", Issuer: "CN=Simulated Root,O=Example Trust", Serial: "01", NotBefore: w.begin.Add(-400 * day),
		NotAfter: w.begin.Add(1400 * day), Key: "ECDSA P-384", Pin: fmt.Sprintf("%064d", 2), Signature: "ECDSA-SHA384", IsCA: true}
	leaf := w.certificate(i, at)
	o.Outcome, o.Version, o.Suite, o.Group = watch.Answered, "TLS 1.3", "TLS_AES_128_GCM_SHA256", "X25519MLKEM768"
	o.Leaves = []watch.Leaf{{Chain: []watch.Certificate{leaf, issuer}, Path: []watch.Certificate{leaf, issuer}, Trust: []watch.Trust{{Store: "system", Trusted: true}}, Revocation: "good"}}
	all := seen{observations: []*watch.Observation{o}}
	if withGrade {
		all.grade = "A"
	}
	return all
}

// note keeps what a look should have brought about.
func (w *simulation) note(r *history.Result) {
	i, _ := strconv.Atoi(r.Target[1:])
	w.looks++
	var warned string
	want := watch.OK
	if !isDead(i) {
		c := w.certificate(i, r.At)
		switch left := c.NotAfter.Sub(r.At); {
		case left <= 0:
			want = watch.Expired
		case left <= 7*day:
			want = watch.Critical
		case left <= 30*day:
			want = watch.Warning
		}
		if isDown(i, r.At) && len(w.last[r.Target]) > 0 { // what it showed before is judged
			want = max(watch.Error, w.state[r.Target])
		} else if isDown(i, r.At) {
			want = watch.Error
		} else if want != watch.OK {
			warned = c.Fingerprint
			w.warned[warned] = true
		}
	} else {
		want = watch.Error
	}
	if !isDown(i, r.At) {
		w.last[r.Target] = append([]string{warned}, w.last[r.Target]...)[:min(2, len(w.last[r.Target])+1)]
		w.state[r.Target] = want
	}
}

// step moves the clock, and makes all looks that have become due, in bundles as a runner takes them.
func (w *simulation) step(d time.Duration) {
	w.Helper()
	w.now = w.now.Add(d)
	ctx := w.Context()
	for {
		begin := time.Now()
		due, err := w.h.Claim(ctx, w.now, w.now.Add(time.Minute), w.e.holder, claimBatch)
		if err != nil {
			w.Fatal(err)
		}
		if len(due) == 0 {
			return
		}
		claimed := time.Now()
		results := make([]history.Result, 0, len(due))
		for i := range due {
			s, err := prepare(&due[i])
			if err != nil {
				w.Fatal(err)
			}
			r, ok := w.e.lookAt(ctx, &due[i], s)
			if !ok {
				w.Fatal(context.Cause(ctx))
			}
			results = append(results, r)
		}
		looked := time.Now()
		for part := range slices.Chunk(results, batch) {
			if err := w.e.file(ctx, part); err != nil {
				w.Fatal(err)
			}
		}
		w.flights[0] += claimed.Sub(begin)
		w.flights[1] += looked.Sub(claimed)
		w.flights[2] += time.Since(looked)
		for i := range results {
			w.note(&results[i])
		}
	}
}

// pass lets time go by: looks, what time brings about, and messages.
func (w *simulation) pass(d, step time.Duration) {
	w.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		w.step(step)
		if err := w.e.tick(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.deliver()
	}
}

// deliver sends until nothing is due.
func (w *simulation) deliver() {
	w.Helper()
	for n := 1; n > 0; {
		var err error
		if n, err = w.e.Deliver(w.Context()); err != nil {
			w.Fatal(err)
		}
	}
}

// counter is a channel that counts what it gets, unless it is out of order.
type counter struct {
	mu    sync.Mutex
	down  bool
	got   map[string]int // by the identity of the notice
	kinds map[string]int // by kind and event
	tries int            // in vain
}

// Send implements notify.Channel.
func (c *counter) Send(_ context.Context, m notify.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		c.tries++
		return errors.New("out of order")
	}
	c.got[m.ID]++
	c.kinds[m.Key.Kind+" "+string(m.Event)]++
	return nil
}

func (c *counter) set(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// judge compares all of the history with what it should be.
func (w *simulation) judge() {
	w.Helper()
	ctx := w.Context()
	for offset := 0; offset < w.n; {
		list, total, err := w.h.Targets(ctx, history.TargetQuery{ByName: true, Page: history.Page{Limit: 10_000, Offset: offset}})
		if err != nil || total != w.n || len(list) == 0 {
			w.Fatalf("%d of %d targets: %v", total, w.n, err)
		}
		offset += len(list)
		for _, t := range list {
			i, _ := strconv.Atoi(t.Name[1:])
			if want := w.state[t.Name]; t.State != want && !isDown(i, t.Last) {
				w.Errorf("%s is %v (%s), want %v", t.Name, t.State, t.Reason, want)
			}
			if late := w.now.Sub(t.Next); late > 2*time.Hour {
				w.Errorf("%s was due %v ago", t.Name, late)
			}
		}
	}
	must, may := make(map[string]bool), make(map[string]bool)
	for _, list := range w.last {
		for k, c := range list {
			must[c] = must[c] || k == 0 && c != ""
			may[c] = true
		}
	}
	open, dead := w.open()
	for c := range must {
		if must[c] && !open[c] {
			w.Errorf("of the certificate %s no incident is open", c)
		}
	}
	for c := range open {
		if !may[c] {
			w.Errorf("the incident of %s is open, and nobody shows it", c)
		}
	}
	if want := w.dead(); dead != want {
		w.Errorf("%d incidents of targets that cannot be looked at, want %d", dead, want)
	}
	w.judgeMail()
}

func (w *simulation) dead() (n int) {
	for i := range w.n {
		if isDead(i) {
			n++
		}
	}
	return n
}

// open lists the certificates of open incidents, and counts targets that cannot be looked at.
func (w *simulation) open() (certificates map[string]bool, dead int) {
	w.Helper()
	certificates = make(map[string]bool)
	for offset := 0; ; {
		list, total, err := w.h.Incidents(w.Context(), history.IncidentQuery{Open: true, Page: history.Page{Limit: 10_000, Offset: offset}})
		if err != nil {
			w.Fatal(err)
		}
		for _, i := range list {
			switch i.Key.Kind {
			case watch.KindExpiry:
				certificates[i.Key.Subject] = true
			case watch.KindUnreachable:
				dead++
			default:
				w.Errorf("an incident of %s, %s", i.Key.Kind, i.Title)
			}
		}
		if offset += len(list); offset >= total || len(list) == 0 {
			return certificates, dead
		}
	}
}

// judgeMail holds that each notice reached each channel once, and each certificate was told of once.
func (w *simulation) judgeMail() {
	w.Helper()
	for i, c := range w.mail {
		for id, n := range c.got {
			if n != 1 {
				w.Errorf("channel %d got %s %d times", i, id, n)
			}
		}
		if n := c.kinds[watch.KindExpiry+" "+string(incident.Opened)]; n != len(w.warned) {
			w.Errorf("channel %d was told of %d certificates that run out, want %d", i, n, len(w.warned))
		}
		if n := c.kinds[watch.KindUnreachable+" "+string(incident.Opened)]; n != w.dead() {
			w.Errorf("channel %d was told of %d dead targets, want %d", i, n, w.dead())
		}
	}
	first, second := maps.Clone(w.mail[0].kinds), maps.Clone(w.mail[1].kinds)
	delete(second, KindChannel+" "+string(incident.Opened)) // of the first one, which was down
	delete(second, KindChannel+" "+string(incident.ResolvedNow))
	if !maps.Equal(first, second) {
		w.Errorf("one channel got %v, the other one %v", w.mail[0].kinds, w.mail[1].kinds)
	}
	if waiting, err := w.h.Waiting(w.Context()); err != nil || len(waiting) > 0 {
		w.Errorf("%v wait, %v", waiting, err)
	}
}

// report logs what it cost.
func (w *simulation) report(db string) {
	each := func(d time.Duration) time.Duration { return (d / time.Duration(w.looks)).Round(100 * time.Nanosecond) }
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.Logf("%d targets, %v of virtual time: %d looks; each %v to claim, %v to judge, %v to file", w.n, w.now.Sub(w.begin), w.looks, each(w.flights[0]), each(w.flights[1]), each(w.flights[2]))
	w.Logf("notices %d; heap in use %d MB", len(w.mail[1].got), m.HeapInuse>>20)
	if info, err := os.Stat(db); err == nil {
		w.Logf("database %.1f MB, %.0f bytes a target and %.0f a look above that of the first round", float64(info.Size())/(1<<20), float64(info.Size())/float64(w.n), float64(info.Size())/float64(w.looks))
	}
}

// ask logs how long the questions take that people and the engine ask all day long.
func (w *simulation) ask() {
	w.Helper()
	ctx, h := w.Context(), w.h
	page := history.Page{Limit: 50}
	first := func(_, _ any, err error) error { return err }
	only := func(_ any, err error) error { return err }
	for _, q := range []struct {
		what string
		ask  func() error
	}{
		{"the most urgent targets", func() error { return first(h.Targets(ctx, history.TargetQuery{Page: page})) }},
		{"targets by name, the last page", func() error {
			return first(h.Targets(ctx, history.TargetQuery{ByName: true, Page: history.Page{Limit: 50, Offset: w.n - 50}}))
		}},
		{"targets that a word is part of", func() error { return first(h.Targets(ctx, history.TargetQuery{Text: "t0004", Page: page})) }},
		{"targets that are critical", func() error {
			return first(h.Targets(ctx, history.TargetQuery{States: []watch.State{watch.Critical}, Page: page}))
		}},
		{"open incidents", func() error { return first(h.Incidents(ctx, history.IncidentQuery{Open: true, Page: page})) }},
		{"incidents of a target", func() error {
			return first(h.Incidents(ctx, history.IncidentQuery{Target: nameOf(w.n / 2), Page: page}))
		}},
		{"places of a target", func() error { return only(h.Places(ctx, nameOf(w.n/2))) }},
		{"changes of a target", func() error { return only(h.Changes(ctx, nameOf(w.n/2), time.Time{}, page)) }},
		{"changes of all", func() error { return only(h.Changes(ctx, "", time.Time{}, page)) }},
		{"looks at a target", func() error { return only(h.Looks(ctx, nameOf(w.n/2), page)) }},
		{"days of a target", func() error { return only(h.Days(ctx, nameOf(w.n/2), time.Time{})) }},
		{"certificates, by name", func() error {
			return first(h.Certificates(ctx, history.CertificateQuery{Text: "zone000123", Page: page}))
		}},
		{"the summary", func() error { return only(h.Summary(ctx, w.now)) }},
		{"a tick", func() error { return w.e.tick(ctx) }},
		{"nothing due: claim", func() error { return only(h.Claim(ctx, w.now, w.now.Add(time.Minute), "nobody", claimBatch)) }},
		{"nothing due: deliveries", func() error { return only(h.DueChannels(ctx, w.now)) }},
	} {
		var best time.Duration
		for try := range 3 {
			begin := time.Now()
			if err := q.ask(); err != nil {
				w.Fatalf("%s: %v", q.what, err)
			}
			if took := time.Since(begin); try == 0 || took < best {
				best = took
			}
		}
		w.Logf("%-34s %7.1f ms", q.what, best.Seconds()*1000)
	}
}

// simulate lets many targets live, and a first hour, in which most is to be told, with one channel down.
func simulate(t *testing.T, address string, n int, days, step time.Duration) *simulation {
	w := newSimulation(t, address, n)
	w.mail[0].set(true)
	w.pass(time.Hour, min(step, 20*time.Minute))
	w.mail[0].set(false)
	w.pass(days-time.Hour, step)
	if w.mail[0].tries == 0 {
		t.Error("nothing was to be delivered while the channel was down")
	}
	w.judge()
	return w
}

// A virtual clock moves through days of looks: every state, every incident and every message is the right one.
func TestDaysOfManyTargets(t *testing.T) {
	db := filepath.Join(t.TempDir(), "history.db")
	w := simulate(t, db, 200, 36*time.Hour, time.Hour)
	w.report(db)
	w.ask()
}

// TestAccept50000Targets is the same with fifty thousand, for three days.
func TestAccept50000Targets(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`600,000 looks: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
	db := filepath.Join(t.TempDir(), "history.db")
	w := simulate(t, db, 50_000, 3*day, time.Minute)
	w.report(db)
	w.ask()
}
