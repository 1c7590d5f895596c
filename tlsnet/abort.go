package tlsnet

import "net"

// Abort closes the connection at once, without close_notify: the peer can tell that what it got so far was cut off
// (RFC 8446, Section 6.1). It is for what cannot be finished, such as a response whose source has failed. Blocked Reads
// and Writes return.
func (c *Conn) Abort() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	c.stopEarlyTimer()
	return c.closeBeneath()
}
