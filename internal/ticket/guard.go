package ticket

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// DefaultGuardSize is how many accepted tickets a guard remembers at most: about 8 MiB; the rate this
// allows is DefaultGuardSize a minute.
const DefaultGuardSize = 1 << 16

// Window is how far the age a client reports may be from the age we see, either way, for early data to be accepted
// (RFC 8446, Section 8.3: ten seconds suffice for clients on the Internet).
const Window = 10 * time.Second

// keep is how long the use of a ticket is remembered. A replay after twice the Window is refused by its age; the rest is
// for steps of our own clock.
const keep = time.Minute

// Guard accepts the early data of each ticket once a minute, and of each flight once (RFC 8446, Section 8.1, single-use tickets, within the window of
// Section 8.3). It fails closed: a ticket of another guard, of this one before a restart, or any ticket while the guard
// is full gets no. It is safe for concurrent use.
type Guard struct {
	epoch [16]byte
	size  int

	mu    sync.Mutex
	used  map[[32]byte]struct{}
	queue []use // in the order of expiry, as all live equally long
}

type use struct {
	id     [32]byte
	expiry time.Time
}

// NewGuard makes an empty guard with an epoch of its own. size is how many tickets it remembers (zero:
// DefaultGuardSize).
func NewGuard(size int) *Guard {
	if size <= 0 {
		size = DefaultGuardSize
	}
	g := &Guard{size: size, used: map[[32]byte]struct{}{}}
	rand.Read(g.epoch[:])
	return g
}

// Epoch names this guard's memory. A ticket carries the epoch of the guard that must be asked about it.
func (g *Guard) Epoch() [16]byte { return g.epoch }

// Accept says whether the early data sent with a ticket may be processed, and if so, never again for that
// flight. epoch is the ticket's; seen is its age by our clock since it was issued, told the age that the client reports.
func (g *Guard) Accept(now time.Time, epoch [16]byte, ticket []byte, seen, told time.Duration) bool {
	if epoch != g.epoch {
		return false
	}
	if drift := seen - told; drift > Window || drift < -Window {
		return false
	}
	id := sha256.Sum256(ticket)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expire(now)
	if _, was := g.used[id]; was || len(g.used) >= g.size {
		return false
	}
	g.used[id] = struct{}{}
	g.queue = append(g.queue, use{id, now.Add(keep)})
	return true
}

// expire forgets tickets that are too old to be accepted again. The lock is held.
func (g *Guard) expire(now time.Time) {
	n := 0
	for n < len(g.queue) && now.After(g.queue[n].expiry) {
		delete(g.used, g.queue[n].id)
		n++
	}
	if n > 0 {
		g.queue = append(g.queue[:0], g.queue[n:]...)
	}
}
