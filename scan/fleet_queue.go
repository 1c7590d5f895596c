package scan

import (
	"context"
	"net/netip"
	"sync"
)

// queue lets no more scans of one address run at once than its share of connections allows: a thousand names may be those of
// one server. The zero value is ready.
type queue struct {
	mu     sync.Mutex
	places map[netip.AddrPort]*place
}

// place is an address that is being scanned.
type place struct {
	slots chan struct{} // holds one element for each scan that runs
	users int           // that run or wait
}

// quickAtOnce is by how much more connections of quick scans one address takes: each is one of those that a browser makes, not
// one of a hundred in a row.
const quickAtOnce = 4

// atOnce is how many scans of one address may run at once: a full one keeps to the number of connections by itself, quick ones
// make one each.
func (s *Scanner) atOnce() int {
	if s.o.Quick {
		return quickAtOnce * s.o.Concurrency
	}
	return 1
}

// enter waits for a turn, or until the context ends: then there is no turn, and what is asked next ends at once. Each enter
// wants its leave.
func (q *queue) enter(ctx context.Context, at netip.AddrPort, limit int) (leave func()) {
	q.mu.Lock()
	if q.places == nil {
		q.places = make(map[netip.AddrPort]*place)
	}
	p := q.places[at]
	if p == nil {
		p = &place{slots: make(chan struct{}, limit)}
		q.places[at] = p
	}
	p.users++
	q.mu.Unlock()

	hasTurn := false
	select {
	case p.slots <- struct{}{}:
		hasTurn = true
	case <-ctx.Done():
	}
	return func() {
		if hasTurn {
			<-p.slots
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		if p.users--; p.users == 0 {
			delete(q.places, at)
		}
	}
}
