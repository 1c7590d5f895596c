package dashboard

import (
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

// SummaryView is everything at a glance. The names of all views are stable.
type SummaryView struct {
	State        watch.State    `json:"state"` // the worst
	Targets      int            `json:"targets"`
	States       map[string]int `json:"states"`
	Incidents    map[string]int `json:"open_incidents"` // by severity
	Ends         []EndsView     `json:"ends"`
	Grades       map[string]int `json:"grades"`
	Certificates int            `json:"certificates"`
	Waiting      int            `json:"deliveries_waiting"`
	Overdue      int            `json:"overdue"` // targets that should have been looked at
	LastLook     time.Time      `json:"last_look,omitzero"`
	Pulse        *PulseView     `json:"pulse,omitempty"` // where the monitor runs in the same process
	Made         time.Time      `json:"made"`
}

// EndsView is how many targets end when.
type EndsView struct {
	Within string `json:"within"` // "over", "7 d", "more"
	Count  int    `json:"count"`
}

// PulseView is how the monitor keeps time.
type PulseView struct {
	Pulse
	Median  float64 `json:"lag_median_seconds"` // by which looks begin late
	Ninety9 float64 `json:"lag_p99_seconds"`
	Most    float64 `json:"lag_max_seconds"`
}

// TargetView is how a target stands.
type TargetView struct {
	Name     string            `json:"name"`
	State    watch.State       `json:"state"`
	Reason   string            `json:"reason"`
	Looked   time.Time         `json:"looked,omitzero"`
	Next     time.Time         `json:"next"`
	Leaf     time.Time         `json:"leaf_ends,omitzero"`
	Path     time.Time         `json:"path_ends,omitzero"`
	Sent     time.Time         `json:"sent_ends,omitzero"`
	DaysLeft *float64          `json:"days_left,omitempty"`
	Grade    string            `json:"grade,omitempty"`
	GradedAt time.Time         `json:"graded_at,omitzero"`
	Places   int               `json:"places"`
	Labels   map[string]string `json:"labels,omitempty"`
}

func newTargetView(t *history.Target, now time.Time) TargetView {
	_, labels := specOf(t.Spec)
	v := TargetView{Name: t.Name, State: t.State, Reason: t.Reason, Looked: t.Last, Next: t.Next, Leaf: t.Leaf, Path: t.Path, Sent: t.Sent, Grade: t.Grade, GradedAt: t.GradedAt, Places: t.Places, Labels: labels}
	if !t.Leaf.IsZero() {
		days := float64(int(t.Leaf.Sub(now).Hours()/24*100)) / 100
		v.DaysLeft = &days
	}
	return v
}

// TargetInDepth is a target with its places.
type TargetInDepth struct {
	TargetView
	Shows     []PlaceView    `json:"shows"`
	Incidents []IncidentView `json:"incidents"`
}

// PlaceView is what one place shows.
type PlaceView struct {
	State       watch.State        `json:"state"`
	Reason      string             `json:"reason"`
	Looked      time.Time          `json:"looked"`
	Since       time.Time          `json:"since"` // it shows the same since then
	Handshake   time.Time          `json:"handshake,omitzero"`
	Observation *watch.Observation `json:"observation"`
}

// DayView is a day of a target.
type DayView struct {
	Day      time.Time   `json:"day"`
	Looks    int         `json:"looks"`
	Bad      int         `json:"bad"` // neither OK nor WARNING
	Worst    watch.State `json:"worst"`
	Millis   float64     `json:"milliseconds"` // that a look took, on average
	DaysLeft *float64    `json:"days_left,omitempty"`
}

// LookView is a single look.
type LookView struct {
	At     time.Time   `json:"at"`
	State  watch.State `json:"state"`
	Millis float64     `json:"milliseconds"`
	Leaf   time.Time   `json:"leaf_ends,omitzero"`
}

// CertificateView is a certificate with where it was seen.
type CertificateView struct {
	watch.Certificate
	First time.Time       `json:"first_seen"`
	Last  time.Time       `json:"last_seen"`
	Where []history.Where `json:"where"` // the first thousand
	Count int             `json:"where_count"`
}

// IncidentView is an incident.
type IncidentView struct {
	ID           string            `json:"id"`
	Kind         string            `json:"kind"`
	Subject      string            `json:"subject"`
	Title        string            `json:"title"`
	Severity     incident.Severity `json:"severity"`
	Worst        incident.Severity `json:"worst"`
	Open         bool              `json:"open"`
	Opened       time.Time         `json:"opened"`
	Resolved     time.Time         `json:"resolved,omitzero"`
	Acknowledged string            `json:"acknowledged_by,omitempty"`
	Note         string            `json:"note,omitempty"`
	Affected     []string          `json:"affected,omitempty"` // the first thousand
	Count        int               `json:"affected_count"`
}

// maxAffected is how many targets of an incident, or places of a certificate, are listed.
const maxAffected = 1000

func newIncidentView(i *incident.Incident) IncidentView {
	affected := i.Affected()
	v := IncidentView{ID: i.ID, Kind: i.Key.Kind, Subject: i.Key.Subject, Title: i.Title, Severity: i.Severity, Worst: i.Worst, Open: i.IsOpen(), Opened: i.Opened, Resolved: i.Resolved, Affected: first(maxAffected, affected), Count: len(affected)}
	if i.Acknowledged != nil {
		v.Acknowledged, v.Note = i.Acknowledged.By, i.Acknowledged.Note
	}
	return v
}

// IncidentStory is an incident with what was told of it.
type IncidentStory struct {
	IncidentView
	Texts map[string]string `json:"texts"` // by affected target
	Told  []ToldView        `json:"told"`
}

// ToldView is one notice with what became of it.
type ToldView struct {
	ID       string            `json:"id"`
	Event    string            `json:"event"`
	At       time.Time         `json:"at"`
	Severity incident.Severity `json:"severity"`
	Step     string            `json:"step,omitempty"` // threshold that was crossed
	Text     string            `json:"text,omitempty"`
	Affected int               `json:"affected"`
	Silenced string            `json:"silenced,omitempty"` // the silence that keeps it back
	Channels []ReceiptView     `json:"channels"`
}

// ReceiptView is what became of a notice at one channel.
type ReceiptView struct {
	Channel   string    `json:"channel"`
	Delivered time.Time `json:"delivered,omitzero"`
	Tries     int       `json:"tries"` // that failed
	Trouble   string    `json:"trouble,omitempty"`
}

// AcknowledgeOrder says who takes care of what.
type AcknowledgeOrder struct {
	ID   string `json:"id"`
	By   string `json:"by,omitempty"`
	Note string `json:"note,omitempty"`
}

// SilenceOrder says what is to be kept back, and how long.
type SilenceOrder struct {
	Target  string `json:"target,omitempty"` // a pattern with * for any run of characters; "": every target
	Kind    string `json:"kind,omitempty"`
	Subject string `json:"subject,omitempty"`
	For     string `json:"for"` // as 2h
	By      string `json:"by,omitempty"`
	Note    string `json:"note,omitempty"`
}

// SilenceView is a silence.
type SilenceView struct {
	ID      string    `json:"id"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	By      string    `json:"by,omitempty"`
	Note    string    `json:"note,omitempty"`
	Target  string    `json:"target,omitempty"`
	Kind    string    `json:"kind,omitempty"`
	Subject string    `json:"subject,omitempty"`
}

func newSilenceView(x *incident.Silence) SilenceView {
	return SilenceView{ID: x.ID, From: x.From, To: x.To, By: x.By, Note: x.Note, Target: x.Target, Kind: x.Kind, Subject: x.Subject}
}

// view turns every value of a list into what programs see.
func view[T, V any](values []T, of func(T) V) []V {
	made := make([]V, 0, len(values))
	for _, v := range values {
		made = append(made, of(v))
	}
	return made
}
