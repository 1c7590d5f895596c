package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// ErrIdle says that neither side of a [Join] has said anything for too long.
var ErrIdle = errors.New("relay: neither side has said anything for too long")

// Joiner joins connections, and lends the buffers that they need in turn: one is enough for all of a program.
type Joiner struct{ pool buffers }

// Join is [Joiner.Join] for who joins rarely.
func Join(ctx context.Context, a, b net.Conn, idle time.Duration) (fromA, fromB int64, err error) {
	return new(Joiner).Join(ctx, a, b, idle)
}

// Join carries bytes between a and b, both ways, until both have ended or ctx is done, and closes both. The end of one
// direction is passed on as a half-close, where the other side has halves. A direction that ends in an error ends the
// other one, too, and neither end then looks like one in order. idle is how long neither may say anything, give or take a
// quarter; 0: for ever. fromA and fromB count the bytes that were passed on. err is nil where both ended in order; it is
// [ErrIdle], or that of ctx, or of a connection.
//
// While nothing comes no buffer is held, and two goroutines wait, one of which is the caller's: a caller whose stack has
// grown calls from a fresh one.
func (p *Joiner) Join(ctx context.Context, a, b net.Conn, idle time.Duration) (fromA, fromB int64, err error) {
	j := &join{a: a, b: b, pool: &p.pool}
	stop := context.AfterFunc(ctx, func() { j.fail(context.Cause(ctx)) })
	defer stop()
	if idle > 0 {
		j.watch(idle)
		defer j.unwatch()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		j.run(a, b, &j.fromB)
	}()
	j.run(b, a, &j.fromA)
	<-done
	j.close()
	return j.fromA.Load(), j.fromB.Load(), j.err
}

// join is two connections.
type join struct {
	a, b         net.Conn
	pool         *buffers
	fromA, fromB atomic.Int64

	mu    sync.Mutex
	ends  int   // directions that have ended in order
	over  bool  // both connections are closed
	err   error // why
	timer *time.Timer
}

// run carries one direction to its end.
func (j *join) run(dst, src net.Conn, count *atomic.Int64) {
	if err := j.carry(dst, src, count); err != nil {
		j.fail(err)
		return
	}
	j.mu.Lock()
	j.ends++
	last := j.ends == 2
	j.mu.Unlock()
	if last {
		return // Join closes, which says it at once
	}
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		half.CloseWrite() // where it fails, so does the other direction
	}
}

// fail ends both directions.
func (j *join) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.over {
		return
	}
	j.over, j.err = true, err
	abort(j.a)
	abort(j.b)
}

// close closes both connections in order.
func (j *join) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.over {
		j.over = true
		j.a.Close()
		j.b.Close()
	}
}

// watch ends the directions when nothing was carried for idle.
func (j *join) watch(idle time.Duration) {
	step := max(idle/4, time.Millisecond)
	var seen int64
	var still time.Duration
	j.mu.Lock()
	defer j.mu.Unlock()
	j.timer = time.AfterFunc(step, func() {
		now := j.fromA.Load() + j.fromB.Load()
		if still += step; now != seen {
			seen, still = now, 0
		}
		if still >= idle {
			j.fail(ErrIdle)
			return
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		if !j.over {
			j.timer.Reset(step)
		}
	})
}

func (j *join) unwatch() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.timer.Stop()
}

// carry copies from src to dst until src ends in order.
func (j *join) carry(dst, src net.Conn, count *atomic.Int64) error {
	if from, ok := src.(*tlsnet.Conn); ok { // holds no buffer while it waits
		_, err := from.WriteTo(counted{dst, count})
		return err
	}
	c := carrier{dst: dst, src: src, count: count, pool: j.pool}
	if s, ok := src.(syscall.Conn); ok && canReadLazily {
		if raw, err := s.SyscallConn(); err == nil {
			return c.lazily(raw)
		}
	}
	return c.plainly()
}

// counted counts what is written.
type counted struct {
	dst   net.Conn
	count *atomic.Int64
}

// Write implements io.Writer.
func (c counted) Write(p []byte) (int, error) {
	n, err := c.dst.Write(p)
	c.count.Add(int64(n))
	return n, err
}

// carrier copies from a connection that is not ours.
type carrier struct {
	dst, src net.Conn
	count    *atomic.Int64
	pool     *buffers

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
	n, err := c.dst.Write(p)
	c.count.Add(int64(n))
	return err
}
