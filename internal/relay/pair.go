package relay

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// Pair is two connections that [Joiner.Pair] has joined.
//
// While bytes come each direction has a goroutine. Once nothing has come for a while both are asked to leave, by a read
// deadline that has passed; a direction whose read fails by it has lost nothing, for it has passed on all that came before.
// When both have left, the pair is parked. If one of them does get something meanwhile, both are called back.
type Pair struct {
	joiner       *Joiner
	idle         time.Duration
	ended        func(fromA, fromB int64, err error)
	fromA, fromB direction

	asked  atomic.Bool // both are asked to leave; changed under mu
	parked atomic.Bool // changed under mu

	mu      sync.Mutex
	timer   *time.Timer // nil: there is nothing to look for
	step    time.Duration
	seen    int64     // bytes that had been carried
	quiet   time.Time // since when no more were
	left    int       // directions that have not ended
	ends    int       // those that have ended in order
	over    bool      // both connections are closed
	err     error     // why
	sockets *sockets  // of both; nil: they have none, or cannot be parked
	place   place     // where they are parked
}

// Start begins to carry. It comes once, and returns at once.
func (j *Pair) Start() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if after := j.joiner.parkAfter(); after > 0 {
		if j.sockets = socketsOf(j.fromA.src, j.fromB.src); j.sockets != nil {
			j.step = after
		}
	}
	if j.idle > 0 && (j.step == 0 || j.idle/4 < j.step) {
		j.step = max(j.idle/4, time.Millisecond)
	}
	j.quiet = time.Now()
	if j.step > 0 && !j.over {
		j.timer = time.AfterFunc(j.step, j.look)
	}
	j.run()
}

// Cut ends both directions.
func (j *Pair) Cut(why error) { j.fail(why) }

// Wake makes a pair look at its connections, if it is parked. Whoever closes one of them from elsewhere calls it
// afterwards, for the system tells nobody that a descriptor was closed.
func (j *Pair) Wake() {
	if !j.IsParked() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.IsParked() {
		j.unpark()
	}
}

// IsParked reports whether the pair has no goroutines now.
func (j *Pair) IsParked() bool { return j.parked.Load() }

// run starts the goroutines of both directions. The lock is held.
func (j *Pair) run() {
	go j.carry(&j.fromA)
	go j.carry(&j.fromB)
}

// carry carries one direction to its end, or until it leaves.
func (j *Pair) carry(d *direction) {
	for {
		err := d.carry()
		if err != nil && !d.broken && errors.Is(err, os.ErrDeadlineExceeded) {
			gone, again := j.leave(d)
			if gone {
				j.rest()
				return
			}
			if again {
				continue
			}
		}
		j.end(d, err)
		return
	}
}

// end is the end of one direction.
func (j *Pair) end(d *direction, err error) {
	if err != nil {
		j.fail(err)
	}
	j.mu.Lock()
	j.left--
	last := j.left == 0
	if err == nil && !j.over {
		j.ends++
		j.called()
	}
	j.mu.Unlock()
	if last {
		j.finish() // closes, which says it at once
		return
	}
	if err != nil {
		return
	}
	if half, ok := d.dst.(interface{ CloseWrite() error }); ok {
		half.CloseWrite() // where it fails, so does the other direction
	}
}

// fail ends both directions.
func (j *Pair) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.over {
		return
	}
	j.over, j.err = true, err
	if j.parked.Load() {
		j.vacate()
	}
	j.asked.Store(false)
	for _, d := range []*direction{&j.fromA, &j.fromB} {
		if d.isOut { // it does not come back
			d.isOut = false
			j.left--
		}
	}
	abort(j.fromA.src)
	abort(j.fromB.src)
	if j.left == 0 {
		go j.finish()
	}
}

// finish closes both connections in order, unless they are closed already, and tells that it is over.
func (j *Pair) finish() {
	j.mu.Lock()
	if j.timer != nil {
		j.timer.Stop()
	}
	if !j.over {
		j.over = true
		j.fromA.src.Close()
		j.fromB.src.Close()
	}
	err := j.err
	j.mu.Unlock()
	j.ended(j.fromA.count.Load(), j.fromB.count.Load(), err)
}

// look is what the timer does: it ends a pair that has been idle for too long, and asks the directions of a quiet one to
// leave.
func (j *Pair) look() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.over {
		return
	}
	now := time.Now()
	if carried := j.fromA.count.Load() + j.fromB.count.Load(); carried != j.seen {
		j.seen, j.quiet = carried, now
	}
	silent := now.Sub(j.quiet)
	if j.idle > 0 && silent >= j.idle {
		go j.fail(ErrIdle)
		return
	}
	switch {
	case j.parked.Load():
		j.setAlarm()
		return
	case j.asked.Load(): // one of them is busy otherwise
		j.called()
	case j.sockets != nil && silent >= j.joiner.parkAfter():
		j.ask()
	}
	j.timer.Reset(j.step)
}

// setAlarm sets the timer of a parked pair. The lock is held.
func (j *Pair) setAlarm() {
	if j.idle == 0 {
		j.timer.Stop()
		return
	}
	j.timer.Reset(max(j.idle-time.Since(j.quiet), time.Millisecond))
}

// ask asks both directions to leave, unless one is busy or has ended. The lock is held.
func (j *Pair) ask() {
	if j.ends > 0 {
		return
	}
	j.asked.Store(true)
	if j.fromA.writing.Load() || j.fromB.writing.Load() {
		j.asked.Store(false)
		return
	}
	past := time.Unix(1, 0)
	j.fromA.src.SetReadDeadline(past)
	j.fromB.src.SetReadDeadline(past)
}

// recall takes back what was asked.
func (j *Pair) recall() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.called()
}

// called is recall with the lock held.
func (j *Pair) called() {
	if j.asked.Load() {
		j.asked.Store(false)
		j.resume()
	}
}

// resume starts again what has left. The lock is held.
func (j *Pair) resume() {
	for _, d := range []*direction{&j.fromA, &j.fromB} {
		d.src.SetReadDeadline(time.Time{})
		if d.isOut {
			d.isOut = false
			go j.carry(d)
		}
	}
}

// leave notes that nothing came in one direction, whose goroutine then ends; the second one parks the pair. again says
// that it was called back already; neither, that nobody had asked.
func (j *Pair) leave(d *direction) (gone, again bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.over {
		return false, false
	}
	if !j.asked.Load() {
		return false, j.sockets != nil
	}
	d.isOut = true
	if !j.fromA.isOut || !j.fromB.isOut {
		return true, false
	}
	// From here on whoever closes a connection and then looks finds that it is parked, or park finds that it is closed.
	j.parked.Store(true)
	j.asked.Store(false)
	var err error
	if j.place, err = j.joiner.park.take(j, j.sockets); err != nil {
		j.parked.Store(false)
		j.sockets = nil // once is enough
		j.resume()
		return true, false
	}
	j.setAlarm()
	return true, false
}

// rest has the connections of a parked pair hold as little as may be. One that something has come to meanwhile is in use, and
// does not.
func (j *Pair) rest() {
	if !j.IsParked() {
		return
	}
	for _, c := range []net.Conn{j.fromA.src, j.fromB.src} {
		if tc, ok := c.(*tlsnet.Conn); ok {
			tc.Rest()
		}
	}
}

// ready says that something has come for who is parked there.
func (j *Pair) ready(p place) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.parked.Load() && j.place == p {
		j.unpark()
	}
}

// unpark goes on. The lock is held.
func (j *Pair) unpark() {
	j.vacate()
	j.resume()
	j.timer.Reset(j.step)
}

// vacate leaves the place. The lock is held.
func (j *Pair) vacate() {
	j.joiner.park.vacate(j.place, j.sockets)
	j.place = place{}
	j.parked.Store(false)
}

// socketed is implemented by connections that add nothing of their own to what is read from a socket, which they tell.
type socketed interface{ Socket() net.Conn }

// beneath returns the connection at the bottom, if it is one that can be told from outside whether it has something.
func beneath(c net.Conn) net.Conn {
	for {
		switch t := c.(type) {
		case *tlsnet.Conn:
			c = t.NetConn()
		case socketed:
			c = t.Socket()
		case *net.TCPConn, *net.UnixConn:
			return c
		default:
			return nil
		}
	}
}
