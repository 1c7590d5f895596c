package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// role is one of the two ends of a connection.
type role int

const (
	clientEnd role = iota
	serverEnd
)

func (r role) other() role { return 1 - r }

// parts are what each end of a connection took, in CPU time of the process.
type parts [2]time.Duration

// duo is a pipe in memory of whose ends only one runs at a time: an end that waits in Read hands over to the other one, and
// whatever the process used in between counts for who had the turn, the collector's work and the scheduler's included.
// Threads with clocks of their own would pay for waking each other instead.
type duo struct {
	clock func() time.Duration // CPU time of the process
	cost  time.Duration        // of reading the clock

	mu      sync.Mutex
	changed sync.Cond
	turn    role
	since   time.Duration // on the clock
	spent   parts
	unread  [2][]byte // what each end has still to read
	over    [2]bool   // it does not come back
	closed  bool
}

// newDuo makes one in which the server has the turn, as it has in whatever takes connections.
func newDuo(clock func() time.Duration, cost time.Duration) *duo {
	d := &duo{clock: clock, cost: cost, turn: serverEnd}
	d.changed.L = &d.mu
	d.since = clock()
	return d
}

// run makes both ends do their part, and returns what each took.
func (d *duo) run(client, server func(net.Conn) error) (parts, error) {
	done := make(chan error, 1)
	go func() { done <- d.play(serverEnd, server) }()
	d.yield(serverEnd)
	err := d.play(clientEnd, client)
	return d.spent, errors.Join(err, <-done)
}

// play is one end's part, from its first turn on.
func (d *duo) play(r role, do func(net.Conn) error) error {
	d.mu.Lock()
	for d.turn != r {
		d.changed.Wait()
	}
	d.mu.Unlock()
	err := do(duoEnd{d, r})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over[r] = true
	if err != nil {
		d.closed = true // the other end does not wait in vain
	}
	d.handOver(r)
	return err
}

// yield hands over without waiting.
func (d *duo) yield(r role) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handOver(r)
}

// handOver ends the turn of r, if it has it. Reading the clock is nobody's work; half of it lies in either turn. The lock is held.
func (d *duo) handOver(r role) {
	if d.turn != r {
		return
	}
	now := d.clock()
	d.spent[r] += max(now-d.since-d.cost, 0)
	d.since = now
	if !d.over[r.other()] {
		d.turn = r.other()
	}
	d.changed.Broadcast()
}

// read is Read of one end.
func (d *duo) read(r role, b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.unread[r]) == 0 {
		if d.closed || d.over[r.other()] {
			return 0, io.EOF
		}
		d.handOver(r)
		for d.turn != r {
			d.changed.Wait()
		}
	}
	n := copy(b, d.unread[r])
	d.unread[r] = append(d.unread[r][:0], d.unread[r][n:]...)
	return n, nil
}

// write leaves bytes for the other end, and never waits.
func (d *duo) write(r role, b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, io.ErrClosedPipe
	}
	d.unread[r.other()] = append(d.unread[r.other()], b...)
	return len(b), nil
}

func (d *duo) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// duoEnd is one end: a net.Conn without deadlines.
type duoEnd struct {
	*duo
	role role
}

func (e duoEnd) Read(b []byte) (int, error)  { return e.read(e.role, b) }
func (e duoEnd) Write(b []byte) (int, error) { return e.write(e.role, b) }
func (e duoEnd) Close() error {
	e.close()
	return nil
}

func (duoEnd) LocalAddr() net.Addr              { return pipeAddr{} }
func (duoEnd) RemoteAddr() net.Addr             { return pipeAddr{} }
func (duoEnd) SetDeadline(time.Time) error      { return nil }
func (duoEnd) SetReadDeadline(time.Time) error  { return nil }
func (duoEnd) SetWriteDeadline(time.Time) error { return nil }

// clockCost is what reading the CPU clock takes of it.
func clockCost() time.Duration {
	const readings = 2000
	least := time.Hour
	for range 5 {
		start := cpuTime()
		for range readings {
			cpuTime()
		}
		least = min(least, (cpuTime()-start)/readings)
	}
	return least
}
