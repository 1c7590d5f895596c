package trace

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
)

// Bounds on what a Recorder keeps.
const (
	// DefaultMaxRecorded is how many bytes of both streams a Recorder keeps.
	DefaultMaxRecorded = 4 << 20

	maxHappenings  = 4096
	maxDerivations = 4096
	maxRecorded    = 1 << 16 // records
)

// Recorder watches one connection: it is a [tlscore.Observer] and a [tlscore.Secrets]. With the latter its capture holds
// secrets; a Recorder that is given as Observer only records what cannot be opened afterwards. Two goroutines may use it
// at the same time.
//
// It keeps the first DefaultMaxRecorded bytes. Behind a record that does not fit it keeps nothing more, and says so in
// Capture.Cut.
type Recorder struct {
	mu    sync.Mutex
	now   func() time.Time
	size  int
	quiet bool // stopped
	c     Capture
}

var (
	_ tlscore.Observer = (*Recorder)(nil)
	_ tlscore.Secrets  = (*Recorder)(nil)
)

// NewRecorder makes a Recorder for the machine on one side. now gives the time; the recording starts with this call.
func NewRecorder(observed Side, client, server Endpoint, now func() time.Time) *Recorder {
	return &Recorder{now: now, c: Capture{Started: now(), Observed: observed, Client: client, Server: server}}
}

// Observe implements tlscore.Observer.
func (r *Recorder) Observe(o tlscore.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.quiet {
		return
	}
	switch o := o.(type) {
	case tlscore.RecordObserved:
		r.record(o)
	case tlscore.StateChanged:
		r.happened(Happening{Kind: "state", From: o.From, To: o.To, Text: "awaits " + o.To})
	case tlscore.QuestionAsked:
		r.happened(Happening{Kind: "question", To: o.Kind.String(), Text: "asks its owner: " + o.Kind.String()})
	case tlscore.KeyChanged:
		verb := "reads"
		if o.Direction == tlscore.Sent {
			verb = "writes"
		}
		text := verb + " with the keys of epoch " + o.Epoch.String()
		if o.Update {
			text += ", renewed"
		}
		r.happened(Happening{Kind: "keys", From: o.Direction.String(), To: o.Epoch.String(), Text: text})
	}
}

// record keeps the bytes of a record.
func (r *Recorder) record(o tlscore.RecordObserved) {
	if r.size+len(o.Raw) > DefaultMaxRecorded || len(r.c.Segments) >= maxRecorded {
		r.quiet = true
		r.c.Cut = "the recorder was full; what came later is not in it"
		return
	}
	r.size += len(o.Raw)
	from := r.c.Observed
	if o.Direction == tlscore.Received {
		from = from.Other()
	}
	r.c.Segments = append(r.c.Segments, Segment{From: from, At: r.at(), Offset: o.Offset, Data: bytes.Clone(o.Raw)})
}

func (r *Recorder) happened(h Happening) {
	if len(r.c.Happenings) >= maxHappenings {
		return
	}
	h.At = r.at()
	r.c.Happenings = append(r.c.Happenings, h)
}

func (r *Recorder) at() time.Duration { return r.now().Sub(r.c.Started) }

// Derived implements tlscore.Secrets.
func (r *Recorder) Derived(d tlscore.Derivation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.quiet || len(r.c.Derivations) >= maxDerivations {
		return
	}
	r.c.Derivations = append(r.c.Derivations, Derivation{
		ID: len(r.c.Derivations), Name: d.Name, Label: d.Label, UpTo: -1, Length: len(d.Output),
		Context: bytes.Clone(d.Context), Input: bytes.Clone(d.Input), Output: bytes.Clone(d.Output),
	})
}

// Fail says how the connection ended for the side that is watched. The first call with an error counts.
func (r *Recorder) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || r.c.Failure != "" {
		return
	}
	r.c.Failure = pki.Printable(err.Error())
	var tls *tlscore.Error
	if errors.As(err, &tls) {
		r.c.FailureCode = tls.Code.String()
	}
}

// Capture returns what was seen so far. The bytes are shared with the Recorder, which never changes them.
func (r *Recorder) Capture() *Capture {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.c
	c.Segments = append([]Segment(nil), c.Segments...)
	c.Derivations = append([]Derivation(nil), c.Derivations...)
	c.Happenings = append([]Happening(nil), c.Happenings...)
	return &c
}

// Other returns the side at the other end.
func (s Side) Other() Side {
	if s == Client {
		return Server
	}
	return Client
}
