package tlsnet

// Rest has the connection hold 1.5 KB less while nothing happens on it, as [tlscore.Machine.Rest] says: for who knows that a
// connection has been quiet for a while and has many of them. Its keys are made again by the next Read that gets
// something, and the next Write. It never waits, and does nothing before the handshake is done or while a Read, a Write or a close
// is under way.
func (c *Conn) Rest() {
	if !c.shake.done.Load() || !c.in.mu.TryLock() {
		return
	}
	defer c.in.mu.Unlock()
	if !c.out.mu.TryLock() {
		return
	}
	c.machine.Rest()
	c.out.mu.Unlock()
	if c.machine.Pending() { // a writer that was just done left it to us, and we do not wait for the network
		c.flushSoon()
	}
}
