package monitor

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/trace"
)

// maxRecorded is at how many places of a target a handshake is recorded in one look.
const maxRecorded = 16

// Rules are what follows from findings, as the configuration has it now.
func (e *Engine) Rules() history.Rules { return e.c.Load().rules }

// record makes a handshake of its own with each place that is graded, or shows something else than before, and keeps a
// recording of it: what the pages of a dashboard take apart. It is one connection more, on rare occasions. The scanner's own
// connections break off where they know enough; this one is a client's like others.
func (e *Engine) record(ctx context.Context, s *spec, withGrade bool, before, now []*watch.Observation) (list []history.Trace) {
	if !e.o.Record {
		return nil
	}
	known := make(map[string]*watch.Observation)
	for _, o := range before {
		known[o.Place] = o
	}
	for _, o := range now {
		if o.Source != watch.Served || o.Outcome != watch.Answered && o.Outcome != watch.NotTLS || len(list) >= maxRecorded || ctx.Err() != nil {
			continue
		}
		why := "the server was graded"
		switch was := known[o.Place]; {
		case was == nil:
			why = "it was seen for the first time"
		case len(watch.Diff(was, o)) > 0:
			why = "it showed something else than before: " + watch.Diff(was, o)[0].Field
		case !withGrade:
			continue
		}
		if t, ok := e.recordOne(ctx, s, o.Place); ok {
			t.Why = why
			list = append(list, t)
		}
	}
	return list
}

// recordOne records one handshake. ok is false where there was none to be recorded, because nobody listens or the server does not go
// over to TLS.
func (e *Engine) recordOne(ctx context.Context, s *spec, place string) (t history.Trace, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", place)
	if err != nil {
		return t, false
	}
	defer func() { _ = nc.Close() }() // what counts is in the recording
	end, _ := ctx.Deadline()
	if nc.SetDeadline(end) != nil {
		return t, false
	}
	name := s.target.ServerName
	if name == "" {
		name = s.target.Host
	}
	if s.target.StartTLS != "" {
		p, known := starttls.Parse(s.target.StartTLS)
		if !known {
			return t, false
		}
		if _, err := starttls.NegotiateFor(nc, p, "localhost", name); err != nil {
			return t, false
		}
	}
	t = history.Trace{Place: place, At: e.o.Now()}
	r := trace.NewRecorder(trace.Client, trace.Endpoint{Address: nc.LocalAddr().String()}, trace.Endpoint{Name: name, Address: place}, time.Now)
	if ip, err := netip.ParseAddr(name); err == nil {
		name = ip.String()
	}
	config := &tlsnet.Config{ServerName: name, Insecure: true, HandshakeTimeout: -1, Observer: func() tlscore.Observer { return r }, Secrets: func() tlscore.Secrets { return r }}
	if client, err := clientOf(s); err == nil && client != nil { // one that cannot be read is told where the server is looked at
		config.Identities = []tlsnet.Identity{{Chain: client.Chain, Key: client.Key}}
	}
	c, err := tlsnet.Client(nc, config)
	if err != nil {
		return t, false
	}
	if err := c.HandshakeContext(ctx); err != nil {
		r.Fail(err)
	}
	_ = c.Close() // with the alert that belongs to it
	// The secrets were needed to read what was encrypted. They do not leave this function.
	recording, err := trace.Decode(r.Capture())
	if err != nil {
		e.o.Log.Warn("a recorded handshake cannot be taken apart", "target", s.Name, "place", place, "error", err.Error())
		return t, false
	}
	if t.Body, err = recording.WithoutSecrets().JSON(); err != nil {
		return t, false
	}
	return t, true
}
