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
)

// Bounds on what people write, in bytes, and on how long a silence may last.
const (
	maxNote    = 500
	maxPattern = 300
	maxSilence = 90 * day
)

// incidentList is the page of incidents and silences.
type incidentList struct {
	WithOver bool
	List     []*incident.Incident
	Pager    pager
	Silences []incident.Silence
	Lengths  []length
}

// length is how long a silence may last, to choose from.
type length struct{ Value, Text string }

func lengths() []length {
	return []length{{"30m", "30 minutes"}, {"1h", "1 hour"}, {"2h", "2 hours"}, {"8h", "8 hours"}, {"24h", "1 day"}, {"168h", "1 week"}}
}

// incidents lists them, open ones first.
func (c *call) incidents() error {
	ctx, cancel := c.reading()
	defer cancel()
	all, err := word(c.query, "all", []string{"yes"})
	if err != nil {
		return err
	}
	n, p, err := pageOf(c.query, rowsOfPage)
	if err != nil {
		return err
	}
	list, total, err := c.s.o.Source.Incidents(ctx, history.IncidentQuery{Open: all == "", Page: p})
	if err != nil {
		return err
	}
	v := &incidentList{WithOver: all != "", List: list, Pager: newPager(c.URL, n, rowsOfPage, len(list), total), Lengths: lengths()}
	if v.Silences, err = c.s.silences(ctx, c.now); err != nil {
		return err
	}
	return c.show(http.StatusOK, "incidents", "incidents", "Incidents", v)
}

// silences lists those that are not over.
func (s *Server) silences(ctx context.Context, now time.Time) ([]incident.Silence, error) {
	list, err := s.o.Source.Silences(ctx)
	return slices.DeleteFunc(list, func(x incident.Silence) bool { return !now.Before(x.To) }), err
}

// oneIncident is the page of one.
type oneIncident struct {
	*incident.Incident
	Story    []history.Told
	Places   []string // affected targets; of an incident that is over, those that were
	Lengths  []length
	Silences []incident.Silence // that may keep its messages back
}

// incident is the page of one.
func (c *call) incident() error {
	ctx, cancel := c.reading()
	defer cancel()
	id, err := c.name("id")
	if err != nil {
		return err
	}
	i, err := c.s.o.Source.Incident(ctx, id)
	if err != nil {
		return err
	}
	v := &oneIncident{Incident: i, Places: whereabouts(i), Lengths: lengths()}
	if v.Story, err = c.s.o.Source.Notices(ctx, id); err != nil {
		return err
	}
	all, err := c.s.silences(ctx, c.now)
	if err != nil {
		return err
	}
	for _, x := range all {
		if (x.Kind == "" || x.Kind == i.Key.Kind) && (x.Subject == "" || x.Subject == i.Key.Subject) &&
			(x.Target == "" || slices.ContainsFunc(v.Places, func(t string) bool { return incident.Matches(x.Target, t) })) {
			v.Silences = append(v.Silences, x)
		}
	}
	return c.show(http.StatusOK, "incident", "incidents", i.Title, v)
}

// acknowledge notes that somebody takes care.
func (c *call) acknowledge() error {
	id, err := line(c.form, "id", 64)
	if err != nil {
		return err
	}
	note, err := line(c.form, "note", maxNote)
	if err != nil {
		return err
	}
	if err := c.s.o.Keeper.Acknowledge(c.Context(), id, c.user.name, note); err != nil {
		return err
	}
	c.s.o.Log.Info("an incident was acknowledged", "incident", id, "by", c.user.name, "from", c.RemoteAddr)
	c.goTo(link("/incident", "id", id))
	return nil
}

// silence keeps messages back for a while.
func (c *call) silence() error {
	var o SilenceOrder
	var err error
	for name, to := range map[string]*string{"target": &o.Target, "kind": &o.Kind, "subject": &o.Subject, "for": &o.For, "note": &o.Note} {
		if *to, err = line(c.form, name, maxNote); err != nil {
			return err
		}
	}
	if _, err := c.s.keepBack(c.Context(), c.now, c.user, o); err != nil {
		return err
	}
	c.goTo(backTo(c.form.Get("to")))
	return nil
}

// keepBack makes a silence of what somebody wants.
func (s *Server) keepBack(ctx context.Context, now time.Time, u user, o SilenceOrder) (incident.Silence, error) {
	last, err := time.ParseDuration(o.For)
	if err != nil || last < time.Minute || last > maxSilence {
		return incident.Silence{}, refusal(http.StatusBadRequest, fmt.Sprintf("for is a time from 1m to %dh, as 2h", int(maxSilence.Hours())), "")
	}
	if len(o.Target) > maxPattern || len(o.Kind) > 60 || len(o.Subject) > maxPattern || strings.Count(o.Target, "*") > 20 {
		return incident.Silence{}, refusal(http.StatusBadRequest, "that is too long for a pattern", "")
	}
	x := incident.Silence{From: now, To: now.Add(last), By: u.name, Note: o.Note, Target: o.Target, Kind: o.Kind, Subject: o.Subject}
	if x.ID, err = s.o.Keeper.Silence(ctx, x); err != nil {
		return x, err
	}
	s.o.Log.Info("messages are kept back", "silence", x.ID, "by", u.name, "until", x.To.UTC().Format(time.RFC3339), "target", x.Target, "kind", x.Kind)
	return x, nil
}

// endSilence ends one before its time.
func (c *call) endSilence() error {
	id, err := line(c.form, "id", 64)
	if err != nil {
		return err
	}
	if err := c.s.o.Keeper.EndSilence(c.Context(), id); err != nil {
		return err
	}
	c.s.o.Log.Info("a silence was ended", "silence", id, "by", c.user.name, "from", c.RemoteAddr)
	c.goTo(backTo(c.form.Get("to")))
	return nil
}
