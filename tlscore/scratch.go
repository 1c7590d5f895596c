package tlscore

import (
	"sync"

	"github.com/tlswright/tlswright/internal/keys"
)

// scratch is what a handshake needs and an established connection does not: the one turn at a time, what it works with,
// and the transcript. It goes from connection to connection of the same configuration, and takes nothing along but empty
// memory.
type scratch struct {
	turn       turn
	transcript keys.Transcript
	flight     []byte
	effects    []effect
	held       int // bytes at the start of flight that were not sent yet
}

const (
	// usualEffects is how many effects a turn of a handshake has at most, mostly.
	usualEffects = 8
	// usualFlight is room for what a turn sends without certificates, and mostly with them.
	usualFlight = 2 << 10
	// largestKept is the longest flight whose memory is kept: one with many certificates is not the measure.
	largestKept = 16 << 10
)

// hold keeps back what is to be sent before a question is answered: with what comes after the answer it takes fewer
// records.
func (s *scratch) hold(t *turn, from, to int) {
	s.held = copy(t.flight, t.flight[from:to])
}

// scratches is the memory that nobody uses.
type scratches struct{ pool sync.Pool }

func (p *Params) takeScratch() *scratch {
	if p.scratches != nil {
		if s, ok := p.scratches.pool.Get().(*scratch); ok {
			return s
		}
	}
	return &scratch{flight: make([]byte, 0, usualFlight), effects: make([]effect, 0, usualEffects)}
}

// giveScratch takes s back, empty. Effects and the turn had secrets in them.
func (p *Params) giveScratch(s *scratch) {
	clear(s.effects[:cap(s.effects)])
	s.transcript.Reset()
	*s = scratch{flight: s.flight[:0], effects: s.effects[:0], transcript: s.transcript}
	if p.scratches != nil && cap(s.flight) <= largestKept {
		p.scratches.pool.Put(s)
	}
}
