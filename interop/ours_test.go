package interop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// asks is what one end of a case is told to do; the same for our end and for a peer's.
type asks struct {
	versions      []wire.Version     // in ascending order; nil: all of ours, and of a peer TLS 1.3 alone
	suites        []wire.CipherSuite // nil: the end's own defaults
	groups        []wire.Group       // in order of preference; nil: the end's own defaults
	shares        []wire.Group       // our client alone: shares sent first
	cookie        bool               // our server alone: HelloRetryRequest with a cookie, always
	alpn          []string
	short         bool                   // move 66 KB each way instead of 1 MB; a peer alone
	patient       bool                   // a peer alone: it sends its second half when it has all of ours
	identity      *identity              // what it presents; nil: a client without a certificate
	requireClient bool                   // a server that refuses clients without a certificate of ours
	updateKeys    bool                   // our end alone: KeyUpdate in the middle of what it sends, and the peer is asked for the same
	observer      tlscore.Observer       // of our end
	name          string                 // a client: the DNS name to ask for and to verify; empty: 127.0.0.1, which is in no SNI
	ocsp, sct     *staple                // a server sends them; a client expects them
	early         bool                   // a server that takes early data
	byID          bool                   // TLS 1.2 sessions are resumed by their ids
	forgets       bool                   // our server alone: it knows no session again
	sessions      tlsnet.SessionStore    // our client alone
	cache         tls.ClientSessionCache // crypto/tls alone
	twice         bool                   // curl alone: two connections
	theirKind     keyKind                // NSS alone: the server's certificate, as far as it is known
	resent        bool                   // our server alone: early data that it rejects is sent again
	muteFirst     bool                   // our server alone: mute with its first connection
	mute          bool                   // our server alone: it sends nothing, and reads to the end
	chatty        bool                   // a peer's server alone: it takes commands, and passes no payload
	extra         []string               // a peer alone: further arguments, in its own language
	priority      []string               // GnuTLS alone: further words of its priority string
}

// config is asks for our end.
func (a asks) config(p *pki, role tlscore.Role) *tlsnet.Config {
	c := a.plainConfig(p, role)
	if p.recorded != nil {
		p.recorded.watch(c, role)
	}
	return c
}

func (a asks) plainConfig(p *pki, role tlscore.Role) *tlsnet.Config {
	c := &tlsnet.Config{HandshakeTimeout: caseTimeout}
	c.Core.CipherSuites, c.Core.Groups, c.Core.KeyShares, c.Core.ALPN = a.suites, a.groups, a.shares, a.alpn
	if a.versions != nil {
		c.Core.MinVersion, c.Core.MaxVersion = a.versions[0], a.newest()
	}
	if a.observer != nil {
		c.Observer = func() tlscore.Observer { return a.observer }
	}
	if a.identity != nil {
		c.Identities = []tlsnet.Identity{{Chain: a.identity.chain, Key: a.identity.key}}
		if a.ocsp != nil {
			c.Identities[0].Staple = a.ocsp.der
		}
		if a.sct != nil {
			c.Identities[0].SCTs = a.sct.scts
		}
	}
	if role == tlscore.RoleClient {
		c.Roots = []*x509.Certificate{p.root}
		c.ServerName = a.name
		c.Sessions = a.sessions
		return c
	}
	c.Core.RetryAlways = a.cookie
	if a.early {
		c.Core.MaxEarlyData = maxEarly
	}
	if a.forgets {
		c.ServerSessions = forgetful{}
	}
	if a.byID {
		c.ServerSessions = tlsnet.NewMemoryServerSessions(0)
	}
	if a.requireClient {
		c.Core.ClientAuth = tlscore.RequireClientCert
		c.ClientRoots = []*x509.Certificate{p.root}
	}
	return c
}

// oldest and newest are what a peer is limited to.
func (a asks) oldest() wire.Version {
	if a.versions == nil {
		return wire.VersionTLS13
	}
	return a.versions[0]
}

func (a asks) newest() wire.Version {
	if a.versions == nil {
		return wire.VersionTLS13
	}
	return a.versions[len(a.versions)-1]
}

// up, down and text are the payloads of a case.
func (a asks) up() payload   { return upPayload().cut(a.short) }
func (a asks) down() payload { return downPayload().cut(a.short) }
func (a asks) text() payload { return textPayload().cut(a.short) }

// pumper is how a peer told so moves its bytes.
func (a asks) pumper() pumper {
	if a.patient {
		return patiently
	}
	return pump
}

// dial connects our client to a peer's server.
func (a asks) dial(ctx context.Context, p *pki, addr string) (*tlsnet.Conn, error) {
	return tlsnet.Dial(ctx, "tcp", addr, a.config(p, tlscore.RoleClient))
}

// served is what our server has to say of its one connection.
type served struct {
	facts tlscore.Facts
	err   error
	early string // early data that it read
}

// serveOne runs our server for one connection: handshake, then payloads both ways, then close_notify and everything
// that the client still says. The result arrives in the channel.
func (a asks) serveOne(ctx context.Context, p *pki, inHTTP bool) (addr string, result <-chan served, err error) {
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", a.config(p, tlscore.RoleServer))
	if err != nil {
		return "", nil, err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	ch := make(chan served, 1)
	go func() {
		defer l.Close()
		var s served
		if inHTTP {
			s.facts, s.err = a.serveHTTPOnce(ctx, l)
		} else {
			s.facts, s.err = a.serveConn(ctx, l)
		}
		ch <- s
	}()
	return l.Addr().String(), ch, nil
}

func (a asks) serveConn(ctx context.Context, l *tlsnet.Listener) (tlscore.Facts, error) {
	nc, err := l.Accept()
	if err != nil {
		return tlscore.Facts{}, err
	}
	c := nc.(*tlsnet.Conn)
	defer c.Close()
	err = a.serveOnce(ctx, c)
	return c.Facts(), err
}

func (a asks) serveOnce(ctx context.Context, c *tlsnet.Conn) error {
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if err := c.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	if a.mute {
		_, err := io.Copy(io.Discard, c)
		return err
	}
	var rw io.ReadWriter = c
	if a.updateKeys {
		rw = &updating{Conn: c, keys: c}
	}
	if err := pump(rw, a.down(), a.up(), "client to us"); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	rest, err := io.Copy(io.Discard, c)
	if rest != 0 {
		err = errors.Join(err, fmt.Errorf("%d bytes more than were sent", rest))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // gnutls-cli answers close_notify by closing; all it had to say has arrived
	}
	return err
}

// verdict compares what was negotiated with what a case wanted. Zero values and nil lists want nothing in particular.
type verdict struct {
	version wire.Version // zero: what the peer is limited to
	suite   wire.CipherSuite
	group   wire.Group
	peer    []wire.SignatureScheme // of the peer's signature
	own     []wire.SignatureScheme // of ours
	alpn    string
	retried bool
	name    string // server_name as our server saw it
	noEMS   bool   // TLS 1.2 without extended master secret
	// sentinel is what the ServerHello says of the versions of the server (RFC 8446, Section 4.1.3).
	sentinel sentinel
}

// sentinel is how the random of a ServerHello ends.
type sentinel string

const (
	anySentinel sentinel = ""
	noSentinel  sentinel = "none"
	sentinel12  sentinel = "DOWNGRD\x01"
)

func (s sentinel) check(random [32]byte) error {
	end := sentinel(random[24:])
	if end[:7] != sentinel12[:7] {
		end = noSentinel
	}
	if s != anySentinel && s != end {
		return fmt.Errorf("the downgrade sentinel is %q, not %q", end, s)
	}
	return nil
}

func (v verdict) check(f tlscore.Facts) error {
	switch {
	case !f.HandshakeComplete:
		return fmt.Errorf("the handshake is not complete")
	case f.Version != v.version:
		return fmt.Errorf("negotiated %v, not %v", f.Version, v.version)
	case v.version == wire.VersionTLS12 && f.ExtendedMasterSecret == v.noEMS:
		return fmt.Errorf("extended master secret: %v", f.ExtendedMasterSecret)
	case v.version == wire.VersionTLS12 && !f.SecureRenegotiation:
		return fmt.Errorf("the peer does not indicate secure renegotiation")
	case v.suite != 0 && f.CipherSuite != v.suite:
		return fmt.Errorf("negotiated %v, not %v", f.CipherSuite, v.suite)
	case v.group != 0 && f.Group != v.group:
		return fmt.Errorf("negotiated %v, not %v", f.Group, v.group)
	case v.peer != nil && !slices.Contains(v.peer, f.PeerScheme):
		return fmt.Errorf("the peer signed with %v, not one of %v", f.PeerScheme, v.peer)
	case v.own != nil && !slices.Contains(v.own, f.OwnScheme):
		return fmt.Errorf("we signed with %v, not one of %v", f.OwnScheme, v.own)
	case f.ALPN != v.alpn:
		return fmt.Errorf("negotiated protocol %q, not %q", f.ALPN, v.alpn)
	case f.HelloRetried != v.retried:
		return fmt.Errorf("HelloRetryRequest: %v, not %v", f.HelloRetried, v.retried)
	case f.Role == tlscore.RoleServer && f.ServerName != v.name:
		return fmt.Errorf("server_name %q, not %q", f.ServerName, v.name)
	}
	return v.sentinel.check(f.ServerRandom)
}

// updating changes the keys once half of a payload is sent, and asks the peer to change its own
// (RFC 8446, Section 4.6.3). It is for one writer.
type updating struct {
	net.Conn // the interface, so that all that is sent passes through Write
	keys     interface{ KeyUpdate(ask bool) error }
	sent     int
}

func (u *updating) Write(b []byte) (int, error) {
	first := b
	if before := payloadSize/2 - u.sent; 0 <= before && before < len(b) {
		first = b[:before]
	}
	n, err := u.Conn.Write(first)
	u.sent += n
	if err != nil || n == len(b) {
		return n, err
	}
	if err := u.keys.KeyUpdate(true); err != nil {
		return n, err
	}
	m, err := u.Conn.Write(b[n:])
	u.sent += m
	return n + m, err
}

// keyUpdates counts the changes of keys after the handshake.
type keyUpdates struct{ sent, received atomic.Int32 }

func (k *keyUpdates) Observe(o tlscore.Observation) {
	switch c, ok := o.(tlscore.KeyChanged); {
	case !ok || !c.Update:
	case c.Direction == tlscore.Sent:
		k.sent.Add(1)
	default:
		k.received.Add(1)
	}
}

func (k *keyUpdates) check() error {
	if sent, received := k.sent.Load(), k.received.Load(); sent == 0 || received == 0 {
		return fmt.Errorf("%d key updates were sent and %d received", sent, received)
	}
	return nil
}
