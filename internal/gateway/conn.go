package gateway

import (
	"crypto/x509"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/internal/revoked"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// conn is an accepted connection: the net.Conn beneath its TLS, with what the gateway knows of it.
type conn struct {
	net.Conn
	g        *Gateway
	l        *listener
	address  netip.Addr     // that it counts for
	remote   netip.AddrPort // of the client: what the PROXY protocol says, or else of the connection
	began    time.Time
	isClosed atomic.Bool
	pair     atomic.Pointer[relay.Pair] // that it was joined in, without HTTP

	once    sync.Once // settle
	settled atomic.Pointer[settled]
	revoked atomic.Pointer[error] // why its certificate is not good any more
}

// settled is what is known of a connection once its handshake is done, or early data has come.
type settled struct {
	tls     *tlsnet.Conn
	door    *door
	key     string // of the clients that were let in when it was made
	subject access.Subject
	resumed bool
	version wire.Version
	alpn    string

	watching sync.Mutex
	checker  *revoked.Checker // that watches
	unwatch  func()           // stops it; nil: there is nothing to stop

	bySite  atomic.Pointer[judgement]
	byRoute atomic.Pointer[judgement]
	trusted atomic.Pointer[string] // the key of the clients by which its chain was last verified
}

// judgement is a decision that need not be made again while the rules are the same.
type judgement struct {
	rules    *access.Policy
	decision access.Decision
}

// connOf returns the connection beneath a TLS connection.
func connOf(tc *tlsnet.Conn) *conn {
	c, _ := tc.NetConn().(*conn)
	return c
}

// settle notes what the handshake has settled.
func (c *conn) settle(tc *tlsnet.Conn) *settled {
	c.once.Do(func() {
		f := tc.Facts()
		s := &settled{tls: tc, resumed: f.Resumed, version: f.Version, alpn: f.ALPN}
		s.door, _ = tc.Tag().(*door)
		if s.door != nil {
			cl := s.door.site.clients.Load()
			s.key = cl.key
			if p := tc.Peer(); p.Verified() {
				s.subject = access.SubjectOf(p.Chain[0])
				c.g.conns.add(c)
				c.watch(s, cl, p.Chain)
			}
		}
		c.settled.Store(s)
		c.g.metrics.connected(c, s)
	})
	return c.settled.Load()
}

// chain is the verified chain of the client; nil: it showed none.
func (s *settled) chain() []*x509.Certificate {
	if !s.subject.Present {
		return nil
	}
	return s.tls.Peer().Chain
}

// decide asks rules about the client, or remembers what they said.
func (s *settled) decide(last *atomic.Pointer[judgement], p *access.Policy) access.Decision {
	if j := last.Load(); j != nil && j.rules == p {
		return j.decision
	}
	d := p.Decide(s.subject)
	last.Store(&judgement{p, d})
	return d
}

// Close closes the connection, and stops counting it.
func (c *conn) Close() error {
	if c.isClosed.Swap(true) {
		return net.ErrClosed
	}
	if s := c.settled.Load(); s != nil && s.subject.Present {
		s.watching.Lock()
		if s.unwatch != nil {
			s.unwatch()
			s.unwatch = nil
		}
		s.watching.Unlock()
	}
	c.l.forget(c)
	err := c.Conn.Close()
	if p := c.pair.Load(); p != nil {
		p.Wake()
	}
	return err
}

// CloseWrite closes the sending half, where there are halves.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// ReadsBeneath lets tlsnet read from the connection itself, which holds no buffer while it waits: see there.
func (c *conn) ReadsBeneath() net.Conn {
	if _, has := c.Conn.(*proxied); has {
		return nil
	}
	return c.Conn
}

// Socket lets relay wait for the connection itself, without reading from it. A header of the PROXY protocol was read, and
// nothing behind it, before there is anything to wait for.
func (c *conn) Socket() net.Conn {
	if p, has := c.Conn.(*proxied); has {
		return p.Conn
	}
	return c.Conn
}

// RemoteAddr is the address of the client.
func (c *conn) RemoteAddr() net.Addr {
	if c.remote.IsValid() {
		return net.TCPAddrFromAddrPort(c.remote)
	}
	return c.Conn.RemoteAddr()
}

// who is the client's address for people.
func (c *conn) who() string {
	if c.remote.IsValid() {
		return c.remote.String()
	}
	return "a local process"
}

// registry holds the open connections with client certificates, for whom new rules matter.
type registry struct {
	mu   sync.Mutex
	open map[*conn]struct{}
}

func newRegistry() *registry { return &registry{open: make(map[*conn]struct{})} }

func (r *registry) add(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[c] = struct{}{}
}

func (r *registry) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
}

func (r *registry) all() []*conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*conn, 0, len(r.open))
	for c := range r.open {
		out = append(out, c)
	}
	return out
}
