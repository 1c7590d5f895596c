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
	done atomic.Bool // it succeeded; set under mu
	err  error       // it failed, and how; under mu
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
	if c.shake.done.Load() {
		return nil
	}
	c.shake.mu.Lock()
	defer c.shake.mu.Unlock()
	if c.shake.done.Load() || c.shake.err != nil {
		return c.shake.err
	}
	if c.closed.Load() {
		c.shake.err = net.ErrClosed
		return c.shake.err
	}
	if c.set.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.set.timeout, ErrHandshakeTimeout)
		defer cancel()
	}
	stop := context.AfterFunc(ctx, func() { c.nc.Close() })
	err := c.runHandshake(ctx)
	if !stop() && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.shake.err = err
		return err
	}
	c.shake.done.Store(true)
	return nil
}

// runHandshake drives the machine until its handshake is done. Both halves are locked: nobody else has business there.
func (c *Conn) runHandshake(ctx context.Context) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()

	defer c.in.release(c.set.buffers) // unless data came with the peer's Finished
	scratch := c.set.buffers.record()
	defer c.set.buffers.giveRecord(scratch)
	out, err := c.machine.Start(c.set.now(), scratch[:0])
	if err != nil {
		return err
	}
	release := func() {}
	defer func() { release() }()
	for {
		step, err := c.feedHandshake(ctx, out)
		out = step.Out
		switch {
		case err != nil:
			return c.refuse(err, out)
		case step.Event.Kind == tlscore.HandshakeDone:
			return c.send(out)
		case step.Event.Kind == tlscore.PeerClosed:
			return closedEarly()
		case step.N > 0 || step.Event.Kind != tlscore.NoEvent:
			continue
		}
		// The machine wants more input. What it said so far leaves in one write.
		if err := c.send(out); err != nil {
			return err
		}
		out = scratch[:0]
		first := !c.in.seen
		if err := c.fillHandshake(step.Need); err != nil {
			return err
		}
		if first {
			if release, err = c.beginComputing(ctx); err != nil {
				return err
			}
		}
	}
}

// feedHandshake feeds what is buffered and answers the questions that come of it.
func (c *Conn) feedHandshake(ctx context.Context, out []byte) (tlscore.Step, error) {
	step, err := c.machine.Feed(c.set.now(), c.in.unread(), out)
	c.in.consume(step.N)
	fed := step.N
	for err == nil && step.Event.Question != nil {
		q := step.Event.Question
		answer := c.answer(ctx, q)
		if ctx.Err() != nil {
			return step, context.Cause(ctx)
		}
		step, err = c.machine.Resume(c.set.now(), q.ID, answer, step.Out)
		fed++ // an answer is progress, too
	}
	step.N = fed
	return step, err
}

// beginComputing takes one of the listener's places for handshakes. It is called when the peer's first bytes are there,
// so that connections that say nothing take none.
func (c *Conn) beginComputing(ctx context.Context) (release func(), err error) {
	if c.host == nil {
		return func() {}, nil
	}
	select {
	case c.host.shakes <- struct{}{}:
		return func() { <-c.host.shakes }, nil
	case <-ctx.Done():
		return func() {}, context.Cause(ctx)
	}
}

// fillHandshake reads more of the peer's flight.
func (c *Conn) fillHandshake(need int) error {
	if c.in.buf == nil {
		c.in.buf = c.set.buffers.record()
	}
	err := c.in.fill(c.nc, need)
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

// send writes the bytes of a flight, if there are any.
func (c *Conn) send(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	if _, err := c.nc.Write(out); err != nil {
		return fmt.Errorf("tlsnet: writing the handshake: %w", err)
	}
	return nil
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
