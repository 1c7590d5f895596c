package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// shownPerConnection is how many bytes of a connection `serve --echo` prints; the rest is echoed and counted.
const shownPerConnection = 4096

// shutdownPatience is how long connections may finish after SIGINT or SIGTERM.
const shutdownPatience = 5 * time.Second

// echoServer sends every byte back as it came, whatever it means: it echoes an HTTP request, too.
type echoServer struct {
	log        *serveLog
	takesEarly bool // 0-RTT data
	asksLate   bool // for certificates, after the handshake

	mu    sync.Mutex
	conns map[*tlsnet.Conn]struct{}
	wg    sync.WaitGroup
}

// serve accepts until ctx ends. Then idle connections are closed in order, and what is under way is echoed to its end.
func (s *echoServer) serve(ctx context.Context, l *tlsnet.Listener) error {
	s.conns = make(map[*tlsnet.Conn]struct{})
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	shake, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	for delay := 5 * time.Millisecond; ; {
		c, err := l.AcceptConn()
		if err == nil {
			delay = 5 * time.Millisecond
			s.wg.Go(func() { s.handle(shake, c) })
			continue
		}
		if ctx.Err() != nil {
			cancel()
			s.drain()
			return nil
		}
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) || !temporary.Temporary() {
			return err
		}
		time.Sleep(delay) // out of file descriptors: wait for some to come back
		delay = min(2*delay, time.Second)
	}
}

func (s *echoServer) track(c *tlsnet.Conn, add bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if add {
		s.conns[c] = struct{}{}
	} else {
		delete(s.conns, c)
	}
}

// drain ends the reading of all connections, so that each says close_notify, and waits for that.
func (s *echoServer) drain() {
	s.mu.Lock()
	for c := range s.conns {
		c.SetReadDeadline(time.Unix(1, 0))
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(shutdownPatience):
	}
}

func (s *echoServer) handle(ctx context.Context, c *tlsnet.Conn) {
	s.track(c, true)
	defer s.track(c, false)
	defer c.Close()
	early, err := s.shake(ctx, c)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			s.log.refused(c, err)
		}
		return
	}
	s.log.connected(c)
	if s.asksLate {
		s.log.askedLate(c, askLate(ctx, c))
	}
	n := int64(len(early))
	if n > 0 {
		s.log.receivedEarly(c, early)
		_, err = c.Write(early)
	}
	if err == nil {
		var late int64
		late, err = s.echo(c)
		n += late
	}
	if errors.Is(err, net.ErrClosed) || isTimeout(err) { // the server is shutting down
		err = nil
	}
	s.log.closed(c, n, err)
}

// shake makes the handshake, and returns the early data that came before its end. How much that can be is bounded by
// --early-data.
func (s *echoServer) shake(ctx context.Context, c *tlsnet.Conn) (early []byte, err error) {
	if !s.takesEarly {
		return nil, c.HandshakeContext(ctx)
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	buf := make([]byte, 16<<10)
	for {
		n, err := c.ReadEarly(buf)
		early = append(early, buf[:n]...)
		if err == io.EOF {
			return early, nil
		}
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return nil, err
		}
	}
}

// echo returns how many bytes came, and how it ended: nil after close_notify.
func (s *echoServer) echo(c *tlsnet.Conn) (received int64, err error) {
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if n > 0 {
			if show := min(int64(n), shownPerConnection-received); show > 0 {
				s.log.received(c, buf[:show])
			}
			received += int64(n)
			if _, werr := c.Write(buf[:n]); werr != nil {
				return received, werr
			}
		}
		if err == io.EOF {
			return received, c.CloseWrite()
		}
		if err != nil {
			return received, err
		}
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
