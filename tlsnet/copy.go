package tlsnet

import (
	"io"
	"net"
	"syscall"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

var (
	_ io.WriterTo   = (*Conn)(nil)
	_ io.ReaderFrom = (*Conn)(nil)
)

// firstCopyLen is what ReadFrom reads into while its source is slow, so that an idle copy holds little memory.
const firstCopyLen = 4 << 10

// WriteTo copies application data to w until the peer's close_notify; io.Copy uses it. Data goes from the place where it
// was opened straight to w, and while none comes no buffer is held.
func (c *Conn) WriteTo(w io.Writer) (n int64, err error) {
	if err := c.readable(); err != nil {
		return 0, err
	}
	for {
		k, err := c.writeNext(w)
		n += int64(k)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// writeNext hands the next piece of data to w, or reads from the network once. The error io.EOF is the peer's end.
func (c *Conn) writeNext(w io.Writer) (int, error) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	h := &c.in
	if l := c.late; l != nil && len(l.ahead) > 0 {
		n, err := w.Write(l.ahead)
		l.consume(n)
		return n, err
	}
	switch {
	case len(h.plain) > 0:
		n, err := w.Write(h.plain)
		h.plain = h.plain[n:]
		h.release(c.pool)
		if err == nil && len(h.plain) > 0 {
			err = io.ErrShortWrite
		}
		return n, err
	case h.err != nil:
		return 0, h.err
	}
	if c.fromKernel() {
		c.beforeWaiting()
		return 0, c.pullKernel()
	}
	return 0, c.pull()
}

// pull feeds one record of what is buffered, or reads from the network once. Data stays in the buffer. The lock is held.
func (c *Conn) pull() error {
	h := &c.in
	if h.buf == nil {
		return c.readSmall()
	}
	step, err := c.feed(c.set.now(), h.unread(), nil)
	h.consume(step.N)
	if len(step.Event.Data) > 0 {
		h.plain = step.Event.Data
	}
	wait := c.settled(step, err)
	h.release(c.pool)
	if !wait || h.err != nil || h.buf == nil || step.Event.Kind == tlscore.HandshakeDone {
		return nil
	}
	c.beforeWaiting()
	if err := h.fill(c.nc, step.Need); err != nil {
		return c.readFailed(err)
	}
	return nil
}

// ReadFrom sends what r has until its end; io.Copy and net/http use it. While r is slow a small buffer does, or none where
// r is a connection of the operating system, and when it has plenty, 32 KiB leave in each system call.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	if raw := rawConn(r); raw != nil {
		return c.readFromConn(r.(net.Conn), raw)
	}
	small := make([]byte, firstCopyLen)
	var large *flightBuffer
	defer func() { c.pool.giveFlight(large) }()
	for {
		buf := small
		if large != nil {
			buf = large[:batch]
		}
		k, rerr := r.Read(buf)
		if k > 0 {
			written, err := c.Write(buf[:k])
			n += int64(written)
			if err != nil {
				return n, err
			}
		}
		switch {
		case rerr == io.EOF:
			return n, nil
		case rerr != nil:
			return n, rerr
		case k == len(buf) && large == nil:
			large = c.pool.flight()
		case k < len(buf) && large != nil:
			c.pool.giveFlight(large)
			large = nil
		}
	}
}

// readFromConn is ReadFrom without a buffer while nothing comes.
func (c *Conn) readFromConn(r net.Conn, raw syscall.RawConn) (n int64, err error) {
	for {
		k, err := c.copyOnce(r, raw)
		n += k
		switch err {
		case nil:
		case io.EOF:
			return n, nil
		default:
			return n, err
		}
	}
}

// copyOnce waits for what comes, and sends it, and what follows at once if that is much.
func (c *Conn) copyOnce(r net.Conn, raw syscall.RawConn) (n int64, err error) {
	buf, k, err := c.pool.readLazily(r, raw, wire.MaxPlaintext)
	if err != nil {
		return 0, err
	}
	written, err := c.Write(buf[:k])
	c.pool.giveRecord(buf)
	n = int64(written)
	if err != nil || k < wire.MaxPlaintext {
		return n, err
	}
	large := c.pool.flight()
	defer c.pool.giveFlight(large)
	for k = batch; k == batch; {
		if k, err = r.Read(large[:batch]); k > 0 {
			written, werr := c.Write(large[:k])
			n += int64(written)
			if werr != nil {
				return n, werr
			}
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
