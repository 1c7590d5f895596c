package tlsnet

import (
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
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	if !c.failed.Load() {
		c.nc.SetReadDeadline(time.Unix(1, 0)) // a blocked Read returns, whatever the farewell takes
	}
	c.stopEarlyTimer()
	linger := c.inEarly() // the client's Finished is on its way
	rest := c.farewell()
	linger = linger || c.failed.Load()
	if len(rest) == 0 && !linger {
		return c.nc.Close()
	}
	if c.host != nil {
		return c.host.lingers.leave(c, rest, linger)
	}
	return c.depart(rest, linger)
}

// farewell sends close_notify behind everything that was written. It returns the bytes that did not leave in time.
//
// A Write under way means that Close is there to break it off, so nothing is sent then. The control records of the read
// half are waited for instead: they are short, and one of them may be the alert.
func (c *Conn) farewell() (rest []byte) {
	if !c.shake.done.Load() && !c.shake.early.Load() || c.writers.Load() > 0 && !c.failed.Load() {
		return nil
	}
	wait := closeTimeout
	if c.host != nil {
		wait = politeTimeout
	}
	c.nc.SetWriteDeadline(time.Now().Add(wait)) // bounds whoever holds the lock, too
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.err != nil {
		return nil
	}
	out, err := c.machine.CloseWrite(nil)
	if err != nil || len(out) == 0 {
		return nil
	}
	c.out.err = errWriteClosed
	n, err := c.nc.Write(out)
	if err != nil && c.host != nil {
		return out[n:]
	}
	return nil
}

// depart sends what is left, lets a peer read it who would otherwise be reset, and closes.
func (c *Conn) depart(rest []byte, linger bool) error {
	if len(rest) > 0 {
		c.nc.SetWriteDeadline(time.Now().Add(closeTimeout))
		c.nc.Write(rest)
	}
	if linger {
		closeWrite(c.nc)
		c.drain()
	}
	return c.nc.Close()
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

// leave lets c take its leave in the background, or at once if there are too many already.
func (l *lingers) leave(c *Conn, rest []byte, linger bool) error {
	l.mu.Lock()
	full := l.count >= maxLingers
	if !full {
		l.count++
	}
	l.mu.Unlock()
	if full {
		return c.nc.Close()
	}
	go func() {
		c.depart(rest, linger)
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
