package tlsnet

import (
	"net"
	"sync"
)

// closeBeneath closes the connection beneath and has the machine forget its secrets, as soon as nobody uses it any more.
// Who does has been woken by that; a callback of the handshake may still take its time, so nobody waits for it here.
func (c *Conn) closeBeneath() error {
	err := c.nc.Close()
	if !c.wipe((*sync.Mutex).TryLock) {
		go c.wipe(lockSurely)
	}
	return err
}

// lockSurely is TryLock that waits.
func lockSurely(m *sync.Mutex) bool {
	m.Lock()
	return true
}

// wipe overwrites the secrets of a closed connection, with everything locked. It reports whether it could lock it.
func (c *Conn) wipe(lock func(*sync.Mutex) bool) bool {
	for _, m := range []*sync.Mutex{&c.shake.mu, &c.in.mu, &c.out.mu} {
		if !lock(m) {
			return false
		}
		defer m.Unlock()
	}
	if c.in.err == nil {
		c.in.plain = nil
		c.in.stop(c.pool, net.ErrClosed)
	}
	if c.out.err == nil {
		c.out.err = net.ErrClosed
	}
	if c.held != nil {
		c.held.drop(c.pool)
	}
	c.machine.Wipe()
	return true
}
