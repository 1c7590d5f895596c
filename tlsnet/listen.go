package tlsnet

import (
	"net"
	"sync/atomic"

	"github.com/tlswright/tlswright/tlscore"
)

// Listener accepts TLS connections. Accept returns as soon as a connection is there: the handshake is made by the
// connection's HandshakeContext, or by its first Read or Write, so that a slow peer keeps nobody else waiting.
type Listener struct {
	nl   net.Listener
	set  atomic.Pointer[settings]
	host *host
}

var _ net.Listener = (*Listener)(nil)

// Listen listens on a local address, as net.Listen takes it, with a server's configuration.
func Listen(network, addr string, c *Config) (*Listener, error) {
	s, err := c.compile(tlscore.RoleServer)
	if err != nil {
		return nil, err
	}
	nl, err := net.Listen(network, addr)
	if err != nil {
		return nil, err
	}
	return newListener(nl, s), nil
}

// NewListener accepts TLS connections over those of nl, with a server's configuration. The error says what is wrong
// with the configuration; nl is left alone then.
func NewListener(nl net.Listener, c *Config) (*Listener, error) {
	s, err := c.compile(tlscore.RoleServer)
	if err != nil {
		return nil, err
	}
	return newListener(nl, s), nil
}

func newListener(nl net.Listener, s *settings) *Listener {
	l := &Listener{nl: nl, host: newHost(s)}
	l.set.Store(s)
	return l
}

// Accept returns the next connection, a *[Conn].
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err // not c: a nil *Conn in a net.Conn is not nil
	}
	return c, nil
}

// AcceptConn is Accept with the type that it has.
func (l *Listener) AcceptConn() (*Conn, error) {
	nc, err := l.nl.Accept()
	if err != nil {
		return nil, err
	}
	return l.Upgrade(nc), nil
}

// Upgrade makes the server end of a TLS connection over nc, which was accepted elsewhere, for example after STARTTLS. It
// is then one of this listener's connections.
func (l *Listener) Upgrade(nc net.Conn) *Conn { return l.set.Load().server(nc, l.host) }

// SetConfig gives the connections accepted from now on another configuration, for example a renewed certificate. Those
// that exist keep theirs, and Config.MaxHandshakes stays as it was. On error nothing changes.
func (l *Listener) SetConfig(c *Config) error {
	s, err := c.compile(tlscore.RoleServer)
	if err != nil {
		return err
	}
	l.set.Store(s)
	return nil
}

// Close stops listening. Connections that were accepted live on.
func (l *Listener) Close() error { return l.nl.Close() }

// Addr returns the address that is listened on.
func (l *Listener) Addr() net.Addr { return l.nl.Addr() }
