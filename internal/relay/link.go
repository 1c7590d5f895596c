package relay

import (
	"context"
	"net"
	"syscall"
	"time"
)

// link is one connection to an upstream.
type link struct {
	conn    net.Conn
	raw     syscall.RawConn // of the socket beneath; nil: it has none
	secure  bool            // there is TLS above it
	in      input
	writing alarm
	head    head
	reused  bool
	parked  time.Time

	peek   func(fd uintptr) // looks whether the socket has something to say
	silent bool             // what peek found
}

// dial makes a connection. That the client goes away meanwhile does not end it: to know that, the client would have to be
// watched, and the connection serves the next one as well.
func (u *Upstream) dial(ctx context.Context) (*link, error) {
	ctx = context.WithoutCancel(ctx)
	if u.o.DialTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, u.o.DialTime)
		defer cancel()
	}
	dial := u.o.Dial
	if dial == nil {
		dial = u.net.DialContext
	}
	nc, err := dial(ctx, u.network, u.addr)
	if err != nil {
		return nil, err
	}
	l := &link{conn: nc}
	if s, ok := nc.(syscall.Conn); ok {
		if l.raw, err = s.SyscallConn(); err != nil {
			l.raw = nil
		}
	}
	if u.tls != nil {
		c, err := u.tls.Upgrade(nc, u.name)
		if err == nil {
			err = c.HandshakeContext(ctx)
		}
		if err != nil {
			nc.Close()
			return nil, err
		}
		l.conn, l.secure = c, true
	}
	l.in.init(l.conn, &u.pool, largeBuffer)
	l.writing.set = l.conn.SetWriteDeadline
	l.writing.forget()
	l.peek = l.look
	return l, nil
}

// release gives back what a connection holds that carries no request.
func (l *link) release() { l.in.release() }

// quiet reports whether a connection that carries no request is as it should be: open, and silent. What a server says
// unasked would be taken for the answer to the next request.
func (l *link) quiet() bool {
	if len(l.in.buffered()) > 0 || l.in.has {
		return false
	}
	if l.raw != nil {
		if l.raw.Control(l.peek) != nil {
			return false
		}
		if !l.secure {
			return l.silent
		}
	}
	if !l.secure {
		return true // its end is found out later
	}
	// Tickets and alerts may have come, which are none of an answer; and data may lie above the socket already.
	wait := time.Unix(1, 0)
	if l.raw != nil && !l.silent {
		wait = time.Now().Add(time.Millisecond)
	}
	l.in.alarm.forget()
	l.conn.SetReadDeadline(wait)
	n, err := l.conn.Read(l.in.one[:])
	return n == 0 && err != nil && isTimeout(err)
}
