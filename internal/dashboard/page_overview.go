package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

// How much of everything the first page shows.
const (
	urgentShown    = 10
	changesShown   = 12
	incidentsShown = 8
	changesFor     = 7 * day
	overdueAfter   = 5 * time.Minute // by then somebody should be told that nobody looks
	barsWidth      = 400.0
	barsHeight     = 168.0
)

// estate is everything at a glance.
type estate struct {
	Status    watch.State
	Total     int
	Tiles     []tile
	Summary   history.Summary
	Ends      history.Ends
	Bars      []bar
	Grades    []bar
	Urgent    []history.Target
	Changes   []history.Changed
	Incidents []*incident.Incident
	Open      int // incidents
	Pulse     *Pulse
	IsLate    bool // nobody looks, or not in time
}

// tile is a state with how many targets have it.
type tile struct {
	State watch.State
	Count int
}

// spans are where the days that are left are cut.
func spans() []time.Duration {
	return []time.Duration{day, 3 * day, 7 * day, 14 * day, 30 * day, 60 * day, 90 * day}
}

// readEstate gathers what the first page shows.
func (s *Server) readEstate(ctx context.Context, now time.Time) (*estate, error) {
	e := &estate{}
	var err error
	if e.Summary, err = s.o.Source.Summary(ctx, now); err != nil {
		return nil, err
	}
	if e.Ends, err = s.o.Source.Ends(ctx, now, spans()); err != nil {
		return nil, err
	}
	for _, state := range states() {
		e.Tiles = append(e.Tiles, tile{state, e.Summary.States[state]})
		e.Total += e.Summary.States[state]
	}
	e.Status = statusOf(e.Summary.States)
	e.Bars, e.Grades = endBars(&e.Ends), gradeBars(&e.Ends)
	urgent, _, err := s.o.Source.Targets(ctx, history.TargetQuery{States: []watch.State{watch.Expired, watch.Critical, watch.Error, watch.Warning}, Page: history.Page{Limit: urgentShown}})
	if err != nil {
		return nil, err
	}
	e.Urgent = urgent
	if e.Changes, err = s.o.Source.Changes(ctx, "", now.Add(-changesFor), history.Page{Limit: changesShown}); err != nil {
		return nil, err
	}
	if e.Incidents, e.Open, err = s.o.Source.Incidents(ctx, history.IncidentQuery{Open: true, Page: history.Page{Limit: incidentsShown}}); err != nil {
		return nil, err
	}
	if s.o.Pulse != nil {
		p := s.o.Pulse()
		e.Pulse = &p
	}
	e.IsLate = e.Summary.Overdue > 0 && now.Sub(e.Summary.Oldest) > overdueAfter
	return e, nil
}

// endBars draws how long certificates are still good.
func endBars(e *history.Ends) []bar {
	list := []bar{{Label: "over", Title: "have expired", Class: "expired", Count: e.Over}}
	from := time.Duration(0)
	for i, to := range spans() {
		class := "ok"
		switch {
		case to <= 7*day:
			class = "critical"
		case to <= 30*day:
			class = "warning"
		}
		title := fmt.Sprintf("%d to %d days left", from/day, to/day)
		if from == 0 {
			title = "less than a day left"
		}
		list = append(list, bar{Label: fmt.Sprintf("%d d", to/day), Title: title, Class: class, Count: e.Within[i]})
		from = to
	}
	list = append(list, bar{Label: "more", Title: fmt.Sprintf("more than %d days left", from/day), Class: "ok", Count: e.Later})
	if e.None > 0 {
		list = append(list, bar{Label: "none", Title: "show no certificate", Class: "unknown", Count: e.None})
	}
	return bars(list, barsWidth, barsHeight)
}

// gradeBars draws how many targets have which grade.
func gradeBars(e *history.Ends) []bar {
	classes := map[string]string{"A+": "ok", "A": "ok", "A-": "ok", "B": "warning", "C": "warning"}
	var list []bar
	for _, g := range []string{"A+", "A", "A-", "B", "C", "D", "E", "F", "M", "T"} {
		class := classes[g]
		if class == "" {
			class = "critical"
		}
		if n := e.Grades[g]; n > 0 || strings.Contains("A+ABCDEF", g) && g != "A-" {
			list = append(list, bar{Label: g, Title: "have the grade " + g, Class: class, Count: n})
		}
	}
	if slices.ContainsFunc(list, func(b bar) bool { return b.Count > 0 }) {
		return bars(list, barsWidth, barsHeight)
	}
	return nil
}

// overview is the first page.
func (c *call) overview() error {
	ctx, cancel := c.reading()
	defer cancel()
	e, err := c.s.readEstate(ctx, c.now)
	if err != nil {
		return err
	}
	return c.show(http.StatusOK, "overview", "overview", "Overview", e)
}

// reading bounds what a page reads in the database.
func (c *call) reading() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Context(), readTimeout)
}
