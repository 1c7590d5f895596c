package tlsnet

import "errors"

// ExportEarly returns n bytes of keying material bound to the ClientHello and its PSK (RFC 8446, Section 7.5), once the
// handshake is done, and on a server from the time on when early data comes. There is some where early data was accepted,
// or the connection rests on an external PSK; see [tlscore.Machine.ExportEarly] for what it is worth.
func (c *Conn) ExportEarly(label string, context []byte, n int) ([]byte, error) {
	if !c.shake.done.Load() && !c.shake.early.Load() {
		return nil, errors.New("tlsnet: no early keying material before the handshake, or the early data")
	}
	c.shake.mu.Lock() // Close wipes the secrets
	defer c.shake.mu.Unlock()
	if !c.shake.done.Load() { // the machine's halves are one until then
		c.out.mu.Lock()
		defer c.unlockWrite()
	}
	return c.machine.ExportEarly(label, context, n)
}
