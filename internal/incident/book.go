package incident

import (
	"maps"
	"slices"
	"strconv"
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
		if old, ok := byKey[f.Key]; !ok || f.Severity > old.Severity {
			byKey[f.Key] = f
		}
	}
	for _, key := range sortedKeys(byKey) {
		n, i := b.saw(now, target, byKey[key])
		notices, changed = append(notices, n...), append(changed, i)
	}
	for _, key := range sortedKeys(b.Open) {
		i := b.Open[key]
		if _, seen := byKey[key]; seen || i.Targets[target] == nil {
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

// Forget takes a target out of all incidents: it is not watched any more.
func (b *Book) Forget(now time.Time, target string) (notices []Notice, changed []*Incident) {
	for _, key := range sortedKeys(b.Open) {
		i := b.Open[key]
		if i.Targets[target] == nil {
			continue
		}
		delete(i.Targets, target)
		notices = append(notices, b.settle(now, i, "", "")...)
		changed = append(changed, i)
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
		s.Active = true
	}
	return b.settle(now, i, f.Step, f.Text), i
}

// missed notes that a check did not show what it showed before.
func (b *Book) missed(now time.Time, target string, i *Incident) (notices []Notice, touched bool) {
	s := i.Targets[target]
	s.Seen = 0
	s.Gone++
	if s.Active && s.Gone < max(s.Wanted, 1) {
		return nil, true
	}
	delete(i.Targets, target)
	return b.settle(now, i, "", ""), true
}

// settle draws the conclusions for an incident whose sightings have changed.
func (b *Book) settle(now time.Time, i *Incident, step, text string) []Notice {
	severity := None
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
		i.step(step)
		return b.tell(now, i, Opened, step, text)
	}
	isWorse, isNext := severity > i.Severity, step != "" && i.step(step)
	i.Severity, i.Worst = severity, max(severity, i.Worst)
	if !isWorse && !isNext {
		return nil
	}
	if !isNext {
		step = "" // it was told before
	}
	if i.Acknowledged != nil && severity > i.Acknowledged.Severity {
		i.Acknowledged, i.Escalated = nil, time.Time{}
	}
	if i.Acknowledged != nil {
		return nil
	}
	return b.tell(now, i, Raised, step, text)
}

// step notes a threshold, and reports whether it is new.
func (i *Incident) step(name string) bool {
	if name == "" || slices.Contains(i.Steps, name) {
		return false
	}
	i.Steps = append(i.Steps, name)
	return true
}

// Tick tells what nobody has acknowledged in time, and what a silence that is over has held back.
func (b *Book) Tick(now time.Time) (notices []Notice, changed []*Incident) {
	for _, key := range sortedKeys(b.Open) {
		i := b.Open[key]
		if i.ID == "" {
			continue
		}
		if i.Held && b.silence(now, i) == "" {
			notices, changed = append(notices, b.tell(now, i, Opened, "", "")...), append(changed, i)
			continue
		}
		patience := b.Rules.Escalate[i.Severity]
		if patience <= 0 || i.Acknowledged != nil || !i.Escalated.IsZero() || now.Sub(i.Opened) < patience {
			continue
		}
		i.Escalated, i.Changed = now, now
		notices, changed = append(notices, b.tell(now, i, Escalated, "", "")...), append(changed, i)
	}
	return notices, changed
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
		Title: i.Title, Text: text, Targets: affected[:min(len(affected), MaxTargets)], Affected: len(affected), Since: i.Opened}
	i.Notices++
	n.Silenced = b.silence(now, i)
	if e == ResolvedNow && i.Held {
		n.Silenced = "never told" // nobody heard of it: the end is no news
	}
	switch e {
	case ResolvedNow, Acknowledged:
	default:
		i.Held = n.Silenced != ""
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
