package main

import (
	"bytes"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/tlswright/tlswright/tlscore"
)

type (
	question = tlscore.Question
	answer   = tlscore.Answer
)

// conn is all there is of a connection: the machine, and bytes only where something is under way.
type conn struct {
	machine *tlscore.Machine
	fd      int
	rest    []byte // the beginning of a record whose end has not come
	unsent  []byte // what the socket would not take; while there is some, nothing is read
	events  uint32 // what epoll waits for
	started bool
}

// happened is what epoll calls for: the socket can be written to, or read from.
func (c *conn) happened(l *loop, events uint32) error {
	if !c.started {
		c.started = true
		out, err := c.machine.Start(time.Now(), l.sealed[:0])
		if err != nil {
			return err
		}
		if err := c.send(l, out); err != nil {
			return err
		}
	}
	if len(c.unsent) > 0 {
		return c.send(l, nil)
	}
	if events&^syscall.EPOLLOUT == 0 {
		return nil
	}
	return c.receive(l)
}

// await tells epoll what to wait for.
func (c *conn) await(l *loop, events uint32) error {
	if c.events == events {
		return nil
	}
	c.events = events
	return l.watch(syscall.EPOLL_CTL_MOD, c.fd, events)
}

// receive reads once, into the buffer that all share, and hands on what that makes complete. It waits in epoll for more.
func (c *conn) receive(l *loop) error {
	held := copy(l.arrived[:], c.rest)
	n, err := syscall.Read(c.fd, l.arrived[held:])
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return nil
	case err != nil:
		return os.NewSyscallError("read", err)
	case n == 0:
		return io.ErrUnexpectedEOF // without close_notify: it may have been cut off
	}
	in := l.arrived[:held+n]
	for {
		k, err := c.step(l, in)
		if err != nil {
			return err
		}
		if k < 0 {
			break
		}
		in = in[k:]
	}
	c.rest = nil
	if len(in) > 0 {
		c.rest = bytes.Clone(in)
	}
	return nil
}

// step feeds the machine once, and does what it asks for. It returns how many bytes it took, or -1 if it wants more.
func (c *conn) step(l *loop, in []byte) (n int, err error) {
	step, err := c.machine.Feed(time.Now(), in, l.sealed[:0])
	n, progress := step.N, step.N > 0
	for err == nil && step.Event.Question != nil {
		q := step.Event.Question
		step, err = c.machine.Resume(time.Now(), q.ID, l.answer(c, q), step.Out)
		progress = true
	}
	if err == nil && c.machine.Pending() {
		step.Out, err = c.machine.Flush(step.Out)
	}
	if serr := c.send(l, step.Out); err == nil { // on an error an alert, which is worth one try
		err = serr
	}
	switch {
	case err != nil:
		return n, err
	case step.Event.Kind == tlscore.HandshakeDone:
		err = l.ready(c)
	case step.Event.Kind == tlscore.Data:
		err = l.data(c, step.Event.Data)
	case step.Event.Kind == tlscore.PeerClosed:
		out, _ := c.machine.CloseWrite(l.sealed[:0])
		c.send(l, out)
		err = io.EOF
	case !progress:
		n = -1
	}
	return n, err
}

// write protects data and sends it.
func (c *conn) write(l *loop, data []byte) error {
	_, out, err := c.machine.Seal(data, l.sealed[:0])
	if serr := c.send(l, out); err == nil {
		err = serr
	}
	return err
}

// send sends what was sealed, and keeps what the socket does not take: sealed bytes are committed, so they go out in order
// and whole, or the connection is over. out is l.sealed, grown perhaps.
func (c *conn) send(l *loop, out []byte) error {
	if cap(out) > cap(l.sealed) {
		l.sealed = out[:0]
	}
	if len(c.unsent) > 0 {
		out = append(c.unsent, out...)
	}
	for len(out) > 0 {
		n, err := syscall.Write(c.fd, out)
		if err == syscall.EAGAIN {
			break
		}
		if err != nil && err != syscall.EINTR {
			return os.NewSyscallError("write", err)
		}
		out = out[max(n, 0):]
	}
	if c.unsent = nil; len(out) > 0 {
		c.unsent = bytes.Clone(out)
		return c.await(l, syscall.EPOLLOUT)
	}
	return c.await(l, syscall.EPOLLIN)
}
