package tlsnet

import (
	"errors"
	"math"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// held is what a connection holds back of what was written (Config.WriteDelay): always less than a full record.
//
//	Write ─▶ buf ──┬─ a record is full ─────────────────────────┬─▶ Machine.Seal ─▶ one record, one system call
//	               ├─ Flush, Close, CloseWrite, KeyUpdate, … ───┤
//	               └─ the time is over, or Read waits: timer ───┘
//
// It belongs to the write half, but for the two flags. The buffer is borrowed, and the timer armed, while something is
// held, so that an idle connection has neither.
type held struct {
	buf    *recordBuffer // nil: nothing is held
	n      int
	untold bool // what Write had taken was lost, and nobody has been told
	ended  bool // by CloseWrite

	delay time.Duration
	timer *time.Timer // runs letGo
	some  atomic.Bool // something is held
	stuck atomic.Bool // the time was over, but so was the write deadline
	hurry atomic.Bool // letGo was asked for by a Read, and has not got the lock
}

// holdBack readies c for holding back, if that was asked for: before the handshake, when its configuration is known.
func (c *Conn) holdBack() {
	if c.set.delay <= 0 {
		return
	}
	h := &held{delay: c.set.delay, timer: time.AfterFunc(math.MaxInt64, c.letGo)}
	h.timer.Stop()
	c.held = h
}

// add holds back as much of p as there is room for in a record.
func (h *held) add(pool *buffers, p []byte) (n int) {
	if len(p) == 0 {
		return 0
	}
	if h.buf == nil {
		h.buf = pool.record()
		h.some.Store(true)
		h.timer.Reset(h.delay)
	}
	n = copy(h.buf[h.n:wire.MaxPlaintext], p)
	h.n += n
	return n
}

// drop forgets what is held, because it is sealed, or can never be.
func (h *held) drop(pool *buffers) {
	if h.buf == nil {
		return
	}
	h.timer.Stop()
	pool.giveRecord(h.buf)
	h.buf, h.n = nil, 0
	h.some.Store(false)
	h.stuck.Store(false)
	h.hurry.Store(false)
}

// tell is sendable for those whose caller is told. Where nothing can ever be sent, what is held is lost, and that is told, too.
func (c *Conn) tell() error {
	err := c.sendable()
	if err != nil && err != os.ErrDeadlineExceeded && err != net.ErrClosed {
		c.held.drop(c.pool)
		c.held.untold = false
	}
	return err
}

// collect is write for a connection that holds back.
//
// Unlike there a caller counts as a writer only while he sends: Close breaks writers off, and would lose what others wrote
// before because of one who only adds to it.
func (c *Conn) collect(p []byte) (n int, err error) {
	c.out.mu.Lock()
	defer c.unlockWrite()
	h := c.held
	if err := c.tell(); err != nil {
		return 0, err
	}
	if h.ended {
		return 0, errWriteClosed
	}
	if h.n+len(p) < wire.MaxPlaintext {
		return h.add(c.pool, p), nil
	}
	c.writers.Add(1)
	defer c.writers.Add(-1)
	if h.n == 0 {
		return c.writeNow(p)
	}
	n = h.add(c.pool, p)
	if len(p) >= wire.MaxPlaintext {
		return c.writeBehind(p, n)
	}
	if err := c.pushHeld(); err != nil { // whatever the time is now: part of p is among it
		return 0, err
	}
	return n + h.add(c.pool, p[n:]), nil
}

// writeBehind sends the record that is held, which the first n bytes of p have filled, and the rest of p with and behind it.
func (c *Conn) writeBehind(p []byte, n int) (int, error) {
	b := c.pool.flight()
	defer c.pool.giveFlight(b)
	out, err := c.sealHeld(b[:0])
	if err != nil {
		return 0, err
	}
	k, err := c.sealOn(p[n:min(len(p), n+batch-wire.MaxPlaintext)], out)
	if err != nil {
		if cut := (*cutOffError)(nil); !errors.As(err, &cut) {
			k += n // which has left, and nothing behind it
		}
		return k, err
	}
	if n += k; n < len(p) {
		k, err = c.writeNow(p[n:])
		n += k
	}
	return n, err
}

// sealHeld seals what is held and forgets it. An error is final, and what had to be sent nevertheless was. The lock is held.
func (c *Conn) sealHeld(out []byte) ([]byte, error) {
	h := c.held
	_, out, err := c.seal(h.buf[:h.n], out)
	h.drop(c.pool)
	if err == nil {
		if c.out.owed.Load() > 0 {
			out = c.appendTickets(out)
		}
		return out, nil
	}
	if errors.Is(err, tlscore.ErrWriteClosed) {
		err = errWriteClosed
	}
	if c.transmit(out) == nil {
		c.out.err = err
	}
	return out[:0], c.out.err
}

// heldFirst appends what is held, if anything is, to have it go in front of something else. On error that must not be sent:
// all is as it was then, or over. The lock is held.
func (c *Conn) heldFirst(out []byte) ([]byte, error) {
	if some, err := c.holds(); !some {
		return out, err
	}
	return c.sealHeld(out)
}

// holds reports whether something is to be sent in front of everything else, or says why it cannot be now, or why what was
// held is lost. The lock is held.
func (c *Conn) holds() (bool, error) {
	h := c.held
	if h == nil || h.n == 0 && !h.untold {
		return false, nil
	}
	if err := c.tell(); err != nil {
		return false, err
	}
	return h.n > 0, nil
}

// sendHeld sends what is held, if anything is. The lock is held.
func (c *Conn) sendHeld() error {
	if some, err := c.holds(); !some {
		return err
	}
	return c.pushHeld()
}

// pushHeld sends what is held; an error is final. The lock is held.
func (c *Conn) pushHeld() error {
	b := c.pool.record()
	defer c.pool.giveRecord(b)
	out, err := c.sealHeld(b[:0])
	if err != nil {
		return err
	}
	return c.transmit(out)
}

// lastHeld seals what is held, if anything is, for Close to send it. It returns why something is lost, and nobody has been
// told so far. The lock is held.
func (c *Conn) lastHeld() (out []byte, lost error) {
	h := c.held
	if h == nil || h.n == 0 && !h.untold {
		return nil, nil
	}
	switch {
	case c.out.err != nil:
		lost = c.out.err
	case c.failed.Load(): // our alert is the last word
		lost = errWriteClosed
	case c.heard.Load() != nil:
		lost = c.heard.Load()
	case h.n > 0:
		return c.sealHeld(nil)
	}
	h.drop(c.pool)
	h.untold = false
	return nil, c.orAlert(lost)
}

// Flush sends at once what [Config.WriteDelay] holds back. The error is that of a Write: where the write deadline had
// passed, nothing is lost, and any other one is final. Without WriteDelay there is nothing to do.
func (c *Conn) Flush() error {
	if !c.mayHold() {
		return nil
	}
	err := c.flushHeld()
	if err != nil {
		err = c.explain(err)
	}
	return err
}

func (c *Conn) flushHeld() error {
	c.out.mu.Lock()
	defer c.unlockWrite()
	if err := c.tell(); err != nil || c.held.n == 0 {
		return err
	}
	c.writers.Add(1)
	defer c.writers.Add(-1)
	return c.pushHeld()
}

// mayHold reports whether something may be held back. Before the handshake nothing is.
func (c *Conn) mayHold() bool {
	return (c.shake.done.Load() || c.shake.early.Load()) && c.held != nil
}

// letGo sends what is held because its time is over. After a time-out that came before anything was sent it stays, until
// the deadline is moved; after any other error there is nobody who could take it.
func (c *Conn) letGo() {
	c.out.mu.Lock()
	defer c.unlockWrite()
	h := c.held
	h.hurry.Store(false)
	if h.n == 0 {
		return
	}
	switch err := c.sendHeld(); err {
	case nil, net.ErrClosed: // Close sends it
	case os.ErrDeadlineExceeded:
		if h.stuck.Store(true); !c.out.late() { // it is moved now, and who does may have looked too early
			h.stuck.Store(false)
			h.timer.Reset(h.delay)
		}
	default:
		h.drop(c.pool)
		h.untold = true
	}
}

// deadlineMoved has what missed the write deadline try again.
func (c *Conn) deadlineMoved() {
	if c.mayHold() && c.held.stuck.Swap(false) {
		c.held.timer.Reset(0)
	}
}

// beforeWaiting sees to it that what the peer may wait for leaves while we wait for the peer. Read waits for none of it:
// two peers that both waited for the other to read would wait for ever.
func (c *Conn) beforeWaiting() {
	c.ticketsSoon()
	if h := c.held; h != nil && h.some.Load() && !h.hurry.Swap(true) {
		h.timer.Reset(0)
	}
}
