package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// ErrIdle says that neither side of a [Join] has said anything for too long.
var ErrIdle = errors.New("relay: neither side has said anything for too long")

// DefaultParkAfter is [Joiner].ParkAfter where it is 0.
const DefaultParkAfter = 2 * time.Second

// Joiner joins connections, and lends what they need in turn: one is enough for all of a program.
type Joiner struct {
	// ParkAfter is how long nothing must come from either side before the goroutines of a pair end: one goroutine then
	// waits for all such pairs together, and starts theirs again when something comes. 0: DefaultParkAfter; negative: never.
	// It is so between sockets on Linux; elsewhere nothing is ever parked.
	ParkAfter time.Duration

	pool buffers
	park parking
}

func (p *Joiner) parkAfter() time.Duration {
	if p.ParkAfter == 0 {
		return DefaultParkAfter
	}
	return p.ParkAfter
}

// Join is [Joiner.Join] for who joins rarely.
func Join(ctx context.Context, a, b net.Conn, idle time.Duration) (fromA, fromB int64, err error) {
	return new(Joiner).Join(ctx, a, b, idle)
}

// Join carries bytes between a and b as [Joiner.Pair] does, and waits until that is over. It is over when ctx is done, too.
func (p *Joiner) Join(ctx context.Context, a, b net.Conn, idle time.Duration) (fromA, fromB int64, err error) {
	done := make(chan struct{})
	j := p.Pair(a, b, idle, func(inA, inB int64, why error) {
		fromA, fromB, err = inA, inB, why
		close(done)
	})
	stop := context.AfterFunc(ctx, func() { j.Cut(context.Cause(ctx)) })
	defer stop()
	j.Start()
	<-done
	return fromA, fromB, err
}

// Pair joins a and b: from Start on bytes are carried between them, both ways, until both have ended, and then both are
// closed. The end of one direction is passed on as a half-close, where the other side has halves. A direction that ends in
// an error ends the other one, too, and neither end then looks like one in order. idle is how long neither may say
// anything, give or take a quarter; 0: for ever.
//
// ended is called once, at the end. fromA and fromB count the bytes that were passed on. err is nil where both ended in
// order; it is [ErrIdle], or what Cut was told, or that of a connection.
//
// While nothing comes no buffer is held, and after a while no goroutine either: see ParkAfter.
func (p *Joiner) Pair(a, b net.Conn, idle time.Duration, ended func(fromA, fromB int64, err error)) *Pair {
	j := &Pair{joiner: p, idle: idle, ended: ended, left: 2}
	j.fromA = direction{pair: j, src: a, dst: b}
	j.fromB = direction{pair: j, src: b, dst: a}
	return j
}

// direction is what one side says and the other hears.
type direction struct {
	pair     *Pair
	src, dst net.Conn
	count    atomic.Int64
	writing  atomic.Bool // something has come, and is on its way
	broken   bool        // dst took no more; of the goroutine that carries
	isOut    bool        // nothing came, and its goroutine has ended; under the pair's lock
}

// Write passes on what has come.
func (d *direction) Write(b []byte) (int, error) {
	d.writing.Store(true)
	if d.pair.asked.Load() { // the two look at each other's flag after they have set their own: one of them sees it
		d.pair.recall()
	}
	n, err := d.dst.Write(b)
	d.count.Add(int64(n))
	d.writing.Store(false)
	if err != nil {
		d.broken = true
	}
	return n, err
}

// carry copies until the source ends in order.
func (d *direction) carry() error {
	if from, ok := d.src.(*tlsnet.Conn); ok { // holds no buffer while it waits
		_, err := from.WriteTo(d)
		return err
	}
	c := carrier{direction: d, pool: &d.pair.joiner.pool}
	if s, ok := d.src.(syscall.Conn); ok && canReadLazily {
		if raw, err := s.SyscallConn(); err == nil {
			return c.lazily(raw)
		}
	}
	return c.plainly()
}

// carrier copies from a connection that is not ours.
type carrier struct {
	*direction
	pool *buffers

	buf []byte
	n   int
	err error
}

// plainly reads into a small buffer while little comes.
func (c *carrier) plainly() error {
	small := make([]byte, smallBuffer)
	for buf := small; ; {
		n, err := readOnce(c.src, buf)
		if werr := c.write(buf[:n]); werr != nil {
			return werr
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case n == len(buf) && n < bulkBuffer:
			buf = make([]byte, bulkBuffer)
		case n < len(buf)/2:
			buf = small
		}
	}
}

func (c *carrier) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := c.Write(p)
	return err
}
