package monitor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/notify"
	"github.com/tlswright/tlswright/internal/watch"
)

// Options are what an engine works with. History is needed.
type Options struct {
	History *history.History
	Look    LookOptions
	Log     *slog.Logger // nil: nothing is logged
	Now     func() time.Time
	// CAs gives our own CAs, as a configuration names them. Without one nobody can know, and no certificate is called a
	// stranger. Nil: there are none.
	CAs func(*config.Monitor) []CA
	// Renew renews a certificate of the live/ tree and returns when it lies there; nil: nobody can.
	Renew func(ctx context.Context, name string) error
	// Link makes the address where an incident can be read about; nil: there is none.
	Link func(incident string) string
	// Record has a handshake with each server recorded when it is graded or has changed, for a dashboard.
	Record bool
	// Looked is told of every look that was filed; nil: nobody is.
	Looked func(target string, v watch.Verdict, took time.Duration)
}

// Engine watches. Make one with New.
type Engine struct {
	o        Options
	c        atomic.Pointer[setup]
	settling sync.Mutex // held while the history's targets are made those of c
	looker   *looker
	// see makes a look; tests put another in its place.
	see      func(ctx context.Context, s *spec, withGrade bool, before []*watch.Observation) seen
	leaseFor time.Duration // 0: the usual time
	holder   string        // this process, in claims
	hosts    politeness
	begun    time.Time
	lags     lags // by how much looks are late
	looks    atomic.Int64
	notLooks atomic.Int64 // that failed to be filed
}

// setup is a configuration with what was made of it.
type setup struct {
	config   *config.Monitor
	channels map[string]channel
	rules    history.Rules
	issued   *inventory
}

type channel struct {
	notify.Channel
	config config.Channel
}

// Defaults of an engine.
const (
	defaultParallel = 256             // one in fifty does not answer, and takes long over it
	overdueFor      = 5 * time.Minute // looks that are late by so much: the monitor is as good as dead
	batch           = 128
	idleWait        = 250 * time.Millisecond
)

// New checks a configuration and makes an engine for it.
func New(c *config.Monitor, o Options) (*Engine, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Look.Now == nil {
		o.Look.Now = o.Now
	}
	if o.Look.PerHost == 0 {
		o.Look.PerHost = c.PerHost
	}
	o.Look.LookUp = restingLookUp(&o.Look)
	var id [8]byte
	rand.Read(id[:])
	name, _ := os.Hostname() // only for people
	e := &Engine{o: o, looker: newLooker(o.Look), holder: name[:min(len(name), 64)] + "-" + hex.EncodeToString(id[:]), begun: o.Now()}
	e.see = e.looker.look
	e.hosts.limit = max(1, o.Look.PerHost)
	if o.Look.PerHost == 0 {
		e.hosts.limit = 2
	}
	s, err := e.compile(c)
	if err != nil {
		return nil, err
	}
	e.c.Store(s)
	return e, nil
}

func (e *Engine) compile(c *config.Monitor) (*setup, error) {
	s := &setup{config: c, channels: make(map[string]channel), issued: newInventory(e, nil)}
	if e.o.CAs != nil {
		s.issued = newInventory(e, e.o.CAs(c))
	}
	if _, err := Wanted(c, e.o.Now()); err != nil {
		return nil, err
	}
	for _, one := range c.Channels {
		if _, twice := s.channels[one.Name]; twice || one.Name == "" {
			return nil, fmt.Errorf("channel %q: a name of its own is needed", one.Name)
		}
		made, err := notify.New(one, notify.Options{Now: e.o.Now})
		if err != nil {
			return nil, err
		}
		s.channels[one.Name] = channel{made, one}
	}
	var err error
	s.rules, err = s.rulesOf()
	return s, err
}

// rulesOf says what follows from findings.
func (s *setup) rulesOf() (history.Rules, error) {
	rules := history.Rules{Incidents: incident.Rules{Escalate: make(map[incident.Severity]time.Duration)}, Route: s.route}
	for word, after := range s.config.Escalate {
		var severity incident.Severity
		if err := severity.UnmarshalText([]byte(word)); err != nil {
			return rules, err
		}
		rules.Incidents.Escalate[severity] = after
	}
	return rules, nil
}

// route names the channels for a notice. What is told of a channel does not go to that channel alone, which fails.
func (s *setup) route(n *incident.Notice) []string {
	var names []string
	for _, c := range s.config.Channels {
		if n.Key.Kind == KindChannel {
			c.Targets = nil // a channel that fails concerns everybody
		}
		if notify.Wants(&c, n) && !(n.Key.Kind == KindChannel && n.Key.Subject == c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// Synchronize makes the history's targets those of the configuration.
func (e *Engine) Synchronize(ctx context.Context) error {
	e.settling.Lock()
	defer e.settling.Unlock()
	return e.synchronize(ctx, e.c.Load())
}

func (e *Engine) synchronize(ctx context.Context, s *setup) error {
	wanted, err := Wanted(s.config, e.o.Now())
	if err != nil {
		return err
	}
	gone, err := e.o.History.Synchronize(ctx, history.FromFile, wanted)
	if err != nil {
		return err
	}
	stray, err := e.strayChannels(ctx, s)
	if err != nil {
		return err
	}
	for _, name := range append(gone, stray...) {
		notices, err := e.o.History.Forget(ctx, e.o.Now(), name, s.rules)
		if err != nil {
			return err
		}
		e.logNotices(notices)
	}
	return nil
}

// strayChannels names, as incidents do, the channels of open incidents that the configuration has no more.
func (e *Engine) strayChannels(ctx context.Context, s *setup) (names []string, err error) {
	open, _, err := e.o.History.Incidents(ctx, history.IncidentQuery{Open: true, Kind: KindChannel, Page: history.Page{Limit: 1000}})
	for _, i := range open {
		if _, known := s.channels[i.Key.Subject]; !known {
			names = append(names, i.Affected()...)
		}
	}
	return names, err
}

// Reload takes another configuration; on error nothing changes.
func (e *Engine) Reload(ctx context.Context, c *config.Monitor) error {
	s, err := e.compile(c)
	if err != nil {
		return err
	}
	e.settling.Lock()
	defer e.settling.Unlock()
	old := e.c.Swap(s)
	if err = e.synchronize(ctx, s); err != nil {
		e.c.Store(old)
	}
	return err
}

// prepare reads a target's settings. An error means that an older program wrote them, or a newer one.
func prepare(d *history.Due) (*spec, error) {
	var w config.Watched
	if err := json.Unmarshal(d.Spec, &w); err != nil {
		return nil, err
	}
	return compile(w)
}

// unreadable is what comes of a target whose settings cannot be read.
func (e *Engine) unreadable(d *history.Due, err error) history.Result {
	now := e.o.Now()
	return history.Result{Target: d.Name, At: now, Next: now.Add(DefaultEvery), Verdict: watch.Verdict{State: watch.Error, Reason: "its settings cannot be read: " + err.Error()}}
}

// lookAt makes a look at once.
func (e *Engine) lookAt(ctx context.Context, d *history.Due, s *spec) (r history.Result, ok bool) {
	begin := e.o.Now()
	r = history.Result{Target: d.Name}
	withGrade := s.wantsGrade(&d.Target, begin)
	all := e.see(ctx, s, withGrade, d.Before)
	if ctx.Err() != nil {
		return r, false
	}
	r.At, r.Grade = e.o.Now(), all.grade
	r.Took = r.At.Sub(begin)
	r.Next = s.next(r.At, mathrand.Float64())
	if isBehind(all.observations) {
		r.Next = r.At.Add(lookAgain)
	}
	r.Traces = e.record(ctx, s, withGrade, d.Before, all.observations)
	observations, estate := e.c.Load().issued.about(ctx, s, all.observations)
	e.judge(&r, s, d, observations, estate)
	e.renew(ctx, s, &r)
	return r, true
}

// judge draws the conclusions of what a look brought.
func (e *Engine) judge(r *history.Result, s *spec, d *history.Due, all []*watch.Observation, estate estateOf) {
	last := make(map[string]*watch.Observation)
	for _, o := range append(d.Known, d.Before...) {
		if o.Outcome == watch.Answered {
			last[o.Place] = o
		}
	}
	isServed := slices.ContainsFunc(all, func(o *watch.Observation) bool { return o.Source == watch.Served && o.Outcome == watch.Answered })
	for _, o := range all {
		v := watch.Judge(o, last[o.Place], s.Policy, r.At)
		if isServed && o.Source == watch.Served && o.Outcome != watch.Answered {
			v.OneOfMany(s.Name)
		}
		r.Places = append(r.Places, history.Seen{Observation: o, State: v.State, Reason: v.Reason})
		r.Findings = append(r.Findings, v.Findings...)
		merge(&r.Verdict, v, len(r.Places) == 1)
	}
	if len(s.domains) > 0 && r.Verdict.State == watch.OK {
		r.Verdict.Reason = logsInAll(all)
	}
	// What did not answer goes on showing what it showed, for else a restart would end what does not agree, and begin it anew.
	shown := slices.Clone(all)
	for i, o := range shown {
		if before := last[o.Place]; o.Outcome != watch.Answered && before != nil {
			shown[i] = before
		}
	}
	agreed := watch.Agree(s.Name, shown, estate.known, since(all, d, r.At), s.Policy, r.At)
	agreed = append(agreed, watch.AgreeIssued(s.Name, shown, estate.records, s.Policy, r.At)...)
	agreed = append(agreed, watch.AgreeLogged(s.Name, all, estate.seen, s.Policy, r.At)...)
	r.Findings = append(r.Findings, agreed...)
	for _, f := range agreed {
		state := watch.Warning
		if f.Severity >= incident.Critical {
			state = watch.Critical
		}
		if state > r.Verdict.State {
			r.Verdict.State, r.Verdict.Reason = state, f.Title+": "+f.Text
		}
	}
}

// since is since when places show what they show: of those that are new, or show another leaf than last time, now.
func since(all []*watch.Observation, d *history.Due, now time.Time) map[string]time.Time {
	times := maps.Clone(d.Since)
	for _, o := range all {
		i := slices.IndexFunc(d.Before, func(before *watch.Observation) bool { return before.Place == o.Place })
		if len(d.Before) > 0 && (i < 0 || !slices.Equal(leavesOf(d.Before[i]), leavesOf(o))) {
			times[o.Place] = now
		}
	}
	return times
}

func leavesOf(o *watch.Observation) (prints []string) {
	for i := range o.Leaves {
		if c := o.Leaves[i].Leaf(); c != nil {
			prints = append(prints, c.Fingerprint)
		}
	}
	return prints
}

// merge lets the worst of the places stand for the target.
func merge(v *watch.Verdict, one watch.Verdict, isFirst bool) {
	if isFirst || one.State > v.State {
		v.State, v.Reason = one.State, one.Reason
	}
	for _, end := range []struct{ to, from *time.Time }{{&v.Leaf, &one.Leaf}, {&v.Path, &one.Path}, {&v.Sent, &one.Sent}} {
		if !end.from.IsZero() && (end.to.IsZero() || end.from.Before(*end.to)) {
			*end.to = *end.from
		}
	}
}

// RulesOf are the rules of a configuration, for who changes incidents without an engine.
func RulesOf(c *config.Monitor) (history.Rules, error) {
	s := &setup{config: c}
	return s.rulesOf()
}
