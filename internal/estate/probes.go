package estate

import (
	"context"
	"net"
	"sync"
	"time"
)

// probes are the connections by which the monitor of an estate looks at what the estate serves. It tries what servers ought to
// refuse, too, and that is nobody's business but its own.
type probes struct {
	mu   sync.Mutex
	open map[string]time.Time // by our address; when it was closed, or zero
}

// staysKnown is how long a connection that was closed is known: the server may learn of it later.
const staysKnown = 5 * time.Second

// dial connects, and remembers from where.
func (p *probes) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	at, now := c.LocalAddr().String(), time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = make(map[string]time.Time)
	}
	for old, closed := range p.open {
		if !closed.IsZero() && now.Sub(closed) > staysKnown {
			delete(p.open, old)
		}
	}
	p.open[at] = time.Time{}
	return &probe{Conn: c, all: p, at: at}, nil
}

// has reports whether an address is that of a probe.
func (p *probes) has(address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	closed, ok := p.open[address]
	return ok && (closed.IsZero() || time.Since(closed) <= staysKnown)
}

// probe is one such connection.
type probe struct {
	net.Conn
	all *probes
	at  string
}

// Close implements net.Conn.
func (c *probe) Close() error {
	err := c.Conn.Close()
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if closed, ok := c.all.open[c.at]; ok && closed.IsZero() {
		c.all.open[c.at] = time.Now()
	}
	return err
}

// CloseWrite closes one direction, where the connection can.
func (c *probe) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
