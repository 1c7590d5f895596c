package incident

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rules say how patient we are.
type Rules struct {
	// Escalate is after what time an incident that nobody acknowledged is told once more, by severity; 0: never.
	Escalate map[Severity]time.Duration
}

// Book is a set of incidents: all of them, or those that one change is about. It is not safe for concurrent use.
type Book struct {
	Rules    Rules
	Open     map[Key]*Incident // the open ones, or those not yet told because they were not seen often enough
	Silences []*Silence
	NewID    func() string // makes the id of an incident
}

// Observe takes what one check of a target has found - all of it: a trouble that is not among the findings was not seen.
// It returns what is to be told, and the incidents that have changed, resolved ones included, which leave the book.
func (b *Book) Observe(now time.Time, target string, found []Finding) (notices []Notice, changed []*Incident) {
	byKey := make(map[Key]Finding, len(found))
	for _, f := range found {
		byKey[f.Key] = together(byKey[f.Key], f)
	}
	for _, key := range sortedKeys(byKey) {
		n, i := b.saw(now, target, byKey[key])
		notices, changed = append(notices, n...), append(changed, i)
	}
	for _, key := range sortedKeys(b.Open) {
		i := b.Open[key]
		if _, seen := byKey[key]; seen || !i.concerns(target) {
			continue
		}
		n, touched := b.missed(now, target, i)
		notices = append(notices, n...)
		if touched {
			changed = append(changed, i)
		}
	}
	return notices, changed
}

// together is what two findings of one trouble at one target amount to: the worse of them, or what both of its addresses say.
func together(a, b Finding) Finding {
	const most = 2000 // bytes
	switch {
	case a.Severity > b.Severity:
		return a
	case a.Severity < b.Severity:
		return b
	case b.Text != "" && !strings.Contains(a.Text, b.Text) && len(a.Text)+len(b.Text) < most:
		a.Text = strings.TrimPrefix(a.Text+"; "+b.Text, "; ")
	}
	return a
}

// concerns reports whether the last check of a target has shown an incident, or not yet ended it.
func (i *Incident) concerns(target string) bool {
	s := i.Targets[target]
	return s != nil && (s.Active || s.Seen > 0)
}

// Counts reports whether an incident counts at a target.
func (i *Incident) Counts(target string) bool {
	s := i.Targets[target]
	return s != nil && s.Active
}

// Spread makes a notice for those who have not heard of an open incident yet, and should now that it counts at a target. ok
// is false where a silence keeps it back: they hear of it with all others.
func (b *Book) Spread(now time.Time, target string, i *Incident) (n Notice, ok bool) {
	if i.Held = i.Held || b.silence(now, i) != ""; i.Held {
		return Notice{}, false
	}
	told := i.Told
	n = b.tell(now, i, Opened, "", i.Targets[target].Text)[0]
	i.Told = told // the others heard of it then
	return n, true
}

// Forget takes a target out of all incidents: it is not watched any more.
func (b *Book) Forget(now time.Time, target string) (notices []Notice, changed []*Incident) {
	for _, key := range sortedKeys(b.Open) {
		i := b.Open[key]
		s := i.Targets[target]
		if s == nil {
			continue
		}
		delete(i.Targets, target)
		notices = append(notices, b.settle(now, i, Finding{})...)
		changed = append(changed, i)
		if !i.IsOpen() && s.Active { // it is a part of what it was
			s.Active, s.Until = false, now
			i.Targets[target] = s
		}
	}
	return notices, changed
}

// saw notes a finding.
func (b *Book) saw(now time.Time, target string, f Finding) ([]Notice, *Incident) {
	i := b.Open[f.Key]
	if i == nil {
		i = &Incident{Key: f.Key, Targets: make(map[string]*Sighting)}
		b.Open[f.Key] = i
	}
	i.Title = f.Title
	s := i.Targets[target]
	if s == nil {
		s = &Sighting{Since: now}
		i.Targets[target] = s
	}
	if !s.Active && s.Seen == 0 {
		s.Since = now
	}
	s.Seen, s.Gone, s.Last = s.Seen+1, 0, now
	s.Severity, s.Text = f.Severity, f.Text
	s.Wanted = max(f.Gone, 1)
	if s.Seen >= max(f.Seen, 1) {
		s.Active, s.Until = true, time.Time{}
	}
	if !s.Active {
		f = Finding{} // it does not count yet
	}
	return b.settle(now, i, f), i
}

// missed notes that a check did not show what it showed before.
func (b *Book) missed(now time.Time, target string, i *Incident) (notices []Notice, touched bool) {
	s := i.Targets[target]
	s.Seen = 0
	s.Gone++
	if s.Active && s.Gone < max(s.Wanted, 1) {
		return nil, true
	}
	if s.Active && i.ID != "" {
		s.Active, s.Until = false, now
	}
	if s.Until.IsZero() { // it never counted here
		delete(i.Targets, target)
	}
	return b.settle(now, i, Finding{}), true
}

// steady is how long an incident must have been less bad until its getting worse again is news.
const steady = 24 * time.Hour

// settle draws the conclusions for an incident whose sightings have changed; f is what was found, zero where nothing was.
func (b *Book) settle(now time.Time, i *Incident, f Finding) []Notice {
	severity := None
	if i.Others != nil {
		severity = i.Others.Severity
	}
	for _, s := range i.Targets {
		if s.Active {
			severity = max(severity, s.Severity)
		}
	}
	i.Changed = now
	switch {
	case severity == None && i.ID == "": // it was never told
		if len(i.Targets) == 0 {
			delete(b.Open, i.Key)
		}
		return nil
	case severity == None:
		i.Resolved = now
		delete(b.Open, i.Key)
		return b.tell(now, i, ResolvedNow, "", "")
	case i.ID == "":
		i.ID, i.Opened, i.Severity, i.Worst = b.NewID(), now, severity, severity
		i.step(f.Step)
		return b.tell(now, i, Opened, f.Step, f.Text)
	}
	was := i.Severity
	isHigher := severity > was
	// What goes up and down between looks is told once.
	isWorse := isHigher && (severity > i.Worst || now.Sub(i.Lowered) >= steady || i.Acknowledged != nil && severity > i.Acknowledged.Severity)
	// A threshold that is crossed at one target is no news while another one is worse, nor on the way back.
	isNext := i.step(f.Step) && f.Severity >= max(was, severity)
	if severity < was {
		i.Lowered = now
	}
	i.Severity, i.Worst = severity, max(severity, i.Worst)
	if isWorse {
		i.Escalated = time.Time{}
	}
	if !isWorse && !isNext {
		return nil
	}
	if i.Acknowledged != nil && severity > i.Acknowledged.Severity {
		i.Acknowledged = nil
	}
	if i.Acknowledged != nil {
		return nil
	}
	if !isNext {
		f.Step = "" // it was told before
	}
	return b.tell(now, i, Raised, f.Step, cmp.Or(f.Text, i.text()))
}

// step notes a threshold, and reports whether it is new.
func (i *Incident) step(name string) bool {
	if name == "" || slices.Contains(i.Steps, name) {
		return false
	}
	i.Steps = append(i.Steps, name)
	return true
}

// text is what the worst of the targets says.
func (i *Incident) text() string {
	var worst *Sighting
	for _, t := range sorted(slices.Collect(maps.Keys(i.Targets))) {
		if s := i.Targets[t]; s.Active && (worst == nil || s.Severity > worst.Severity) {
			worst = s
		}
	}
	if worst == nil {
		return ""
	}
	return worst.Text
}

// Tick tells what nobody has acknowledged in time, and what a silence that is over has held back.
func (b *Book) Tick(now time.Time) (notices []Notice, changed []*Incident) {
	for _, key := range sortedKeys(b.Open) {
		i := b.Open[key]
		if !b.Rules.IsDue(now, i) || b.silence(now, i) != "" {
			continue
		}
		event := Raised
		if !i.Held {
			event, i.Escalated = Escalated, now
		}
		i.Changed = now
		notices, changed = append(notices, b.tell(now, i, event, "", i.text())...), append(changed, i)
	}
	return notices, changed
}

// IsDue reports whether an incident is to be told by and by: a silence has held it back, or nobody has acknowledged it in
// time. Its targets need not be known.
func (r *Rules) IsDue(now time.Time, i *Incident) bool {
	patience := r.Escalate[i.Severity]
	switch {
	case !i.IsOpen() || i.ID == "" || i.Acknowledged != nil:
		return false
	case i.Held:
		return true
	}
	return patience > 0 && i.Escalated.IsZero() && !i.Told.IsZero() && now.Sub(i.Told) >= patience
}

// Acknowledge notes that somebody takes care of an incident; what becomes worse is told all the same.
func (b *Book) Acknowledge(now time.Time, i *Incident, by, note string) []Notice {
	i.Acknowledged = &Acknowledgement{By: by, Note: note, At: now, Severity: i.Severity}
	i.Changed = now
	return b.tell(now, i, Acknowledged, "", note)
}

// tell makes a notice.
func (b *Book) tell(now time.Time, i *Incident, e Event, step, text string) []Notice {
	affected := i.Affected()
	n := Notice{ID: i.ID + "." + strconv.Itoa(i.Notices), Incident: i.ID, Key: i.Key, Event: e, At: now, Severity: i.Severity, Step: step,
		Title: i.Title, Text: text, Targets: affected[:min(len(affected), MaxTargets)], Affected: len(affected), All: affected, Since: i.Opened}
	i.Notices++
	switch e {
	case ResolvedNow, Acknowledged:
		if e == Acknowledged {
			n.Silenced = b.silence(now, i)
		}
		if i.Told.IsZero() {
			n.Silenced = "never told" // nobody heard of it: the end is no news
		}
	default:
		n.Silenced = b.silence(now, i)
		if i.Held = n.Silenced != ""; i.Held {
			break
		}
		if e == Raised && i.Told.IsZero() { // a silence has kept the beginning back
			n.Event = Opened
		}
		i.Told = now
	}
	return []Notice{n}
}

// silence is the id of a silence that is in force for an incident.
func (b *Book) silence(now time.Time, i *Incident) string {
	for _, s := range b.Silences {
		if s.covers(now, i) {
			return s.ID
		}
	}
	return ""
}

// sortedKeys puts keys into an order that does not change from run to run.
func sortedKeys[V any](m map[Key]V) []Key {
	return slices.SortedFunc(maps.Keys(m), func(a, b Key) int {
		if a.Kind != b.Kind {
			return compare(a.Kind, b.Kind)
		}
		return compare(a.Subject, b.Subject)
	})
}
