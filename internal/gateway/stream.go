package gateway

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// serveStream serves a TLS connection that carries something else than HTTP.
func (l *listener) serveStream(ctx context.Context, tc *tlsnet.Conn) {
	c := connOf(tc)
	if err := tc.HandshakeContext(ctx); err != nil {
		l.handshakeFailed(tc, err)
		_ = tc.Close()
		return
	}
	s := c.settle(tc)
	if s.door == nil { // a validation by tls-alpn-01, which wanted no more than the handshake
		_ = tc.CloseWrite()
		_ = tc.Close()
		return
	}
	if why := c.revoked.Load(); why != nil {
		d := l.g.denyRevoked(&request{g: l.g, l: l, c: c, s: s, door: s.door}, *why)
		l.g.deny(d)
		_ = tc.Close()
		return
	}
	l.join(ctx, c, tc, s.door, s)
}

// join hands a connection on to the target of a site. It returns once the target has been reached: what follows needs no
// goroutine while nothing comes.
func (l *listener) join(ctx context.Context, c *conn, nc net.Conn, d *door, s *settled) {
	// The end of the listener is not the end of its connections: they may finish, and are cut off when patience ends.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cutBy(c, cancel)
	idle := orDefault(l.settings.Load().limits.Idle, DefaultStreamIdle)
	if d.site.target.echo {
		l.running.Go(func() { // the stack of the caller's has grown in the handshake, and would be held while nothing comes
			defer l.streamOver(c)
			defer cancel()
			in, err := echo(ctx, nc, idle)
			l.g.streamEnded(c, d, s, in, in, err)
		})
		return
	}
	defer cancel()
	up, err := d.site.target.up.dial(ctx)
	if err == nil {
		err = l.introduce(up, c, d, s)
	}
	if err != nil {
		defer l.streamOver(c)
		l.g.metrics.upstreamErrors.WithLabelValues(d.site.name).Inc()
		l.g.warn(d.site.name, "the target "+d.site.target.up.address+" does not answer: "+pki.Printable(err.Error()))
		_ = nc.Close()
		if up != nil {
			_ = up.Close()
		}
		l.g.streamEnded(c, d, s, 0, 0, err)
		return
	}
	l.running.Add(1)
	pair := l.g.joiner.Pair(nc, up, idle, func(in, out int64, err error) {
		defer l.running.Done()
		defer l.streamOver(c)
		l.g.streamEnded(c, d, s, in, out, err)
	})
	c.pair.Store(pair)
	l.cutBy(c, func() { pair.Cut(context.Canceled) })
	if ctx.Err() != nil { // patience ended while the target was asked
		pair.Cut(context.Canceled)
	}
	pair.Start()
}

// cutBy notes what ends a connection that is not HTTP.
func (l *listener) cutBy(c *conn, cut func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams[c] = cut
}

// streamOver forgets it.
func (l *listener) streamOver(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, c)
}

// cutStreams ends all of them.
func (l *listener) cutStreams() {
	l.mu.Lock()
	cuts := slices.Collect(maps.Values(l.streams))
	l.mu.Unlock()
	for _, cut := range cuts {
		cut()
	}
}

// echo sends everything back until the client ends.
func echo(ctx context.Context, c net.Conn, idle time.Duration) (n int64, err error) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer func() { _ = c.Close() }()
	buf := make([]byte, 16<<10)
	for {
		if idle > 0 {
			_ = c.SetDeadline(time.Now().Add(idle))
		}
		k, err := c.Read(buf)
		if k > 0 {
			n += int64(k)
			if _, err := c.Write(buf[:k]); err != nil {
				return n, err
			}
		}
		if errors.Is(err, io.EOF) {
			if half, ok := c.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
