package tlsnet

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/tlscore"
)

// early is what one connection does with 0-RTT data (RFC 8446, Section 2.3). There is one only where somebody asked for it
// before the handshake.
type early struct {
	// A client's.
	data    []byte           // goes along with the ClientHello
	session *tlscore.Session // that goes with it, out of the store already; nil: take one
	alpn    *string          // the protocol that it is for; nil: any
	lost    atomic.Bool      // the server has not taken it, and the caller has not said yet that it knows

	// A server's.
	merged bool          // Read returns it, too: its protocol tells requests apart that came early
	facts  tlscore.Facts // when it began to come
	timer  *time.Timer   // bounds the wait for the client's Finished; nil: no bound
}

// ErrEarlyDataRejected is what Read and Write of a client return where the server has not taken its early data: no
// session allowed it, or the server refused it. Nothing of it was processed. [Conn.ForgetEarly] goes on without.
var ErrEarlyDataRejected = errors.New("tlsnet: the server has not taken the early data")

// ErrEarlyDataUnread is what Read and Handshake of a server return while early data is coming: it must be read to its end
// by ReadEarly first, so that the two are never taken for each other.
var ErrEarlyDataUnread = errors.New("tlsnet: the early data must be read to its end first")

// errEarlyTooLate is returned for early data after the ClientHello.
var errEarlyTooLate = errors.New("tlsnet: early data can be sent only before the handshake")

// WriteEarly keeps p to be sent as early data, in front of the handshake's end, by a client that has not begun its
// handshake. It goes if a session that allows so much is at hand, all of it or nothing; Facts().EarlyData tells. Whatever
// else becomes of it, Read and Write then return [ErrEarlyDataRejected] until [Conn.ForgetEarly].
//
// Early data can be replayed by an attacker, and is not forward secret: send only what may happen twice (RFC 8446,
// Section 8).
func (c *Conn) WriteEarly(p []byte) (int, error) {
	c.shake.mu.Lock()
	defer c.shake.mu.Unlock()
	if c.set.role != tlscore.RoleClient || c.shake.started || c.shake.err != nil {
		return 0, errEarlyTooLate
	}
	if c.early == nil {
		c.early = new(early)
	}
	c.early.data = append(c.early.data, p...)
	return len(p), nil
}

// ForgetEarly says that the caller knows that its early data is lost: Read and Write go on without it. The protocol that
// was agreed on may be another than the one it was written for.
func (c *Conn) ForgetEarly() {
	if c.shake.done.Load() && c.early != nil {
		c.early.lost.Store(false)
	}
}

// DialEarly is [Dialer.Dial] that sends data along with the ClientHello, if there is a session from an earlier connection
// that allows it. It returns after the handshake, one round trip later; the answer may be there by then.
// Facts().EarlyData is EarlyDataAccepted if the server took the data. Otherwise nothing of it was processed, and Read and
// Write return [ErrEarlyDataRejected] until [Conn.ForgetEarly]; the caller then sends it again, if it suits the protocol
// that was agreed on.
//
// Early data can be replayed by an attacker, and is not forward secret: send only what may happen twice (RFC 8446,
// Section 8).
func (d *Dialer) DialEarly(ctx context.Context, network, addr string, data []byte) (*Conn, error) {
	return d.dial(ctx, network, addr, func(c *Conn) error {
		_, err := c.WriteEarly(data)
		return err
	})
}

// ReadEarly reads 0-RTT data at a server. The first call must come before the handshake: it is what makes the server take
// early data at all, as far as Core.MaxEarlyData allows. It returns io.EOF when the early data is over, or there was none:
// the handshake is done then, and what Read returns from then on has not been replayed. Until then Write may answer
// already (RFC 8446, Section 2.3).
//
// Each flight of early data is taken at most once, by the listener that its ticket came from. Yet an attacker can make a
// client send its request again in another flight, so take only what may happen twice (RFC 8446, Section 8).
func (c *Conn) ReadEarly(p []byte) (int, error) {
	if err := c.askEarly(false); err != nil {
		return 0, err
	}
	if err := c.begin(context.Background()); err != nil {
		return 0, err
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	for !c.shake.done.Load() && len(p) > 0 {
		n, err := c.readOnce(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
	if len(p) == 0 {
		return 0, nil
	}
	return 0, io.EOF
}

// askEarly makes a server take early data, unless its handshake has begun. With merged, Read returns it too.
func (c *Conn) askEarly(merged bool) error {
	if c.shake.done.Load() || c.shake.early.Load() {
		return nil
	}
	c.shake.mu.Lock()
	defer c.shake.mu.Unlock()
	if c.set.role != tlscore.RoleServer {
		return errors.New("tlsnet: early data comes from clients only")
	}
	if c.early == nil && !c.shake.started {
		c.early = &early{merged: merged}
	}
	return nil
}

// earlyBegins goes over to the time in which early data comes, if the server has taken it. All locks are held.
func (c *Conn) earlyBegins() bool {
	if c.set.role != tlscore.RoleServer || c.early == nil {
		return false
	}
	f := c.machine.Facts()
	if f.EarlyData != tlscore.EarlyDataAccepted {
		return false
	}
	c.early.facts = f
	if c.set.timeout > 0 {
		c.early.timer = time.AfterFunc(c.set.timeout, func() {
			if !c.shake.done.Load() {
				c.nc.Close()
			}
		})
	}
	c.shake.early.Store(true)
	return true
}

// inEarly reports whether the client's early data is coming, and its Finished has not come yet.
func (c *Conn) inEarly() bool { return c.shake.early.Load() && !c.shake.done.Load() }

// feedEarly feeds the machine until the handshake is done. Its halves are one until then, so writers are locked out, but
// only for as long as it computes.
func (c *Conn) feedEarly(now time.Time, in []byte) (tlscore.Step, error) {
	c.out.mu.Lock()
	defer c.unlockWrite()
	step, err := c.machine.Feed(now, in, nil)
	c.transmit(step.Out) // an alert, if anything
	if err != nil && c.out.err == nil {
		c.out.err = err
	}
	if step.Event.Kind == tlscore.HandshakeDone {
		c.established(step)
		c.stopEarlyTimer()
		c.shake.done.Store(true)
	}
	return step, err
}

func (c *Conn) stopEarlyTimer() {
	if c.shake.early.Load() && c.early.timer != nil {
		c.early.timer.Stop()
	}
}

// readable makes the handshake if need be, and says why Read has nothing to return.
func (c *Conn) readable() error {
	if err := c.writable(); err != nil {
		return err
	}
	if !c.shake.done.Load() && !c.early.merged {
		return ErrEarlyDataUnread
	}
	return nil
}

// writable makes the handshake if need be, as far as writing needs it.
func (c *Conn) writable() error {
	if !c.shake.done.Load() {
		if err := c.begin(context.Background()); err != nil {
			return err
		}
	}
	if c.early != nil && c.early.lost.Load() {
		return ErrEarlyDataRejected
	}
	return nil
}

// sendEarly appends a client's early data to its ClientHello.
func (c *Conn) sendEarly(out []byte) ([]byte, error) {
	if c.early == nil || len(c.early.data) == 0 || c.machine.Facts().EarlyData != tlscore.EarlyDataOffered {
		return out, nil
	}
	_, out, err := c.machine.SealEarly(c.early.data, out)
	return out, err
}

// settleEarly says what became of a client's early data, at the end of the handshake.
func (c *Conn) settleEarly() {
	if c.set.role != tlscore.RoleClient || c.early == nil || len(c.early.data) == 0 {
		return
	}
	c.early.data = nil
	c.early.lost.Store(c.machine.Facts().EarlyData != tlscore.EarlyDataAccepted)
}
