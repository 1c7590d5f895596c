package tlsnet

import "time"

// Dynamic record sizes: see [Config.DynamicRecords].
const (
	// shortRecord is the content of a record that with its header, the type and the tag fits into one TCP segment of 1400
	// bytes: less than what IPv6 leaves in an Ethernet frame, for tunnels.
	shortRecord = 1400 - 22
	// shortBurst is how many bytes go in short records. After ten segments or so a sender waits for the first answer anyway
	// (RFC 6928), and what comes later comes fast.
	shortBurst = 10 * shortRecord
	// quietFor is how long nothing is sent until the next bytes begin another burst.
	quietFor = time.Second
)

// burst knows how far the data is that was sent without a pause. It belongs to the write half.
type burst struct {
	sent int
	last time.Time
}

// short is how many of n bytes that are sent now go in short records.
func (b *burst) short(now time.Time, n int) int {
	if now.Sub(b.last) > quietFor {
		b.sent = 0
	}
	b.last = now
	k := max(0, min(n, shortBurst-b.sent))
	b.sent += n
	return k
}

// seal is Machine.Seal with records of the size that goes with the moment.
func (c *Conn) seal(p, out []byte) (n int, o []byte, err error) {
	if !c.set.dynamic {
		return c.machine.Seal(p, out)
	}
	if k := c.out.burst.short(time.Now(), len(p)); k > 0 {
		c.machine.LimitRecords(shortRecord)
		n, out, err = c.machine.Seal(p[:k], out)
		c.machine.LimitRecords(0)
		if err != nil || n == len(p) {
			return n, out, err
		}
	}
	k, out, err := c.machine.Seal(p[n:], out)
	return n + k, out, err
}
