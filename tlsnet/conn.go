package tlsnet

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tlswright/tlswright/internal/ticket"
	"github.com/tlswright/tlswright/tlscore"
)

// Conn is one end of a TLS connection over a net.Conn, and a net.Conn itself. All its methods may be called
// concurrently. The handshake is made by the first call of Handshake, HandshakeContext, Read, Write or CloseWrite; if it
// fails, its error stays.
//
// Where the peer ends the stream without close_notify, Read returns io.ErrUnexpectedEOF: what came so far may have been
// cut off by somebody in the middle. After close_notify it returns io.EOF, and we may still write (RFC 8446, Section 6.1).
//
// A write that fails after bytes left, for example because its deadline passed, ends the write half: the peer cannot
// make sense of half a record. A deadline that had passed before Write was called changes nothing.
type Conn struct {
	nc      net.Conn
	raw     syscall.RawConn // of nc, to wait without a buffer; nil: it has none
	set     *settings
	pool    *buffers
	machine *tlscore.Machine
	name    string // that a client verifies
	host    *host  // shared with the connections of one listener; nil for others

	shake   handshake
	kernel  *KernelTLS // nil: nobody asked; settled at the end of the handshake
	late    *late      // nil: no certificate can be asked for after the handshake
	in      readHalf
	out     writeHalf
	ech     ECHPlan                  // client
	early   *early                   // nil: nobody asked for early data
	held    *held                    // nil: every Write is sent at once; settled before the handshake
	peer    atomic.Pointer[keptPeer] // verified
	refused atomic.Pointer[Peer]     // not verified
	stapled time.Time                // client: the end of the staple that the certificate demanded; zero: it demanded none

	closed  atomic.Bool
	writers atomic.Int32 // Write calls under way
	// failed is set once an alert of ours is on its way because of what the peer did: Close then waits until the peer
	// has had a chance to read it.
	failed atomic.Bool
	heard  atomic.Pointer[tlscore.Error] // the alert by which the peer ended the connection, after the handshake
}

// host is what the connections of one listener share.
type host struct {
	shakes  chan struct{} // one element per handshake under computation
	lingers lingers
	keys    *TicketKeys   // of connections whose configuration has none
	guard   *ticket.Guard // of early data
}

var _ net.Conn = (*Conn)(nil)

// Client makes the client end of a TLS connection over nc. Config.ServerName must be set, unless Config.Insecure is, or a
// pre-shared key insisted on, or raw public keys alone are taken. For more than a few connections use [Dialer.Upgrade],
// which checks the configuration once. The error says what is wrong with the configuration; nc is left alone then.
func Client(nc net.Conn, c *Config) (*Conn, error) {
	s, err := c.compile(tlscore.RoleClient)
	if err != nil {
		return nil, err
	}
	return s.client(nc, s.serverName)
}

// Server makes the server end of a TLS connection over nc. To serve many, use [NewListener] or [Listener.Upgrade], which
// check the configuration once. The error says what is wrong with the configuration; nc is left alone then.
func Server(nc net.Conn, c *Config) (*Conn, error) {
	if c != nil && c.TicketKeys == nil && c.ServerSessions == nil {
		without := *c
		without.Core.NoTickets = true // there is nothing that a later connection could open a ticket with
		c = &without
	}
	s, err := c.compile(tlscore.RoleServer)
	if err != nil {
		return nil, err
	}
	return s.server(nc, nil), nil
}

func (s *settings) client(nc net.Conn, name string) (*Conn, error) {
	if name == "" && !s.insecure && !s.keyed && !s.unnamed {
		return nil, errors.New("tlsnet: a client needs Config.ServerName to know whom to verify")
	}
	return &Conn{nc: nc, raw: rawConn(nc), set: s, pool: s.buffers, name: name, machine: tlscore.NewClient(s.params, s.options(name))}, nil
}

func (s *settings) server(nc net.Conn, h *host) *Conn {
	return &Conn{nc: nc, raw: rawConn(nc), set: s, pool: s.buffers, host: h, machine: tlscore.NewServer(s.params, s.options(""))}
}

// NetConn returns the connection beneath. Reading from it or writing to it breaks the TLS connection.
func (c *Conn) NetConn() net.Conn { return c.nc }

// LocalAddr returns the local address of the connection beneath.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr returns the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// SetDeadline sets the deadlines of Read and Write; see [Conn.SetWriteDeadline].
func (c *Conn) SetDeadline(t time.Time) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	c.out.setDeadline(t)
	defer c.deadlineMoved()
	return c.nc.SetDeadline(t)
}

// SetReadDeadline sets when Read gives up. A Read that timed out may be repeated: nothing is lost. During the handshake
// a deadline that passes is final.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	return c.nc.SetReadDeadline(t)
}

// SetWriteDeadline sets when Write gives up. A Write that timed out after it had begun to send is final.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	c.out.setDeadline(t)
	defer c.deadlineMoved()
	return c.nc.SetWriteDeadline(t)
}

// Facts returns what the connection has settled so far. During a handshake it waits for the end of it, and while early
// data comes it returns what was settled before that.
func (c *Conn) Facts() tlscore.Facts {
	if !c.shake.done.Load() && !c.shake.early.Load() {
		c.shake.mu.Lock()
		defer c.shake.mu.Unlock()
	}
	if c.inEarly() {
		return c.early.facts
	}
	return c.machine.Facts()
}

// Peer returns who the peer is. It is filled in during the handshake, and stays readable after a handshake that
// refused the peer; zero means that the peer showed no certificate.
func (c *Conn) Peer() Peer {
	if k := c.peer.Load(); k != nil {
		p := k.parsed.Value()
		if p == nil {
			p, k = k.again()
			c.peer.Store(k)
		}
		return *p
	}
	if p := c.refused.Load(); p != nil {
		return *p
	}
	return Peer{}
}

// Export returns n bytes of keying material bound to this connection (RFC 8446, Section 7.5), once the handshake is done
// and until Close.
func (c *Conn) Export(label string, context []byte, n int) ([]byte, error) {
	if !c.shake.done.Load() {
		return nil, errors.New("tlsnet: no keying material before the handshake is done")
	}
	c.shake.mu.Lock() // Close wipes the secrets
	defer c.shake.mu.Unlock()
	return c.machine.Export(label, context, n)
}
