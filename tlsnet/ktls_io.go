package tlsnet

import (
	"errors"
	"io"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// errForged is what receiveRecord returns for a record that does not authenticate.
var errForged = errors.New("tlsnet: the kernel could not open a record")

// sendBeneath sends what the machine appended. Where the kernel protects it, those are records that it has to make itself.
func (c *Conn) sendBeneath(out []byte) (int, error) {
	if c.kernel == nil || !c.kernel.Sent {
		return c.nc.Write(out)
	}
	sent := 0
	for sent < len(out) {
		h, ok := wire.ParseRecordHeader(out[sent:])
		if !ok {
			return sent, io.ErrUnexpectedEOF
		}
		end := sent + wire.RecordHeaderLen + h.Length
		if n, err := c.sendRecord(h.Type, out[sent+wire.RecordHeaderLen:end]); err != nil {
			switch { // what the kernel has taken must not come twice
			case n > 0 && n == h.Length:
				sent = end
			case n > 0: // the rest becomes a record of its own
				sent += n
				h.Length -= n
				wire.AppendRecordHeader(out[:sent], h)
			}
			return sent, err
		}
		sent = end
	}
	return sent, nil
}

// fromKernel reports whether the kernel opens what comes.
func (c *Conn) fromKernel() bool { return c.kernel != nil && c.kernel.Received }

// readKernel reads once what the kernel has opened, and returns data into p. The lock is held.
func (c *Conn) readKernel(p []byte) (int, error) {
	h := &c.in
	c.beforeWaiting()
	if len(p) >= recordBufferLen {
		data, err := c.openedByKernel(p)
		return len(data), err // it stands at the front of p
	}
	if err := c.pullKernel(); err != nil {
		return 0, err
	}
	n := copy(p, h.plain)
	h.plain = h.plain[n:]
	h.release(c.pool)
	return n, nil
}

// pullKernel is pull for what the kernel has opened.
func (c *Conn) pullKernel() error {
	h := &c.in
	h.buf, h.r, h.w = c.pool.record(), 0, 0
	data, err := c.openedByKernel(h.buf[:])
	h.plain = data
	h.release(c.pool)
	return err
}

// openedByKernel receives one record, or a piece of it, and has the machine look at it. Data lies in b.
func (c *Conn) openedByKernel(b []byte) ([]byte, error) {
	kind, n, err := c.receiveRecord(b)
	if err == nil && kind == 0 && n == 0 {
		err = io.EOF
	}
	if err == errForged { // the kernel has told nobody
		err = c.machine.FailOpened()
		c.settled(tlscore.Step{}, err)
		return nil, err
	}
	if err != nil {
		return nil, c.readFailed(err)
	}
	for {
		step, err := c.machine.FeedOpened(c.set.now(), kind, b[:n], nil)
		c.settled(step, err)
		if step.N == n || c.in.err != nil {
			return step.Event.Data, nil // an error is returned by the next call
		}
	}
}
