package tlsnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/tlscore"
)

// handshake is the part of a Conn that runs once.
type handshake struct {
	mu   sync.Mutex
	done atomic.Bool // it succeeded
	err  error       // it failed, and how; under mu

	started bool        // Machine.Start was called
	early   atomic.Bool // a server's is done but for the client's Finished, before which early data comes
	offered *offered    // the session that a client offers, during the handshake
}

// ErrHandshakeTimeout says that Config.HandshakeTimeout passed before the handshake was done. It is a net.Error whose
// Timeout is true.
var ErrHandshakeTimeout error = handshakeTimeout{}

type handshakeTimeout struct{}

func (handshakeTimeout) Error() string        { return "tlsnet: the handshake was not done in time" }
func (handshakeTimeout) Timeout() bool        { return true }
func (handshakeTimeout) Temporary() bool      { return false }
func (handshakeTimeout) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// Handshake makes the handshake, if it is not made yet.
func (c *Conn) Handshake() error {
	if c.shake.done.Load() {
		return nil
	}
	return c.HandshakeContext(context.Background())
}

// HandshakeContext makes the handshake, if it is not made yet. If ctx ends or Config.HandshakeTimeout passes first, the
// connection beneath is closed, and the error is that of the context or [ErrHandshakeTimeout]. An error of the protocol
// is a *tlscore.Error, which says who is to blame; it wraps the *pki.VerifyError where a certificate was refused. The
// caller closes the connection after an error; Close waits a moment for a refused peer to read the alert.
func (c *Conn) HandshakeContext(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	if !c.shake.done.Load() {
		return ErrEarlyDataUnread
	}
	return nil
}

// begin makes the handshake, or as much of it as comes before the client's early data.
func (c *Conn) begin(ctx context.Context) error {
	if c.shake.done.Load() || c.shake.early.Load() {
		return nil
	}
	c.shake.mu.Lock()
	defer c.shake.mu.Unlock()
	if c.shake.done.Load() || c.shake.early.Load() || c.shake.err != nil {
		return c.shake.err
	}
	if c.closed.Load() {
		c.shake.err = net.ErrClosed
		return c.shake.err
	}
	wait := newPatience(ctx, c.set.timeout, c.nc, &c.pool.alarms)
	defer wait.over() // should a callback panic
	growStack(int(c.set.role))
	err := c.runHandshake(wait)
	if why := wait.over(); why != nil && !isVerdict(err) {
		err = why
	}
	if err != nil {
		c.shake.err = err
		return err
	}
	if !c.shake.early.Load() {
		c.shake.done.Store(true)
	}
	return nil
}

// isVerdict reports whether the protocol is why the handshake failed: then the peer has been told, or has told us, and a
// context that ends while that is on its way does not change it.
func isVerdict(err error) bool {
	var te *tlscore.Error
	return errors.As(err, &te)
}

// handshakeStack is how much stack a handshake takes, about: signatures and key exchanges have large frames.
const handshakeStack = 10 << 10

// growStack makes room on the stack of a goroutine that is mostly a fresh one, in one step. Left to itself the stack is
// doubled three times, and copied each time with all the frames of the handshake on it.
//
//go:noinline
func growStack(i int) byte {
	var room [handshakeStack]byte
	room[i] = 1 // with an index that is not known the compiler cannot do without the array
	return room[i/2]
}

// runHandshake drives the machine until its handshake is done. Both halves are locked: nobody else has business there.
// While it waits for the peer it holds neither a buffer nor one of the listener's places, so that peers who begin and
// then say nothing cost next to nothing.
func (c *Conn) runHandshake(ctx context.Context) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	defer c.in.release(c.pool) // unless data came with the peer's Finished

	if c.set.role == tlscore.RoleServer { // it has nothing to say yet
		if err := c.fillHandshake(0); err != nil {
			return err
		}
		if err := c.chooseSettings(); err != nil {
			return err
		}
	}
	c.holdBack()
	for {
		step, err := c.answerFlight(ctx)
		switch {
		case err != nil:
			c.handshakeOver(err)
			return err
		case step.Event.Kind == tlscore.HandshakeDone:
			c.established(step)
			c.offload()
			return nil
		case c.earlyBegins():
			return nil
		}
		if err := c.fillHandshake(step.Need); err != nil {
			return err
		}
	}
}

// established settles what follows from a handshake that is done. All locks are held.
func (c *Conn) established(step tlscore.Step) {
	if c.machine.Facts().PostHandshakeAuth {
		c.late = &late{came: make(chan struct{}, 1)}
	}
	if c.set.role == tlscore.RoleServer {
		c.oweTickets()
		return
	}
	c.settleEarly()
	c.handshakeOver(nil)
	c.keepSession(step.Event.Session)
}

// answerFlight feeds what has come and sends all that follows from it in one write.
func (c *Conn) answerFlight(ctx context.Context) (tlscore.Step, error) {
	scratch := c.pool.record()
	defer c.pool.giveRecord(scratch)
	step, err := c.compute(ctx, scratch[:0])
	switch {
	case ctx.Err() != nil: // the connection is closed already, or is about to be
		return step, ctx.Err()
	case err != nil:
		return step, c.refuse(err, step.Out)
	case len(step.Out) == 0:
		return step, nil
	}
	if _, err := c.nc.Write(step.Out); err != nil {
		return step, fmt.Errorf("tlsnet: writing the handshake: %w", err)
	}
	return step, nil
}

// compute runs the machine until it wants more input or is done. On a listener's connection it takes one of the places
// for that.
func (c *Conn) compute(ctx context.Context, out []byte) (step tlscore.Step, err error) {
	if c.host != nil {
		if err := c.host.takePlace(ctx); err != nil {
			return step, err
		}
		defer func() { <-c.host.shakes }()
	}
	if !c.shake.started {
		c.shake.started = true
		if out, err = c.start(ctx, out); err != nil {
			return step, err
		}
	}
	for {
		step, err = c.machine.Feed(c.set.now(), c.in.unread(), out)
		c.in.consume(step.N)
		progress := step.N > 0
		for err == nil && step.Event.Question != nil {
			q := step.Event.Question
			answer := c.answer(ctx, q)
			if ctx.Err() != nil {
				return step, ctx.Err()
			}
			step, err = c.machine.Resume(c.set.now(), q.ID, answer, step.Out)
			progress = true
		}
		if step.Event.Kind == tlscore.EarlyDataReceived {
			c.in.plain = step.Event.Data
			return step, err
		}
		if err != nil || step.Event.Kind == tlscore.HandshakeDone || !progress {
			return step, err
		}
		out = step.Out
	}
}

// takePlace waits for one of the places for handshakes under computation.
func (h *host) takePlace(ctx context.Context) error {
	select {
	case h.shakes <- struct{}{}:
		return nil
	default: // only who has to wait needs a channel that tells when not to
	}
	select {
	case h.shakes <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start makes a client's first flight.
func (c *Conn) start(ctx context.Context, out []byte) ([]byte, error) {
	if c.set.role == tlscore.RoleClient {
		if err := c.offerECH(ctx); err != nil {
			return out, err
		}
		c.offerSession(ctx)
	}
	out, err := c.machine.Start(c.set.now(), out)
	if err != nil {
		return out, err
	}
	return c.sendEarly(out)
}

// fillHandshake waits for more of the peer's flight.
func (c *Conn) fillHandshake(need int) error {
	c.in.release(c.pool)
	var err error
	if c.in.buf == nil {
		err = c.firstBytes()
	} else {
		err = c.in.fill(c.nc, need)
	}
	if errors.Is(err, io.EOF) {
		return closedEarly()
	}
	if err != nil {
		return fmt.Errorf("tlsnet: reading the handshake: %w", err)
	}
	return nil
}

func closedEarly() error {
	return &tlscore.Error{Code: tlscore.CodePeerClosedEarly, Err: io.ErrUnexpectedEOF}
}

// refuse ends a failed handshake: it sends the alert that the machine appended to out and closes the write half, but
// leaves the read half open, so that the peer can read the alert before it learns of the end.
func (c *Conn) refuse(err error, out []byte) error {
	if len(out) == 0 {
		return err
	}
	c.failed.Store(true)
	c.nc.SetWriteDeadline(time.Now().Add(alertTimeout))
	if _, werr := c.nc.Write(out); werr == nil {
		closeWrite(c.nc)
	}
	return err
}
