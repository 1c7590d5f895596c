package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
)

// targetReport is how a target stands, in --json. The names are stable.
type targetReport struct {
	Target   string        `json:"target"`
	State    watch.State   `json:"state"`
	Reason   string        `json:"reason"`
	Looked   string        `json:"looked,omitempty"`    // RFC 3339, UTC
	Next     string        `json:"next,omitempty"`      //
	Leaf     string        `json:"leaf_ends,omitempty"` // the earliest end of a leaf
	DaysLeft *float64      `json:"days_left,omitempty"` // of the leaf
	Path     string        `json:"path_ends,omitempty"` // of a certificate in the best verified path
	Sent     string        `json:"sent_ends,omitempty"` // of any certificate that was sent
	Grade    string        `json:"grade,omitempty"`
	Millis   float64       `json:"milliseconds,omitempty"`
	Places   []placeReport `json:"places,omitempty"`

	Labels map[string]string `json:"labels,omitempty"`
}

// placeReport is what one address or file showed.
type placeReport struct {
	State       watch.State        `json:"state"`
	Reason      string             `json:"reason"`
	Observation *watch.Observation `json:"observation"`
}

func jsonTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func daysLeft(end, now time.Time) *float64 {
	if end.IsZero() {
		return nil
	}
	d := float64(int(end.Sub(now).Hours()/24*100)) / 100
	return &d
}

// ofResult reports a look.
func ofResult(r *history.Result, now time.Time) targetReport {
	v := &r.Verdict
	t := targetReport{Target: r.Target, State: v.State, Reason: v.Reason, Looked: jsonTime(r.At), Next: jsonTime(r.Next), Leaf: jsonTime(v.Leaf), DaysLeft: daysLeft(v.Leaf, now),
		Path: jsonTime(v.Path), Sent: jsonTime(v.Sent), Grade: r.Grade, Millis: float64(r.Took.Microseconds()) / 1000}
	for _, p := range r.Places {
		t.Places = append(t.Places, placeReport{State: p.State, Reason: p.Reason, Observation: p.Observation})
	}
	return t
}

// ofTarget reports what is kept of a target.
func ofTarget(t *history.Target, now time.Time) targetReport {
	var spec config.Watched
	_ = json.Unmarshal(t.Spec, &spec) // labels are all that is wanted of it
	return targetReport{Labels: spec.Labels, Target: t.Name, State: t.State, Reason: t.Reason, Looked: jsonTime(t.Last), Next: jsonTime(t.Next), Leaf: jsonTime(t.Leaf), DaysLeft: daysLeft(t.Leaf, now),
		Path: jsonTime(t.Path), Sent: jsonTime(t.Sent), Grade: t.Grade}
}

// watchStyle is the colour of a state.
func watchStyle(s watch.State) style {
	switch s {
	case watch.OK:
		return good
	case watch.Warning, watch.Unknown:
		return caution
	}
	return bad
}

// targetTable writes targets as a table.
func (a *app) targetTable(list []targetReport) {
	if len(list) == 0 {
		return
	}
	cells := [][]string{{"STATE", "DAYS", "GRADE", "TARGET", "WHY"}}
	for _, t := range list {
		days, letter := "-", t.Grade
		if t.DaysLeft != nil {
			days = strconv.Itoa(int(*t.DaysLeft)) // whole days, as the reason says
		}
		if letter == "" {
			letter = "-"
		}
		cells = append(cells, []string{t.State.String(), days, letter, pki.Printable(t.Target), t.Reason})
	}
	out := &a.ui.out
	a.ui.write(out, out.grid(cells, func(row, col int) style {
		switch {
		case row == 0:
			return faint
		case col == 0:
			return watchStyle(list[row-1].State)
		}
		return plain
	}))
}

// stateCount writes how many targets stand how: "3 OK, 1 CRITICAL".
func stateCount(states map[watch.State]int) string {
	var parts []string
	for s := watch.OK; s <= watch.Expired; s++ {
		if n := states[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(parts) == 0 {
		return "no targets"
	}
	return strings.Join(parts, ", ")
}

// monitorLog tells what a monitor sees: a line for each change of a target's state, and whatever is logged.
type monitorLog struct {
	app     *app
	asJSON  bool
	isQuiet bool
	mu      sync.Mutex
	states  map[string]string // by target: state and reason without its numbers
}

// monitorEvent is one line of `monitor run --json`.
type monitorEvent struct {
	Event    string            `json:"event"` // watching, listening, state, incident, note, trouble
	Time     string            `json:"time"`
	Target   string            `json:"target,omitempty"`
	State    *watch.State      `json:"state,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Targets  int               `json:"targets,omitempty"`
	Database string            `json:"database,omitempty"`
	URL      string            `json:"url,omitempty"` // where it listens
	Details  map[string]string `json:"details,omitempty"`
}

func (l *monitorLog) tell(s *stream, e monitorEvent, text string) {
	if !l.asJSON {
		l.app.ui.write(s, text+"\n")
		return
	}
	e.Time = l.app.now().UTC().Format(time.RFC3339Nano)
	_ = l.app.ui.printJSONLine(e) // an event holds nothing that cannot be encoded
}

func (l *monitorLog) begun(n int, m *config.Monitor, where string) {
	text := "watching " + countOf(n, "target")
	if len(m.Lists) > 0 {
		text += " and those of " + strings.Join(m.Lists, ", ")
	}
	l.tell(&l.app.ui.out, monitorEvent{Event: "watching", Targets: n, Database: where}, text+", kept in "+where)
}

// listening tells where something can be read.
func (l *monitorLog) listening(what, url string) {
	l.tell(&l.app.ui.out, monitorEvent{Event: "listening", Reason: what, URL: url}, what+": "+url)
}

// looked tells of a look if the target stands otherwise than before.
func (l *monitorLog) looked(target string, v watch.Verdict, _ time.Duration) {
	key := v.State.String()
	l.mu.Lock()
	was, known := l.states[target]
	l.states[target] = key
	l.mu.Unlock()
	if l.isQuiet || known && was == key {
		return
	}
	text := fmt.Sprintf("%s %s: %s", l.app.ui.out.paint(watchStyle(v.State), v.State.String()), pki.Printable(target), v.Reason)
	l.tell(&l.app.ui.out, monitorEvent{Event: "state", Target: target, State: &v.State, Reason: v.Reason}, text)
}

// Enabled implements slog.Handler.
func (l *monitorLog) Enabled(_ context.Context, level slog.Level) bool {
	return level > slog.LevelInfo || level == slog.LevelInfo && !l.isQuiet
}

// Handle implements slog.Handler: incidents go to standard output, trouble to standard error.
func (l *monitorLog) Handle(_ context.Context, r slog.Record) error {
	details := make(map[string]string)
	var order []string
	r.Attrs(func(a slog.Attr) bool {
		details[a.Key] = pki.Printable(a.Value.String())
		order = append(order, a.Key)
		return true
	})
	if r.Message == "incident" {
		text := fmt.Sprintf("incident %s %s, %s: %s", details["incident"], details["event"], details["severity"], details["title"])
		if details["text"] != "" {
			text += ": " + details["text"]
		}
		l.tell(&l.app.ui.out, monitorEvent{Event: "incident", Details: details}, text)
		return nil
	}
	text := r.Message
	for _, k := range order {
		text += ", " + k + ": " + details[k]
	}
	if r.Level < slog.LevelWarn {
		l.tell(&l.app.ui.out, monitorEvent{Event: "note", Reason: r.Message, Details: details}, text)
		return nil
	}
	l.tell(&l.app.ui.err, monitorEvent{Event: "trouble", Reason: r.Message, Details: details}, "warning: "+text)
	return nil
}

// WithAttrs implements slog.Handler; the engine does not use it.
func (l *monitorLog) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler; the engine does not use it.
func (l *monitorLog) WithGroup(string) slog.Handler { return l }
