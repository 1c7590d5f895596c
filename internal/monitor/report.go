package monitor

import (
	"context"
	_ "embed"
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

// Report is an estate on one page.
type Report struct {
	Made      time.Time
	Since     time.Time // changes and incidents from then on
	Summary   history.Summary
	Total     int   // targets
	Targets   []Row // all of them, the most urgent first
	Changes   []history.Changed
	Incidents []*incident.Incident
}

// Row is a target with its last weeks.
type Row struct {
	history.Target
	Days []history.Day
}

// Bounds on a report.
const (
	maxRows     = 10_000 // of the page: no browser likes more
	maxTrends   = 300    // rows whose days are drawn
	maxChanges  = 500
	maxIncident = 500
)

// NewReport gathers what a report shows: the most urgent targets first.
func NewReport(ctx context.Context, h *history.History, now, since time.Time) (*Report, error) {
	r := &Report{Made: now, Since: since}
	var err error
	if r.Summary, err = h.Summary(ctx, now); err != nil {
		return nil, err
	}
	for {
		list, total, err := h.Targets(ctx, history.TargetQuery{Page: history.Page{Limit: 10_000, Offset: len(r.Targets)}})
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			r.Targets = append(r.Targets, Row{Target: t})
		}
		if r.Total = total; len(list) == 0 || len(r.Targets) >= total {
			break
		}
	}
	for i := range r.Targets[:min(len(r.Targets), maxTrends)] {
		row := &r.Targets[i]
		if row.Days, err = h.Days(ctx, row.Name, since); err != nil {
			return nil, err
		}
	}
	if r.Changes, err = h.Changes(ctx, "", since, history.Page{Limit: maxChanges}); err != nil {
		return nil, err
	}
	r.Incidents, _, err = h.Incidents(ctx, history.IncidentQuery{Since: since, Page: history.Page{Limit: maxIncident}})
	if err == nil {
		var open []*incident.Incident
		open, _, err = h.Incidents(ctx, history.IncidentQuery{Open: true, Page: history.Page{Limit: maxIncident}})
		r.Incidents = joined(open, r.Incidents)
	}
	return r, err
}

// Shown are the targets that the page shows, and Left how many more there are.
func (r *Report) Shown() []Row { return r.Targets[:min(len(r.Targets), maxRows)] }

// Left is described with Shown.
func (r *Report) Left() int { return len(r.Targets) - len(r.Shown()) }

// IsCut reports whether there may be more changes than the page shows.
func (r *Report) IsCut() bool { return len(r.Changes) >= maxChanges }

// joined adds to incidents those of another list that are not among them.
func joined(list, more []*incident.Incident) []*incident.Incident {
	seen := make(map[string]bool)
	for _, i := range list {
		seen[i.ID] = true
	}
	for _, i := range more {
		if !seen[i.ID] {
			list = append(list, i)
		}
	}
	return list
}

// CSV writes the targets, one a line, for a spreadsheet. Cells that a spreadsheet would take for a formula begin with an
// apostrophe.
func (r *Report) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"target", "state", "reason", "leaf_ends", "days_left", "path_ends", "sent_ends", "grade", "looked"}); err != nil {
		return err
	}
	for _, t := range r.Targets {
		if err := out.Write([]string{cell(t.Name), t.State.String(), cell(t.Reason), stamp(t.Leaf), daysLeft(t.Leaf, r.Made), stamp(t.Path), stamp(t.Sent), cell(t.Grade), stamp(t.Last)}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func daysLeft(end, now time.Time) string {
	if end.IsZero() {
		return ""
	}
	return fmt.Sprintf("%.1f", end.Sub(now).Hours()/24)
}

//go:embed report.html
var reportPage string

// HTML writes the report as one page that needs nothing else: no script, no picture, no address outside.
func (r *Report) HTML(w io.Writer) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"day":    func(t time.Time) string { return orDash(t, "2006-01-02") },
		"moment": func(t time.Time) string { return orDash(t, "2006-01-02 15:04 UTC") },
		"left":   func(t time.Time) string { return leftText(t, r.Made) },
		"class":  func(s watch.State) string { return strings.ToLower(s.String()) },
		"states": func() []watch.State {
			return []watch.State{watch.Expired, watch.Critical, watch.Error, watch.Warning, watch.Unknown, watch.OK}
		},
		"trend": func(days []history.Day) []point { return trend(days, r.Made) },
		"line":  func(days []history.Day) string { return polyline(trend(days, r.Made)) },
		"short": func(list []string) string { return shortList(list) },
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	return page.Execute(w, r)
}

func orDash(t time.Time, layout string) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(layout)
}

// leftText is how many days are left.
func leftText(end, now time.Time) string {
	if end.IsZero() {
		return "-"
	}
	d := end.Sub(now)
	if d > -2*day && d < 2*day {
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d", int(d.Hours()/24))
}

func shortList(list []string) string {
	const shown = 5
	text := strings.Join(list[:min(len(list), shown)], ", ")
	if len(list) > shown {
		text += fmt.Sprintf(" and %d more", len(list)-shown)
	}
	return text
}

// point is a day in a drawing of 120 by 24.
type point struct {
	X, Y  float64
	Label string
	Class string
}

// The size of the drawing, and the most days left that it shows.
const (
	trendWidth  = 120.0
	trendHeight = 24.0
	trendDays   = 90.0
)

// trend places the days left of each day: up is much, and the floor is the end.
func trend(days []history.Day, now time.Time) []point {
	if len(days) == 0 {
		return nil
	}
	first := days[0].Day
	span := max(now.Sub(first).Hours(), 24)
	var list []point
	for _, d := range days {
		left := 0.0
		if !d.Leaf.IsZero() {
			left = min(max(d.Leaf.Sub(d.Day).Hours()/24, 0), trendDays)
		}
		list = append(list, point{X: d.Day.Sub(first).Hours() / span * (trendWidth - 4), Y: trendHeight - 2 - left/trendDays*(trendHeight-4), Class: strings.ToLower(d.Worst.String()),
			Label: fmt.Sprintf("%s: %s, %.0f days left, %d looks", d.Day.Format(time.DateOnly), d.Worst, left, d.Looks)})
	}
	return list
}

// polyline writes points as SVG does.
func polyline(points []point) string {
	var b strings.Builder
	for _, p := range points {
		fmt.Fprintf(&b, "%.1f,%.1f ", p.X+2, p.Y)
	}
	return strings.TrimSpace(b.String())
}
