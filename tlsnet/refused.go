package tlsnet

import (
	"context"
	"errors"
	"time"

	"github.com/tlswright/tlswright/tlscore"
)

// A peer that refuses us sends an alert and closes, often while we still write: a server that asks for a certificate does
// so after a client's handshake is done (RFC 8446, Section 4.4.2.4). Then writing meets a reset, which does not say why,
// while the alert waits on the reading side.

// hearTimeout is how long a Write that failed waits for an alert that came before. Over TCP, which is dead by then, it
// waits for nothing but the goroutine that reads.
const hearTimeout = 5 * time.Second

// listenFor notes an alert that ends the connection.
func (c *Conn) listenFor(err error) {
	var te *tlscore.Error
	if errors.As(err, &te) && te.Received() {
		c.heard.Store(te)
	}
}

// explain returns, in the place of the error that sending met, the alert by which the peer ended the connection, if one
// has come. The write half is not locked.
func (c *Conn) explain(err error) error {
	var cut *cutOffError
	if errors.As(err, &cut) && !cut.Timeout() && c.heard.Load() == nil && c.shake.done.Load() && !c.closed.Load() {
		heard := make(chan struct{})
		go func() {
			defer close(heard)
			c.hear()
		}()
		timer := time.NewTimer(hearTimeout)
		defer timer.Stop()
		select {
		case <-heard:
		case <-timer.C:
		}
	}
	return c.orAlert(err)
}

// hear reads up to an alert, or to data, which it leaves to the next Read.
func (c *Conn) hear() {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	for c.in.err == nil && len(c.in.plain) == 0 {
		if c.pull() != nil {
			return
		}
	}
}

// orAlert returns the alert by which the peer ended the connection; err if it sent none, or if err says it already.
func (c *Conn) orAlert(err error) error {
	var te *tlscore.Error
	if c == nil || errors.As(err, &te) {
		return err
	}
	if alert := c.heard.Load(); alert != nil {
		return alert
	}
	return err
}

// whyFailed is the error of a request that failed on a connection. What net/http says of a connection that broke down
// depends on which of its goroutines saw it first; the peer's own word, if there is one, says more. A request that was
// given up failed for that.
func whyFailed(ctx context.Context, c *Conn, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	return c.orAlert(err)
}
