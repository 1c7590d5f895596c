package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/pki"
)

// proxyTime is how long a trusted peer may take for its PROXY header.
const proxyTime = 5 * time.Second

// proxied is a connection from a peer that says who the client is, before anything else: with the first Read the header
// is taken off, and from then on the connection counts for that client.
type proxied struct {
	net.Conn
	owner *conn
	limit int // connections of one client

	once sync.Once
	err  error
}

// Read implements net.Conn.
func (p *proxied) Read(b []byte) (int, error) {
	if p.once.Do(p.begin); p.err != nil {
		return 0, p.err
	}
	return p.Conn.Read(b)
}

// begin reads the header. What a peer that is trusted says wrong is told: it is a mistake in somebody's configuration.
func (p *proxied) begin() {
	_ = p.SetReadDeadline(time.Now().Add(proxyTime))
	h, err := relay.ReadProxy(p.Conn)
	c := p.owner
	if err != nil {
		p.err = fmt.Errorf("the PROXY header: %w", err)
		c.g.warn("", fmt.Sprintf("listener %s: %s is trusted to speak the PROXY protocol, and does not: %s", c.l.name, c.who(), pki.Printable(err.Error())))
		return
	}
	_ = p.SetReadDeadline(time.Time{})
	if h.Local || !h.Source.IsValid() {
		return
	}
	if c.recount(h.Source, p.limit) != "" {
		p.err = errors.New("the client has too many connections")
	}
}

// recount counts a connection for another address than the one that it came from. A conn is used by one goroutine until
// its handshake is done.
func (c *conn) recount(client netip.AddrPort, limit int) string {
	over := c.g.limits.move(c.address, client.Addr(), limit)
	if over != "" {
		c.g.metrics.limited.WithLabelValues(c.l.name, over).Inc()
		c.remote = client
		c.g.limited(c.l, c, over)
		return over
	}
	c.address, c.remote = client.Addr(), client
	return ""
}

// CloseWrite closes the sending half, where there are halves.
func (p *proxied) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
