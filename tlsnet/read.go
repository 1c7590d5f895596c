package tlsnet

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// readHalf is the receiving side of a Conn. While nothing is buffered it holds no buffer: bytes are read into the
// caller's slice and opened from there to its front, or, if that slice is tiny, into small.
type readHalf struct {
	mu    sync.Mutex
	buf   *recordBuffer // nil: nothing is buffered
	r, w  int           // buf[r:w] came from the network and has not been fed
	plain []byte        // opened data that did not fit into the caller's slice; lies in buf, before r
	err   error         // final
	last  int           // bytes of the last record with data
	seen  bool          // something has come
	small [smallReadLen]byte
}

func (h *readHalf) unread() []byte {
	if h.buf == nil {
		return nil
	}
	return h.buf[h.r:h.w]
}

func (h *readHalf) consume(n int) { h.r += n }

// release gives the buffer back if nothing in it is needed.
func (h *readHalf) release(b *buffers) {
	if h.buf != nil && h.r == h.w && len(h.plain) == 0 {
		b.giveRecord(h.buf)
		h.buf, h.plain, h.r, h.w = nil, nil, 0, 0
	}
}

// stop makes err final and drops what is buffered.
func (h *readHalf) stop(b *buffers, err error) {
	h.err = err
	h.r = h.w
	h.release(b)
}

// fill reads once into buf, behind what is there, with room for at least need bytes.
func (h *readHalf) fill(nc net.Conn, need int) error {
	if len(h.buf)-h.w < need || h.r == h.w {
		h.w = copy(h.buf[:], h.buf[h.r:h.w])
		h.r = 0
	}
	n, err := readOnce(nc, h.buf[h.w:])
	h.w += n
	return err
}

// readOnce is nc.Read without its two oddities: an error beside bytes, which comes again, and neither.
func readOnce(nc net.Conn, b []byte) (int, error) {
	for range 100 {
		n, err := nc.Read(b)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// Read reads application data. It may use all of p as scratch space. See [Conn] for how the end of the stream is told.
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.readable(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if n := c.late.takeAhead(p); n > 0 {
		return n, nil
	}
	for {
		n, err := c.readOnce(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// readOnce returns what is there, or reads from the network once. Zero bytes without an error: call again.
func (c *Conn) readOnce(p []byte) (int, error) {
	h := &c.in
	if len(h.plain) > 0 {
		n := copy(p, h.plain)
		h.plain = h.plain[n:]
		h.release(c.pool)
		return n, nil
	}
	if h.err != nil {
		return 0, h.err
	}
	if c.fromKernel() {
		return c.readKernel(p)
	}
	n, need := c.openBuffered(p)
	if n > 0 || h.err != nil || need == feedAgain {
		return n, nil // an error is returned once the data before it is
	}
	if !c.shake.done.Load() { // feeding stops where the handshake ends, and all that came behind it must be kept
		p = p[:min(len(p), recordBufferLen)]
	}
	switch held := h.w - h.r; {
	case len(p) >= held+recordBufferLen, held == 0 && len(p) >= smallReadLen:
		return c.readInPlace(p, need)
	case h.buf == nil:
		return 0, c.readSmall()
	default:
		c.beforeWaiting()
		if err := h.fill(c.nc, need); err != nil {
			return 0, c.readFailed(err)
		}
	}
	return 0, nil
}

// feedAgain says that feeding stopped although there may be more: the early data ended there.
const feedAgain = -1

// readSmall waits for data without a buffer, and takes one when some has come.
func (c *Conn) readSmall() error {
	c.beforeWaiting()
	if err := c.firstBytes(); err != nil {
		return c.readFailed(err)
	}
	return nil
}

// firstBytes waits for bytes without a buffer, and leaves them in one. None is held now.
func (c *Conn) firstBytes() error {
	h := &c.in
	if c.raw == nil {
		n, err := readOnce(c.nc, h.small[:])
		c.keep(h.small[:n])
		return err
	}
	buf, n, err := c.pool.readLazily(c.nc, c.raw, recordBufferLen)
	if err != nil {
		return err
	}
	h.buf, h.r, h.w, h.seen = buf, 0, n, true
	return nil
}

// openBuffered opens the records in the buffer for as long as they are complete and p has room. need is how many more
// bytes the next record wants, or feedAgain.
func (c *Conn) openBuffered(p []byte) (n, need int) {
	h := &c.in
	if h.r == h.w {
		return 0, 0
	}
	now := c.set.now()
	for h.r < h.w && n < len(p) && len(h.plain) == 0 && h.err == nil {
		step, err := c.feed(now, h.buf[h.r:h.w], p[n:])
		h.r += step.N
		if len(step.Event.Data) > 0 {
			k := settle(p[n:], step.Event.Data)
			n += k
			h.plain = step.Event.Data[k:]
		}
		if c.settled(step, err) {
			need = step.Need
			if step.Event.Kind == tlscore.HandshakeDone {
				need = feedAgain
			}
			break
		}
	}
	h.release(c.pool)
	return n, need
}

// readGap is how far behind its front a long slice is read into. A record may need as much room to be opened towards the
// front without a move. A slice is long enough for that if it holds two full records besides.
const (
	readGap     = wire.MaxPlaintext + 1
	longReadLen = readGap + 2*(wire.MaxPlaintext+1+64)
)

// readInPlace reads into p, and opens the records from there towards the front: without a move where p is long, for then
// they are read into its back. What is left of a record that has not come whole, and wants need more bytes, is kept.
func (c *Conn) readInPlace(p []byte, need int) (int, error) {
	h := &c.in
	at := 0
	if c.raw == nil && len(p) >= longReadLen && len(p)-readGap >= h.w-h.r+recordBufferLen {
		at = readGap
	}
	held := copy(p[at:], h.unread())
	c.beforeWaiting()
	k, err := readOnce(c.nc, p[at+held:at+h.wholeRecords(len(p)-at, held, need)])
	if err != nil {
		return 0, c.readFailed(err)
	}
	h.r = h.w // what was held lies in p now
	now := c.set.now()
	end, n := at+held+k, 0
	for at < end {
		step, err := c.feed(now, p[at:end], p[n:at])
		at += step.N
		n += settle(p[n:], step.Event.Data) // content is shorter than its record, so this overwrites nothing unread
		if len(step.Event.Data) > 0 {
			h.last = step.N
		}
		if c.settled(step, err) {
			break
		}
	}
	if h.err == nil {
		c.keep(p[at:end])
	}
	h.release(c.pool)
	return n, nil
}

// wholeRecords is how much of room to read into, where held bytes lie that want need more to be a record: as many records
// as fit, if they go on being as long as the last one, so that none is left over in part and has to be kept.
func (h *readHalf) wholeRecords(room, held, need int) int {
	first := h.last
	if held > 0 {
		first = held + max(need, 0)
	}
	if h.last < wire.MaxPlaintext/4 || first > room { // it is cheaper to keep a short one than to read less
		return room
	}
	return room - (room-first)%h.last
}

// settle brings the data of an event to the front of p, unless it was opened there, and returns how much of it fits.
func settle(p, data []byte) int {
	if len(data) > 0 && len(p) > 0 && &p[0] == &data[0] {
		return len(data)
	}
	return copy(p, data)
}

// settled handles everything of a step but its data, and says whether feeding must stop.
func (c *Conn) settled(step tlscore.Step, err error) bool {
	for err == nil && step.Event.Question != nil {
		step, err = c.answerLate(step)
	}
	if err != nil && owesAlert(err) {
		c.failed.Store(true)
	}
	if c.machine.Pending() {
		c.flushSoon()
	}
	switch {
	case err != nil:
		c.listenFor(err)
		c.in.stop(c.pool, err)
	case step.Event.Kind == tlscore.PeerClosed:
		c.in.stop(c.pool, io.EOF)
	case step.Event.Kind == tlscore.TicketReceived:
		c.keepSession(step.Event.Session)
		more, err := c.feed(c.set.now(), nil, nil) // the record may have held another one
		more.N += step.N
		return c.settled(more, err)
	case step.Event.Kind == tlscore.RequestAnswered:
		c.requestAnswered(step.Event.Late)
	case step.Event.Kind == tlscore.HandshakeDone:
		return true // what follows is not early data any more
	}
	return c.in.err != nil || step.N == 0 && step.Event.Kind == tlscore.NoEvent
}

// feed gives the machine what has come, and room for the data in it. That is early data until the handshake is done.
func (c *Conn) feed(now time.Time, in, room []byte) (tlscore.Step, error) {
	if !c.shake.done.Load() {
		return c.feedEarly(now, in)
	}
	return c.machine.FeedInto(now, in, nil, room)
}

// owesAlert reports whether an alert of ours tells the peer about err.
func owesAlert(err error) bool {
	var te *tlscore.Error
	if !errors.As(err, &te) || te.Received() {
		return false
	}
	_, ok := te.Alert()
	return ok
}

// keep buffers bytes that cannot be fed yet.
func (c *Conn) keep(raw []byte) {
	h := &c.in
	if len(raw) == 0 {
		return
	}
	if h.buf == nil {
		h.buf = c.pool.record()
	}
	h.r, h.w = 0, copy(h.buf[:], raw)
	h.seen = true
}

// readFailed judges an error of the connection beneath: time-outs pass, all else stays.
func (c *Conn) readFailed(err error) error {
	if c.closed.Load() {
		err = net.ErrClosed
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	c.in.stop(c.pool, err)
	return err
}
