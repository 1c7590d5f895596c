package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/trace"
)

// How much of a target its page shows.
const (
	targetChanges   = 40
	targetIncidents = 50
	stripWidth      = 600.0
)

// inDepth is one target with everything that is known of it.
type inDepth struct {
	Target    history.Target
	Spec      string // as JSON, for who wants to know what is set
	Labels    map[string]string
	Places    []placeView
	Changes   []history.Changed
	Days      []history.Day
	Strip     []dayMark
	Since     time.Time
	Span      int // days
	Incidents []*incident.Incident
	Graded    []history.Changed // changes of the grade
}

// placeView is a place with its last handshake.
type placeView struct {
	history.Place
	Trace *traceView
}

// traceView is a recorded handshake in short.
type traceView struct {
	history.Trace
	Text string // what happened, by the recording itself
	Link string
}

// readTarget gathers what is known of a target.
func (s *Server) readTarget(ctx context.Context, name string, since time.Time) (*inDepth, error) {
	v := &inDepth{Since: since}
	var err error
	if v.Target, err = s.o.Source.Target(ctx, name); err != nil {
		return nil, err
	}
	places, err := s.o.Source.Places(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, p := range places {
		v.Places = append(v.Places, placeView{Place: p})
	}
	if v.Changes, err = s.o.Source.Changes(ctx, name, since, history.Page{Limit: targetChanges}); err != nil {
		return nil, err
	}
	for _, c := range v.Changes {
		if c.Field == "grade" {
			v.Graded = append(v.Graded, c)
		}
	}
	if v.Days, err = s.o.Source.Days(ctx, name, since); err != nil {
		return nil, err
	}
	v.Incidents, _, err = s.o.Source.Incidents(ctx, history.IncidentQuery{Target: name, Page: history.Page{Limit: targetIncidents}})
	return v, err
}

// target is the page of one.
func (c *call) target() error {
	ctx, cancel := c.reading()
	defer cancel()
	name, err := c.name("name")
	if err != nil {
		return err
	}
	span, err := number(c.query, "days", usualDays, 1, maxDays)
	if err != nil {
		return err
	}
	v, err := c.s.readTarget(ctx, name, c.now.Add(-time.Duration(span)*day))
	if err != nil {
		return err
	}
	v.Span, v.Strip = span, strip(v.Days, stripWidth)
	v.Spec, v.Labels = specOf(v.Target.Spec)
	traces, err := c.s.o.Source.Traces(ctx, name)
	if err != nil {
		return err
	}
	for _, t := range traces {
		for i := range v.Places {
			if v.Places[i].Observation.Place == t.Place {
				v.Places[i].Trace = c.s.traceOf(ctx, t)
			}
		}
	}
	return c.show(http.StatusOK, "target", "targets", name, v)
}

// specOf makes a target's settings readable: what is not set is left out.
func specOf(spec json.RawMessage) (text string, labels map[string]string) {
	var all map[string]any
	if json.Unmarshal(spec, &all) != nil {
		return string(spec), nil
	}
	labels = make(map[string]string)
	if m, ok := all["Labels"].(map[string]any); ok {
		for k, v := range m {
			labels[k], _ = v.(string)
		}
	}
	prune(all)
	out, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return string(spec), labels
	}
	return string(out), labels
}

// prune takes out of settings what is not set.
func prune(m map[string]any) {
	for k, v := range m {
		switch v := v.(type) {
		case map[string]any:
			if prune(v); len(v) == 0 {
				delete(m, k)
			}
		case nil:
			delete(m, k)
		case string:
			if v == "" {
				delete(m, k)
			}
		case float64:
			if v == 0 {
				delete(m, k)
			}
		case bool:
			if !v {
				delete(m, k)
			}
		}
	}
}

// traceOf tells a recording in a few lines. One that cannot be read - an older program wrote it - is left out.
func (s *Server) traceOf(ctx context.Context, t history.Trace) *traceView {
	r, err := s.recording(ctx, t.Target, t.Place)
	if err != nil {
		if !errors.Is(err, history.ErrNotFound) {
			s.o.Log.Warn("a recorded handshake cannot be read", "target", t.Target, "place", t.Place, "error", err.Error())
		}
		return nil
	}
	var b bytes.Buffer
	if err := trace.WriteBrief(&b, r, trace.Options{Width: 100}); err != nil {
		return nil
	}
	return &traceView{Trace: t, Text: b.String(), Link: link("/target/handshake", "name", t.Target, "place", t.Place)}
}

// recording reads a recorded handshake.
func (s *Server) recording(ctx context.Context, target, place string) (*trace.Recording, error) {
	t, err := s.o.Source.Trace(ctx, target, place)
	if err != nil {
		return nil, err
	}
	return trace.ReadJSON(bytes.NewReader(t.Body))
}

// handshake is the page of a recording, as package trace writes it: with its own scripts and styles, which its own policy
// names by their digests. It stands in a sandbox of its own: what is in it came from a peer, and reaches nothing of ours.
func (c *call) handshake() error {
	ctx, cancel := c.reading()
	defer cancel()
	name, err := c.name("name")
	if err != nil {
		return err
	}
	place, err := c.name("place")
	if err != nil {
		return err
	}
	r, err := c.s.recording(ctx, name, place)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := trace.WriteHTML(&b, r, trace.HTMLOptions{Title: "The last handshake with " + name + " at " + place}); err != nil {
		return err
	}
	_, rest, _ := strings.Cut(b.String(), `http-equiv="Content-Security-Policy" content="`)
	own, _, ok := strings.Cut(rest, `"`)
	if !ok {
		return errors.New("the page of a recording has no policy")
	}
	h := c.w.Header()
	h.Set("Content-Security-Policy", html.UnescapeString(own)+"; frame-ancestors 'none'; sandbox allow-scripts")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	c.send(http.StatusOK, b.Bytes())
	return nil
}
