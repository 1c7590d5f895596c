package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/tlswright/tlswright/tlscore"
)

// drainFor bounds the wait for the runner to close its end, in case it never does.
const drainFor = 10 * time.Second

// connection turns a machine over a blocking TCP connection.
type connection struct {
	tcp     net.Conn
	machine *tlscore.Machine
	answer  func(*tlscore.Question) tlscore.Answer
	now     func() time.Time
	pause   func() bool // whether next returns without an event

	received []byte // read from tcp, not consumed by the machine
	shown    int    // how many bytes of received the machine is shown; all, unless dripping
	drip     bool   // show one byte more at a time, and let questions wait
	eof      bool

	holding bool   // write no more than allowed, hold the rest
	allowed int    // bytes
	held    []byte // not written yet
}

// dial connects to the runner and says which test this is.
func dial(c *settings) (net.Conn, error) {
	port := strconv.Itoa(int(c.port))
	if c.shimID == nil { // the runner listens on ::1, or on 127.0.0.1 where there is no IPv6, and does not say which
		if tcp, err := net.Dial("tcp", net.JoinHostPort("::1", port)); err == nil {
			return tcp, nil
		}
		return net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
	}
	host := "127.0.0.1"
	if c.ipv6 {
		host = "::1"
	}
	tcp, err := net.Dial("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	if _, err := tcp.Write(binary.LittleEndian.AppendUint64(nil, *c.shimID)); err != nil {
		tcp.Close()
		return nil, err
	}
	return tcp, nil
}

// next turns the machine until something happens that the script has to know: an event, or a reason to pause.
// io.EOF says that the peer ended the TCP connection instead. Event.Data is valid until the next call. The answer to a
// KeyUpdate rides on the next data sent: the runner counts, and takes one answer to several requests.
func (c *connection) next() (tlscore.Event, error) {
	for {
		step, err := c.machine.Feed(c.now(), c.received[:c.shown], nil)
		event, err := c.settle(step, err)
		if err != nil || event.Kind != tlscore.NoEvent || c.pause != nil && c.pause() {
			return event, err
		}
		if step.N == 0 {
			if err := c.more(); err != nil {
				return tlscore.Event{}, err
			}
		}
	}
}

// settle takes over the outcome of a step: what was consumed, what is to be written, what is asked. The error of a
// failed step comes back only after its alert is out.
func (c *connection) settle(step tlscore.Step, failure error) (tlscore.Event, error) {
	c.received, c.shown = c.received[step.N:], c.shown-step.N
	if len(step.Out) > 0 { // what the machine says goes behind what was held back
		if err := c.release(); err != nil && failure == nil {
			return tlscore.Event{}, err
		}
	}
	if err := c.write(step.Out); err != nil && failure == nil {
		return tlscore.Event{}, err
	}
	if failure != nil {
		if c.machine.Pending() {
			_ = c.send(c.machine.Flush) // the failure itself is the news
		}
		return tlscore.Event{}, failure
	}
	if step.Event.Question == nil {
		return step.Event, nil
	}
	return c.resume(step.Event.Question)
}

// resume answers a question. Where a test wants things asynchronous, the machine is turned once more before: it must
// wait, and take nothing in meanwhile.
func (c *connection) resume(q *tlscore.Question) (tlscore.Event, error) {
	if c.drip {
		step, err := c.machine.Feed(c.now(), c.received[:c.shown], nil)
		if err != nil || step.N != 0 || len(step.Out) != 0 || step.Event.Kind != tlscore.NoEvent {
			return tlscore.Event{}, fmt.Errorf("the machine did not wait for its answer: %+v, %v", step, err)
		}
	}
	return c.settle(c.machine.Resume(c.now(), q.ID, c.answer(q), nil))
}

// more shows the machine more bytes, and reads some first if all are shown.
func (c *connection) more() error {
	if c.shown == len(c.received) {
		if c.eof {
			return io.EOF
		}
		buf := make([]byte, 1<<15)
		n, err := c.tcp.Read(buf)
		c.received = append(c.received[:len(c.received):len(c.received)], buf[:n]...)
		if err != nil {
			// A reset is an end too: the runner closes without having read everything.
			c.eof = true
			if n == 0 {
				return io.EOF
			}
		}
	}
	if c.drip {
		c.shown++
	} else {
		c.shown = len(c.received)
	}
	return nil
}

// send writes what a method of the machine's write half appends. What was appended is committed and written even when
// there is an error.
func (c *connection) send(appendTo func([]byte) ([]byte, error)) error {
	out, err := appendTo(nil)
	return errors.Join(err, c.write(out))
}

// seal sends application data.
func (c *connection) seal(data []byte) error {
	_, out, err := c.machine.Seal(data, nil)
	return errors.Join(err, c.write(out))
}

func (c *connection) write(out []byte) error {
	if c.holding {
		n := min(c.allowed, len(out))
		c.held = append(c.held, out[n:]...)
		c.allowed -= n
		out = out[:n]
	}
	if len(out) == 0 {
		return nil
	}
	_, err := c.tcp.Write(out)
	return err
}

// release writes what was held back, and holds no more.
func (c *connection) release() error {
	out := c.held
	c.holding, c.held = false, nil
	return c.write(out)
}

// close ends the writing, and drains what still comes: closing with unread data would reset the connection, and
// the runner might lose our last alert.
func (c *connection) close() {
	if half, ok := c.tcp.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	_ = c.tcp.SetReadDeadline(time.Now().Add(drainFor))
	_, _ = io.Copy(io.Discard, c.tcp)
	_ = c.tcp.Close()
}
