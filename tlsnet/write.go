package tlsnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// batch is how much application data one system call carries at most: two full records. Four were a little more than the
// 64 KiB that Linux hands on as one segment, and took a third longer where caches are small.
const batch = 2 * wire.MaxPlaintext

// writeHalf is the sending side of a Conn. It borrows a buffer for the time of one call.
type writeHalf struct {
	mu       sync.Mutex
	err      error // final
	burst    burst
	deadline atomic.Int64 // of Write, in Unix nanoseconds; 0: none
	owed     atomic.Int32 // tickets that a server has still to send; changed under mu
	patience *time.Timer  // after which they go by themselves; nil: nobody waits, or they have gone; under mu
}

func (h *writeHalf) setDeadline(t time.Time) {
	if t.IsZero() {
		h.deadline.Store(0)
		return
	}
	h.deadline.Store(max(t.UnixNano(), 1)) // times before 1970 lie in the past as well
}

// late reports whether the write deadline has passed, so that nothing need be sealed that could not be sent.
func (h *writeHalf) late() bool {
	d := h.deadline.Load()
	return d != 0 && time.Now().UnixNano() >= d
}

// cutOffError says that the write half ended inside what it was sending.
type cutOffError struct{ err error }

func (e *cutOffError) Error() string {
	return "tlsnet: the stream was cut off while sending: " + e.err.Error()
}
func (e *cutOffError) Unwrap() error   { return e.err }
func (e *cutOffError) Temporary() bool { return false }
func (e *cutOffError) Timeout() bool {
	var ne net.Error
	return errors.As(e.err, &ne) && ne.Timeout()
}

// errWriteClosed is what Write returns after CloseWrite, or after an alert ended the connection.
var errWriteClosed = fmt.Errorf("tlsnet: %w", tlscore.ErrWriteClosed)

// Write protects p and sends it, up to 32 KiB in one system call. On error n counts the bytes that were handed down
// whole; how much of the rest went out is not known. Where the peer has ended the connection by an alert, the error is
// that alert, a *tlscore.Error, as it is for Read.
func (c *Conn) Write(p []byte) (n int, err error) {
	if err := c.writable(); err != nil {
		return 0, err
	}
	if n, err = c.write(p); err != nil {
		err = c.explain(err)
	}
	return n, err
}

func (c *Conn) write(p []byte) (n int, err error) {
	if c.held != nil {
		return c.collect(p)
	}
	c.writers.Add(1)
	defer c.writers.Add(-1)
	c.out.mu.Lock()
	defer c.unlockWrite()
	return c.writeNow(p)
}

// writeNow sends p. The lock is held.
func (c *Conn) writeNow(p []byte) (n int, err error) {
	if len(p) <= wire.MaxPlaintext {
		b := c.pool.record()
		defer c.pool.giveRecord(b)
		return c.sealAndSend(p, b[:0])
	}
	b := c.pool.flight()
	defer c.pool.giveFlight(b)
	for n < len(p) && err == nil {
		var k int
		k, err = c.sealAndSend(p[n:min(len(p), n+batch)], b[:0])
		n += k
	}
	return n, err
}

// sealAndSend writes one batch. The lock is held.
func (c *Conn) sealAndSend(p, out []byte) (int, error) {
	if err := c.sendable(); err != nil {
		return 0, err
	}
	return c.sealOn(p, out)
}

// sendable says why nothing can be written now. The lock is held.
func (c *Conn) sendable() error {
	h := &c.out
	if h.err != nil {
		return h.err
	}
	if alert := c.heard.Load(); alert != nil {
		return alert
	}
	if c.closed.Load() {
		return net.ErrClosed
	}
	if h.late() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// sealOn seals one batch behind what is sealed, and sends all of it. The lock is held.
func (c *Conn) sealOn(p, out []byte) (int, error) {
	h := &c.out
	n, out, err := c.seal(p, out)
	if err == nil && h.owed.Load() > 0 {
		out = c.appendTickets(out)
	}
	if werr := c.transmit(out); werr != nil {
		return 0, werr
	}
	if errors.Is(err, tlscore.ErrWriteClosed) {
		err = errWriteClosed
	}
	if err != nil {
		h.err = err
	}
	return n, err
}

// transmit sends sealed bytes. They are committed: if they do not leave whole, nothing else may. The lock is held.
func (c *Conn) transmit(out []byte) error {
	h := &c.out
	if h.err != nil || len(out) == 0 {
		return h.err
	}
	if _, err := c.sendBeneath(out); err != nil {
		h.err = &cutOffError{err}
		return h.err
	}
	return nil
}

// unlockWrite releases the write half. If the read half queued something meanwhile and found the lock taken, it is
// sent first: the check comes after the unlocking, so none of the two can rely on the other in vain.
func (c *Conn) unlockWrite() {
	for {
		c.out.mu.Unlock()
		if !c.shake.done.Load() || !c.machine.Pending() || !c.out.mu.TryLock() {
			return
		}
		if !c.flush() {
			c.out.mu.Unlock()
			return
		}
	}
}

// flushSoon sends what the read half queued, without making it wait. If somebody is writing, he does it when he is done.
func (c *Conn) flushSoon() {
	if !c.out.mu.TryLock() {
		return
	}
	go func() {
		c.flush()
		c.unlockWrite()
	}()
}

// flush sends the queue, and half-closes after an alert of ours. The lock is held. It reports whether sending works.
func (c *Conn) flush() bool {
	b := c.pool.record()
	defer c.pool.giveRecord(b)
	out, err := c.machine.Flush(b[:0])
	if c.transmit(out) != nil || err != nil {
		return false
	}
	if c.failed.Load() && len(out) > 0 {
		closeWrite(c.nc)
	}
	return true
}

// KeyUpdate changes the keys that we send with, and with ask requests the peer to change its own
// (RFC 8446, Section 4.6.3). It is never needed for safety: keys are updated in time without it.
func (c *Conn) KeyUpdate(ask bool) error {
	if err := c.Handshake(); err != nil {
		return err
	}
	c.out.mu.Lock()
	defer c.unlockWrite()
	b := c.pool.record()
	defer c.pool.giveRecord(b)
	out, err := c.heldFirst(b[:0])
	if err != nil {
		return err
	}
	out, err = c.machine.KeyUpdate(ask, out)
	if werr := c.transmit(out); werr != nil {
		return werr
	}
	if errors.Is(err, tlscore.ErrWriteClosed) {
		return errWriteClosed
	}
	return err
}

// CloseWrite sends close_notify and closes the sending half of the connection beneath, if it has halves. The peer may
// go on sending, and Read goes on reading (RFC 8446, Section 6.1).
func (c *Conn) CloseWrite() error {
	if err := c.begin(context.Background()); err != nil {
		return err
	}
	c.out.mu.Lock()
	defer c.unlockWrite()
	b := c.pool.record()
	defer c.pool.giveRecord(b)
	out, err := c.heldFirst(b[:0])
	if err != nil {
		return err
	}
	out, err = c.machine.CloseWrite(out)
	if c.held != nil {
		c.held.ended = true
	}
	if werr := c.transmit(out); werr != nil {
		return werr
	}
	if err != nil {
		return fmt.Errorf("tlsnet: %w", err)
	}
	return closeWrite(c.nc)
}

// closeWrite half-closes nc where it can be: a TCP or Unix connection.
func closeWrite(nc net.Conn) error {
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	// A peer that has closed already, with bytes of ours unread, left nothing to close: ours were sent, and that is all
	// that was asked for.
	if err := half.CloseWrite(); !errors.Is(err, syscall.ENOTCONN) {
		return err
	}
	return nil
}
