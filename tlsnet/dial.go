package tlsnet

import (
	"context"
	"net"

	"github.com/tlswright/tlswright/tlscore"
)

// Dialer makes client connections with one configuration, which is checked once. It may be used concurrently.
type Dialer struct {
	set *settings
	// Net makes the connections beneath. [NewDialer] bounds name look-up and connecting by 30 seconds. IPv6 and IPv4 are
	// tried side by side (RFC 6555).
	Net net.Dialer
	// Connect, if set, makes the connections beneath in the place of Net, for example through a proxy.
	Connect func(ctx context.Context, network, addr string) (net.Conn, error)
}

// NewDialer checks the configuration.
func NewDialer(c *Config) (*Dialer, error) {
	s, err := c.compile(tlscore.RoleClient)
	if err != nil {
		return nil, err
	}
	if s.sessions == nil {
		s.sessions = NewMemorySessions(0)
	}
	return &Dialer{set: s, Net: net.Dialer{Timeout: DefaultConnectTimeout}}, nil
}

// Dial connects to addr, as net.Dial takes it, and makes the handshake. Without Config.ServerName the host of addr is
// verified. The error is a *[DialError], or says what is wrong with the configuration.
func Dial(ctx context.Context, network, addr string, c *Config) (*Conn, error) {
	d, err := NewDialer(c)
	if err != nil {
		return nil, err
	}
	return d.Dial(ctx, network, addr)
}

// Upgrade makes the client end of a TLS connection over nc, for example after STARTTLS or through a proxy, without a
// handshake yet. Without Config.ServerName host is verified, a DNS name or an IP address.
func (d *Dialer) Upgrade(nc net.Conn, host string) (*Conn, error) {
	if d.set.serverName != "" {
		host = d.set.serverName
	}
	return d.set.client(nc, host)
}

// Dial connects to addr, as net.Dial takes it, and makes the handshake. Without Config.ServerName the host of addr is
// verified. The error is a *[DialError].
func (d *Dialer) Dial(ctx context.Context, network, addr string) (*Conn, error) {
	return d.dial(ctx, network, addr, func(*Conn) error { return nil })
}

// dial connects, prepares the connection, and makes the handshake.
func (d *Dialer) dial(ctx context.Context, network, addr string, prepare func(*Conn) error) (*Conn, error) {
	var plan *ECHPlan
	for {
		c, err := d.connect(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c.FollowECH(plan)
		if err := prepare(c); err != nil {
			c.Close()
			return nil, err
		}
		if err = c.handshakeOf(ctx, addr); err == nil {
			return c, nil
		}
		plan = c.NextECH(err)
		c.Close()
		if plan == nil {
			return nil, err
		}
	}
}

// handshakeOf makes the handshake of a connection that was dialed.
func (c *Conn) handshakeOf(ctx context.Context, addr string) error {
	if err := c.HandshakeContext(ctx); err != nil {
		return &DialError{Failure: handshakeFailure(ctx, err), Address: addr, Peer: c.Peer(), Handshake: true, ECH: c.Facts().ECH, Err: err}
	}
	return nil
}

// connect makes the connection beneath.
func (d *Dialer) connect(ctx context.Context, network, addr string) (*Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil && d.set.serverName == "" && !d.set.insecure {
		return nil, &DialError{Failure: FailureNetwork, Address: addr, Err: err}
	}
	nc, err := d.beneath(ctx, network, addr)
	if err != nil {
		return nil, &DialError{Failure: connectFailure(ctx, err), Address: addr, Err: err}
	}
	c, err := d.Upgrade(nc, host)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// beneath makes the connection that TLS is spoken over.
func (d *Dialer) beneath(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.Connect != nil {
		return d.Connect(ctx, network, addr)
	}
	return d.Net.DialContext(ctx, network, addr)
}
