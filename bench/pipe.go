package main

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	// flightBuffer is how much one direction of a pipe holds for Writes that nobody waits for: what a handshake sends.
	flightBuffer = 8 << 10
	// wideBuffer is for both ends in one goroutine.
	wideBuffer = 256 << 10
)

// half is one direction of a pipe. Bytes go straight from the slice of a Write to that of a Read, so that the pipe costs as
// little as may be beside the stacks that it connects; only a short Write before its Read is copied on the way.
type half struct {
	limit   int // of buf
	mu      sync.Mutex
	changed sync.Cond
	buf     []byte // of short Writes
	from    []byte // what a Write that waits has left
	into    []byte // of a Read that waits; its first got bytes have come
	got     int
	closed  bool
}

func newHalf(buffer int) *half {
	h := &half{limit: buffer}
	h.changed.L = &h.mu
	return h
}

func (h *half) write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := len(b)
	for h.from != nil && !h.closed {
		h.changed.Wait()
	}
	for len(b) > 0 {
		switch {
		case h.closed:
			return 0, io.ErrClosedPipe
		case h.got < len(h.into):
			k := copy(h.into[h.got:], b)
			if b = b[k:]; h.got == 0 {
				h.changed.Broadcast()
			}
			h.got += k
		case len(h.buf)+len(b) <= h.limit:
			h.buf = append(h.buf, b...)
			return all, nil
		default:
			h.from = b
			h.changed.Wait()
			b, h.from = h.from, nil
			h.changed.Broadcast()
		}
	}
	return all, nil
}

func (h *half) read(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case len(h.buf) > 0:
			n := copy(b, h.buf)
			h.buf = append(h.buf[:0], h.buf[n:]...)
			h.changed.Broadcast()
			return n, nil
		case len(h.from) > 0:
			n := copy(b, h.from)
			h.from = h.from[n:]
			h.changed.Broadcast()
			return n, nil
		case h.closed:
			return 0, io.EOF
		case h.into != nil: // another Read waits
			h.changed.Wait()
		default:
			h.into, h.got = b, 0
			for h.got == 0 && len(h.from) == 0 && len(h.buf) == 0 && !h.closed {
				h.changed.Wait()
			}
			n := h.got
			h.into = nil
			if n > 0 {
				h.changed.Broadcast()
				return n, nil
			}
		}
	}
}
func (h *half) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.changed.Broadcast()
}

// end is one end of a pipe in memory: a net.Conn without deadlines, whose short writes do not wait for reads.
type end struct{ in, out *half }

func newPipe(buffer int) (client, server end) {
	up, down := newHalf(buffer), newHalf(buffer)
	return end{in: down, out: up}, end{in: up, out: down}
}

func (e end) Read(b []byte) (int, error)  { return e.in.read(b) }
func (e end) Write(b []byte) (int, error) { return e.out.write(b) }
func (e end) Close() error {
	e.in.close()
	e.out.close()
	return nil
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

func (end) LocalAddr() net.Addr              { return pipeAddr{} }
func (end) RemoteAddr() net.Addr             { return pipeAddr{} }
func (end) SetDeadline(time.Time) error      { return nil }
func (end) SetReadDeadline(time.Time) error  { return nil }
func (end) SetWriteDeadline(time.Time) error { return nil }

// pipeListener hands out what is put into it, so that a Listener's configuration serves pipes too.
type pipeListener chan net.Conn

// Accept returns the next connection that was put in.
func (l pipeListener) Accept() (net.Conn, error) { return <-l, nil }

// Close does nothing: a pipeListener holds nothing.
func (pipeListener) Close() error { return nil }

// Addr returns the address of all pipes.
func (pipeListener) Addr() net.Addr { return pipeAddr{} }
