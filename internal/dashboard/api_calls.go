package dashboard

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/pki"
)

func (c *call) apiSummary() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	e, err := c.s.readEstate(ctx, c.now)
	if err != nil {
		return nil, err
	}
	v := SummaryView{State: e.Status, Targets: e.Total, States: make(map[string]int), Incidents: make(map[string]int), Grades: e.Ends.Grades, Certificates: e.Summary.Certificates,
		Waiting: e.Summary.Waiting, Overdue: e.Summary.Overdue, LastLook: e.Ends.Last, Made: c.now}
	for _, t := range e.Tiles {
		v.States[t.State.String()] = t.Count
	}
	for s, n := range e.Summary.Open {
		v.Incidents[s.String()] = n
	}
	for _, b := range e.Bars {
		v.Ends = append(v.Ends, EndsView{Within: b.Label, Count: b.Count})
	}
	if p := e.Pulse; p != nil {
		v.Pulse = &PulseView{Pulse: *p, Median: p.Median.Seconds(), Ninety9: p.Ninety9.Seconds(), Most: p.Most.Seconds()}
	}
	return v, nil
}

func (c *call) apiTargets() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	n, p, err := c.sized()
	if err != nil {
		return nil, err
	}
	_, q, err := targetQuery(c.query, p.Limit)
	if err != nil {
		return nil, err
	}
	targets, total, err := c.s.o.Source.Targets(ctx, q)
	return list[TargetView]{Items: view(targets, func(t history.Target) TargetView { return newTargetView(&t, c.now) }), Total: total, Page: n}, err
}

func (c *call) apiTarget() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	name, err := c.name("name")
	if err != nil {
		return nil, err
	}
	t, err := c.s.readTarget(ctx, name, c.now)
	if err != nil {
		return nil, err
	}
	v := TargetInDepth{TargetView: newTargetView(&t.Target, c.now), Incidents: view(t.Incidents, newIncidentView)}
	traces, err := c.s.o.Source.Traces(ctx, name)
	if err != nil {
		return nil, err
	}
	recorded := make(map[string]time.Time)
	for _, x := range traces {
		recorded[x.Place] = x.At
	}
	v.Shows = view(t.Places, func(p placeView) PlaceView {
		return PlaceView{State: p.State, Reason: p.Reason, Looked: p.At, Since: p.Since, Handshake: recorded[p.Observation.Place], Observation: p.Observation}
	})
	return v, nil
}

func (c *call) apiDays() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	name, err := c.name("name")
	if err != nil {
		return nil, err
	}
	from, err := since(c.query, c.now)
	if err != nil {
		return nil, err
	}
	days, err := c.s.o.Source.Days(ctx, name, from)
	return view(days, func(d history.Day) DayView {
		v := DayView{Day: d.Day, Looks: d.Looks, Bad: d.Bad, Worst: d.Worst, Millis: float64(d.Mean.Microseconds()) / 1000}
		if !d.Leaf.IsZero() {
			left := float64(int(d.Leaf.Sub(d.Day).Hours()/24*10)) / 10
			v.DaysLeft = &left
		}
		return v
	}), err
}

func (c *call) apiLooks() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	name, err := c.name("name")
	if err != nil {
		return nil, err
	}
	_, p, err := c.sized()
	if err != nil {
		return nil, err
	}
	looks, err := c.s.o.Source.Looks(ctx, name, p)
	return view(looks, func(l history.Look) LookView {
		return LookView{At: l.At, State: l.State, Millis: float64(l.Took.Microseconds()) / 1000, Leaf: l.Leaf}
	}), err
}

func (c *call) apiHandshake() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	name, err := c.name("name")
	if err != nil {
		return nil, err
	}
	place, err := c.name("place")
	if err != nil {
		return nil, err
	}
	t, err := c.s.o.Source.Trace(ctx, name, place)
	return json.RawMessage(t.Body), err
}

func (c *call) apiChanges() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	_, p, err := c.sized()
	if err != nil {
		return nil, err
	}
	from, err := since(c.query, c.now)
	if err != nil {
		return nil, err
	}
	changes, err := c.s.o.Source.Changes(ctx, c.query.Get("name"), from, p)
	return append([]history.Changed{}, changes...), err
}

func newCertificateView(k history.Known) CertificateView {
	return CertificateView{Certificate: k.Certificate, First: k.First, Last: k.Last, Where: append([]history.Where{}, k.Where[:min(len(k.Where), maxAffected)]...), Count: len(k.Where)}
}

func (c *call) apiCertificates() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	n, p, err := c.sized()
	if err != nil {
		return nil, err
	}
	_, q, err := c.certificateQuery(p.Limit)
	if err != nil {
		return nil, err
	}
	known, total, err := c.s.o.Source.Certificates(ctx, q)
	return list[CertificateView]{Items: view(known, newCertificateView), Total: total, Page: n}, err
}

func (c *call) apiCertificate() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	print, err := c.fingerprint()
	if err != nil {
		return nil, err
	}
	k, err := c.s.known(ctx, c.now, print)
	return newCertificateView(k), err
}

func (c *call) apiIncidents() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	n, p, err := c.sized()
	if err != nil {
		return nil, err
	}
	all, err := word(c.query, "all", []string{"yes"})
	if err != nil {
		return nil, err
	}
	incidents, total, err := c.s.o.Source.Incidents(ctx, history.IncidentQuery{Open: all == "", Page: p})
	return list[IncidentView]{Items: view(incidents, newIncidentView), Total: total, Page: n}, err
}

func (c *call) apiIncident() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	id, err := c.name("id")
	if err != nil {
		return nil, err
	}
	i, err := c.s.o.Source.Incident(ctx, id)
	if err != nil {
		return nil, err
	}
	v := IncidentStory{IncidentView: newIncidentView(i), Texts: make(map[string]string)}
	for _, t := range v.Affected {
		v.Texts[t] = i.Targets[t].Text
	}
	told, err := c.s.o.Source.Notices(ctx, id)
	v.Told = view(told, func(n history.Told) ToldView {
		return ToldView{ID: n.ID, Event: string(n.Event), At: n.At, Severity: n.Severity, Step: n.Step, Text: n.Text, Affected: n.Affected, Silenced: n.Silenced,
			Channels: view(n.Channels, func(r history.Receipt) ReceiptView { return ReceiptView(r) })}
	})
	return v, err
}

// by is who a program acts for: whom it names, with how it came in.
func (c *call) by(name string) (string, error) {
	if len(name) > maxName || pki.Printable(name) != name {
		return "", refusal(http.StatusBadRequest, "by is a name that can be printed, not too long", "")
	}
	if name == "" || name == c.user.name {
		return c.user.name, nil
	}
	return name + " (" + c.user.name + ")", nil
}

func (c *call) apiAcknowledge() (any, error) {
	var o AcknowledgeOrder
	if err := c.decode(&o); err != nil {
		return nil, err
	}
	by, err := c.by(o.By)
	if err != nil {
		return nil, err
	}
	if len(o.ID) > 64 || len(o.Note) > maxNote || pki.Printable(o.Note) != o.Note {
		return nil, refusal(http.StatusBadRequest, "id or note is too long, or cannot be printed", "")
	}
	if err := c.s.o.Keeper.Acknowledge(c.Context(), o.ID, by, o.Note); err != nil {
		return nil, err
	}
	c.s.o.Log.Info("an incident was acknowledged", "incident", o.ID, "by", by, "from", c.RemoteAddr)
	i, err := c.s.o.Source.Incident(c.Context(), o.ID)
	if err != nil {
		return nil, err
	}
	return newIncidentView(i), nil
}

func (c *call) apiSilences() (any, error) {
	silences, err := c.s.silences(c.Context(), c.now)
	return view(silences, func(x incident.Silence) SilenceView { return newSilenceView(&x) }), err
}

func (c *call) apiSilence() (any, error) {
	var o SilenceOrder
	if err := c.decode(&o); err != nil {
		return nil, err
	}
	for _, text := range []string{o.Target, o.Kind, o.Subject, o.Note} {
		if len(text) > maxNote || pki.Printable(text) != text {
			return nil, refusal(http.StatusBadRequest, "a field is too long, or cannot be printed", "")
		}
	}
	by, err := c.by(o.By)
	if err != nil {
		return nil, err
	}
	x, err := c.s.keepBack(c.Context(), c.now, user{name: by}, o)
	return newSilenceView(&x), err
}

func (c *call) apiEndSilence() (any, error) {
	return nil, c.s.o.Keeper.EndSilence(c.Context(), c.PathValue("id"))
}

func (c *call) apiInventory() (any, error) {
	ctx, cancel := c.reading()
	defer cancel()
	_, p, err := c.sized()
	if err != nil {
		return nil, err
	}
	n, q, err := c.issuedQuery(p.Limit)
	if err != nil {
		return nil, err
	}
	issued, total, err := c.s.o.Source.Issued(ctx, c.now, q)
	return list[history.Issued]{Items: append([]history.Issued{}, issued...), Total: total, Page: n}, err
}
