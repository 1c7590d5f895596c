package tlsnet

import (
	"net"
	"sync"
)

// connQueue is the listener that an http.Server accepts from: connections whose handshake is done are put in.
type connQueue struct {
	addr  net.Addr
	conns chan *Conn
	done  chan struct{}
	once  sync.Once
}

func newConnQueue(addr net.Addr) *connQueue {
	return &connQueue{addr: addr, conns: make(chan *Conn), done: make(chan struct{})}
}

// put hands c to the server. It reports false, and leaves c to the caller, if the server does not accept any more.
func (q *connQueue) put(c *Conn) bool {
	select {
	case <-q.done: // takes precedence
		return false
	default:
	}
	select {
	case q.conns <- c:
		return true
	case <-q.done:
		return false
	}
}

// Accept returns the next connection, a *Conn.
func (q *connQueue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and put.
func (q *connQueue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

// Addr returns the address of the listener behind.
func (q *connQueue) Addr() net.Addr { return q.addr }
