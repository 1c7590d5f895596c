package main

import (
	"io"
	"net"
	"sync"
	"time"
)

// pipeLimit is how much one direction of a pipe holds before Write waits; about a socket's buffer.
const pipeLimit = 256 << 10

// half is one direction of a pipe.
type half struct {
	mu     sync.Mutex
	change sync.Cond
	buf    []byte
	start  int
	closed bool
}

func newHalf() *half {
	h := &half{}
	h.change.L = &h.mu
	return h
}

func (h *half) write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.buf)-h.start > pipeLimit && !h.closed {
		h.change.Wait()
	}
	if h.closed {
		return 0, io.ErrClosedPipe
	}
	if h.start > 0 && len(h.buf)+len(b) > cap(h.buf) {
		h.buf = append(h.buf[:0], h.buf[h.start:]...)
		h.start = 0
	}
	h.buf = append(h.buf, b...)
	h.change.Signal()
	return len(b), nil
}

func (h *half) read(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.buf) == h.start && !h.closed {
		h.change.Wait()
	}
	if len(h.buf) == h.start {
		return 0, io.EOF
	}
	n := copy(b, h.buf[h.start:])
	if h.start += n; h.start == len(h.buf) {
		h.buf, h.start = h.buf[:0], 0
	}
	h.change.Signal()
	return n, nil
}

func (h *half) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.change.Broadcast()
}

// end is one end of a pipe in memory: a net.Conn without deadlines, whose writes do not wait for reads.
type end struct{ in, out *half }

func newPipe() (client, server end) {
	up, down := newHalf(), newHalf()
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
