package relay

import (
	"bufio"
	"context"
	"net"
	"time"
)

// tunnel joins the client with the upstream once the protocol was changed. first is what the client gets before
// anything else; what it has sent behind its request lies in rw.
func (x *hop) tunnel(client net.Conn, rw *bufio.ReadWriter, first []byte) {
	l := x.link
	defer client.Close()
	defer l.conn.Close()
	if x.up.o.Stall > 0 {
		client.SetWriteDeadline(time.Now().Add(x.up.o.Stall))
	}
	if _, err := client.Write(first); err != nil {
		return
	}
	client.SetWriteDeadline(time.Time{})
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Reader.Peek(n)
		l.writing.within(x.up.o.Stall)
		if _, err := l.conn.Write(early); err != nil {
			return
		}
	}
	l.in.alarm.until(time.Time{})
	l.writing.until(time.Time{})
	_, n, _ := x.up.joiner.Join(context.WithoutCancel(x.r.Context()), client, l.conn, x.up.o.TunnelIdle)
	if x.front != nil {
		x.front.carried(n)
	}
}
