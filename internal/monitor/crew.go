package monitor

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/history"
)

// crew makes looks: as many at a time as there are slots, few at one host. What it has in hand it holds by a lease, which is
// kept alive as long as the process lives: when it dies, others take over within leaseFor.
//
// Only a look that works has a slot. One that waits for its host or for the DNS has none, so that a busy host or a name
// server that does not answer keeps nobody else waiting.
type crew struct {
	e       *Engine
	ctx     context.Context // looks are broken off with it
	filing  *filer
	slots   chan struct{}
	looking sync.WaitGroup

	mu      sync.Mutex
	inHand  map[string]struct{} // names of targets
	resting int                 // of them, those that wait for a host or for the DNS
	parked  int                 // of those, the ones that wait for a host
	freed   chan struct{}       // closed, and made anew, when one is done
}

// How long a lease is, in real time, and how often it is renewed; how many may wait for one host, and (in multiples of
// slots) in all; how much may be in hand beyond the slots.
const (
	leaseFor     = 30 * time.Second
	renewedTimes = 4 // in the life of a lease
	longestLine  = 16
	parkedTimes  = 4
	mostInHand   = 4096
	leastSoon    = time.Second
	longestSoon  = time.Minute
	claimBatch   = 512
	freeingLasts = 5 * time.Second
)

// newCrew makes one whose looks end with ctx; close must be called.
func newCrew(ctx context.Context, e *Engine) *crew {
	c := &crew{e: e, ctx: ctx, filing: newFiler(e), slots: make(chan struct{}, e.parallel()), inHand: make(map[string]struct{}), freed: make(chan struct{})}
	c.looking.Go(func() { e.keepLeases(ctx, c.held) })
	return c
}

// parallel is how many looks are made at a time.
func (e *Engine) parallel() int {
	if n := e.c.Load().config.Parallel; n > 0 {
		return n
	}
	return defaultParallel
}

// lease is how long a claim lasts.
func (e *Engine) lease() time.Duration {
	if e.leaseFor > 0 {
		return e.leaseFor
	}
	return leaseFor
}

// close waits for the looks under way, which the end of the crew's context breaks off, files what was seen, and gives back
// what was not looked at.
func (c *crew) close() error {
	c.looking.Wait()
	_ = c.filing.close() // it has told of what failed
	free, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), freeingLasts)
	defer cancel()
	return c.e.o.History.Free(free, c.e.holder)
}

// room is how many more targets may be taken: so many that no slot stays empty, and not more.
func (c *crew) room() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(2*cap(c.slots)-len(c.inHand)+c.resting, mostInHand-len(c.inHand))
}

// waitForRoom waits until there is room for some more, and tells for how many; 0 when ctx ends.
func (c *crew) waitForRoom(ctx context.Context) int {
	for {
		c.mu.Lock()
		freed := c.freed
		c.mu.Unlock()
		if n := c.room(); n >= max(1, cap(c.slots)/2) { // one at a time would be a transaction each
			return n
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return 0
		}
	}
}

// take begins looks at targets that the engine holds. It does not wait for them. What has to wait too long for its host is
// given back for a while.
func (c *crew) take(due []history.Due) {
	late, turned := make(map[time.Duration][]string), 0
	for i := range due {
		d := &due[i]
		s, err := prepare(d)
		if err != nil {
			c.filing.put(c.e.unreadable(d, err))
			continue
		}
		if !c.keep(d.Name) {
			continue // it is in hand: its lease had run out, and we have got it once more
		}
		v, soon, ok := c.e.hosts.ask(s.host(), longestLine)
		if ok && !v.has && !c.park() {
			v.leave()
			ok = false
		}
		if !ok {
			c.drop(d.Name)
			soon += soon * time.Duration(turned) / longestLine // not all of them come back together
			soon = min(max(soon, leastSoon), longestSoon).Round(leastSoon)
			turned++
			late[soon] = append(late[soon], d.Name)
			continue
		}
		c.looking.Go(func() { c.look(d, s, v) })
	}
	for soon, names := range late {
		if err := c.e.o.History.Postpone(c.ctx, c.e.holder, c.e.o.Now().Add(soon), names); err != nil && c.ctx.Err() == nil {
			c.e.o.Log.Warn("targets could not be given back", "error", err.Error()) // their lease ends by itself
		}
	}
}

// look waits for a place at the host, then for a slot, and looks.
func (c *crew) look(d *history.Due, s *spec, v *visit) {
	defer c.drop(d.Name)
	defer v.leave()
	if !v.has {
		err := v.wait(c.ctx)
		c.unpark()
		if err != nil {
			return
		}
	}
	select {
	case c.slots <- struct{}{}:
	case <-c.ctx.Done():
		return
	}
	seat := &seat{c: c}
	defer seat.leave()
	begin := c.e.o.Now()
	c.e.lags.note(begin, begin.Sub(d.Next))
	if r, ok := c.e.lookAt(withSeat(c.ctx, seat), d, s); ok {
		c.filing.put(r)
	}
}

// keep notes a target as in hand; false if it is already.
func (c *crew) keep(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, twice := c.inHand[name]; twice {
		return false
	}
	c.inHand[name] = struct{}{}
	return true
}

// drop takes a target out of hand.
func (c *crew) drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.inHand, name)
	close(c.freed)
	c.freed = make(chan struct{})
}

// park lets one more wait for its host; false if too many do.
func (c *crew) park() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parked >= parkedTimes*cap(c.slots) {
		return false
	}
	c.parked++
	c.resting++
	return true
}

func (c *crew) unpark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parked--
	c.resting--
}

// rest counts those that have given their slot away for a while.
func (c *crew) rest(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resting += n
	if n > 0 {
		close(c.freed)
		c.freed = make(chan struct{})
	}
}

// held lists what is in hand.
func (c *crew) held() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.inHand))
}

// keepLeases renews the leases of what is in hand until ctx ends.
func (e *Engine) keepLeases(ctx context.Context, held func() []string) {
	for ctx.Err() == nil {
		pause(ctx, e.lease()/renewedTimes)
		if err := e.o.History.Keep(ctx, e.holder, e.o.Now().Add(e.lease()), held()); err != nil && ctx.Err() == nil {
			e.o.Log.Warn("leases could not be renewed: others may look at the same targets", "error", err.Error())
		}
	}
}

// seat is the slot of a look, which it leaves while it only waits.
type seat struct {
	c      *crew
	mu     sync.Mutex
	away   int  // goroutines of the look that wait
	isOver bool // the look has ended; one of its goroutines may go on waiting a little
}

type seatKey struct{}

func withSeat(ctx context.Context, s *seat) context.Context {
	return context.WithValue(ctx, seatKey{}, s)
}

// offSeat gives the slot of the look that ctx belongs to away; back takes one again, and may have to wait for it.
func offSeat(ctx context.Context) (back func()) {
	s, _ := ctx.Value(seatKey{}).(*seat)
	if s == nil {
		return func() {} // a look of another kind
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away++; s.away == 1 && !s.isOver {
		<-s.c.slots
		s.c.rest(1)
	}
	return s.back
}

func (s *seat) back() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away--; s.away == 0 && !s.isOver {
		s.c.slots <- struct{}{}
		s.c.rest(-1)
	}
}

// leave gives the slot back for good.
func (s *seat) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isOver = true
	if s.away == 0 {
		<-s.c.slots
	} else {
		s.c.rest(-1)
	}
}
