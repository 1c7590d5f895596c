package tlsnet

import (
	"cmp"
	"errors"
	"net"
	"sync"
	"time"
)

// A peer that is refused must be able to read why. If a TCP connection is closed while bytes of the peer lie unread, the
// kernel sends a reset, and the peer's kernel may then throw away the alert that it already has. So after an alert of
// ours we close the sending half, read and drop what the peer still sends until it closes too, and only then close.
// All of that is bounded: in time, in bytes, and for a listener in the number of connections treated so at once.
const (
	alertTimeout  = time.Second           // for the alert itself, which nearly always fits into the send buffer
	closeTimeout  = 5 * time.Second       // for close_notify, behind data that the peer takes slowly
	politeTimeout = 20 * time.Millisecond // how long a listener's connection lets its closer wait
	lingerTimeout = 2 * time.Second       // for the peer to read the alert and to close
	lingerBytes   = 16 << 20              // what a peer may send meanwhile: more than the buffers of two kernels
	maxLingers    = 1024                  // per listener
)

// Close sends close_notify, unless a Write is under way, and closes the connection beneath. Blocked Reads and Writes
// return. If the peer was refused with an alert, Close sees to it that the peer can read it: it waits up to two seconds
// for the peer to close; on a connection of a [Listener] that happens in the background.
//
// What [Config.WriteDelay] holds back goes in front of close_notify, within five seconds; on a connection of a Listener what
// does not leave at once goes on in the background. Where bytes are known to be lost by then, and no call has told of it, the
// error does.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	if !c.failed.Load() {
		c.nc.SetReadDeadline(time.Unix(1, 0)) // a blocked Read returns, whatever the farewell takes
	}
	if c.shake.done.Load() {
		c.late.close()
	}
	c.stopEarlyTimer()
	linger := c.inEarly() // the client's Finished is on its way
	wait, try := closeTimeout, c.host != nil && c.mayHold()
	if c.host != nil {
		wait = politeTimeout
	}
	rest, lost := c.farewell(wait, try)
	if lost == errHeldUnderWay {
		return c.host.lingers.leave(c, errHeldUnderWay, func() {
			rest, _ := c.farewell(closeTimeout, false)
			c.depart(rest, linger || c.failed.Load())
		})
	}
	linger = linger || c.failed.Load()
	if len(rest) > 0 || linger && c.host != nil {
		return cmp.Or(lost, c.host.lingers.leave(c, nil, func() { c.depart(rest, linger) }))
	}
	return cmp.Or(lost, c.depart(nil, linger))
}

// errHeldUnderWay says that what was held back is being sent already, and that Close cannot wait for it.
var errHeldUnderWay = errors.New("tlsnet: closed while what was held back was being sent")

// farewell sends close_notify behind everything that was written, within a time. It returns the bytes that did not leave,
// where somebody can go on with them, and why others are lost.
//
// A Write under way means that Close is there to break it off, so nothing is sent then. The control records of the read
// half are waited for instead: they are short, and one of them may be the alert. With try nothing is waited for.
func (c *Conn) farewell(wait time.Duration, try bool) (rest []byte, lost error) {
	if !c.shake.done.Load() && !c.shake.early.Load() || c.writers.Load() > 0 && !c.failed.Load() {
		return nil, nil
	}
	bound := func() { c.nc.SetWriteDeadline(time.Now().Add(wait)) }
	if try {
		if !c.out.mu.TryLock() { // what is under way goes on, with the time of who comes for it later
			return nil, errHeldUnderWay
		}
		bound()
	} else {
		bound() // whoever holds the lock, too
		if c.held != nil && wait == closeTimeout {
			defer time.AfterFunc(wait+alertTimeout, func() { c.nc.Close() }).Stop()
		}
		c.out.mu.Lock()
	}
	defer c.out.mu.Unlock()
	data, lost := c.lastHeld()
	if c.out.err != nil {
		return nil, lost
	}
	out, err := c.machine.CloseWrite(data)
	if err != nil || len(out) == 0 {
		return nil, lost
	}
	c.out.err = errWriteClosed
	switch n, err := c.sendBeneath(out); {
	case err == nil:
		return nil, lost
	case c.host != nil:
		return out[n:], lost
	case n < len(data):
		lost = &cutOffError{err}
	}
	return nil, lost
}

// depart sends what is left, lets a peer read it who would otherwise be reset, and closes.
func (c *Conn) depart(rest []byte, linger bool) error {
	if len(rest) > 0 {
		c.nc.SetWriteDeadline(time.Now().Add(closeTimeout))
		c.sendBeneath(rest)
	}
	if linger {
		closeWrite(c.nc)
		c.drain()
	}
	return c.closeBeneath()
}

// drain drops what the peer sends until it closes, within bounds.
func (c *Conn) drain() {
	c.nc.SetReadDeadline(time.Now().Add(lingerTimeout))
	b := c.pool.record()
	defer c.pool.giveRecord(b)
	for left := lingerBytes; left > 0; {
		n, err := readOnce(c.nc, b[:])
		if err != nil {
			return
		}
		left -= n
	}
}

// lingers counts the connections of a listener that take their leave in the background.
type lingers struct {
	mu      sync.Mutex
	count   int
	changed chan struct{} // closed and replaced when count falls; nil while nobody waits
}

// leave lets c take its leave in the background, or at once if there are too many already: then lost says what that costs.
func (l *lingers) leave(c *Conn, lost error, depart func()) error {
	l.mu.Lock()
	full := l.count >= maxLingers
	if !full {
		l.count++
	}
	l.mu.Unlock()
	if full {
		return cmp.Or(lost, c.closeBeneath())
	}
	go func() {
		depart()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.count--
		if l.changed != nil {
			close(l.changed)
			l.changed = nil
		}
	}()
	return nil
}

// wait returns once no connection is taking its leave any more, or when done is closed.
func (l *lingers) wait(done <-chan struct{}) {
	for {
		l.mu.Lock()
		if l.count == 0 {
			l.mu.Unlock()
			return
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-done:
			return
		}
	}
}
