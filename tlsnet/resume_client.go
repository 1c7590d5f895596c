package tlsnet

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// maxKeptTickets is how many tickets of one connection are kept; what a server sends beyond is dropped.
const maxKeptTickets = 8

// offered is the session that a client offers, and what came of looking at its chain again.
type offered struct {
	session *tlscore.Session
	peer    *Peer
	err     error
}

// trustDigest is a digest of what the trust in a server and the identity of the client rest on. Sessions are kept under
// it: one that was made without verification is never found by a configuration that verifies.
func trustDigest(c *Config) string {
	h := sha256.New()
	field := func(kind byte, b []byte) {
		h.Write(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(b))))
		h.Write(b)
	}
	if c.Insecure {
		field('I', nil)
	}
	if c.SystemRoots || len(c.Roots) == 0 {
		field('s', nil)
	}
	for _, sum := range digests(c.Roots) {
		field('r', []byte(sum))
	}
	for _, p := range c.Pins {
		field('P', append([]byte{byte(p.Kind)}, p.SHA256[:]...))
	}
	for _, p := range c.RawKeys {
		field('W', p.SHA256[:])
	}
	for i := range c.Core.PSKs {
		field('K', c.Core.PSKs[i].Identity)
	}
	for _, p := range c.Core.ALPN {
		field('p', []byte(p))
	}
	for _, id := range c.Identities {
		if len(id.Chain) > 0 {
			sum := sha256.Sum256(id.Chain[0])
			field('c', sum[:])
		}
	}
	if c.ChooseIdentity != nil {
		field('h', nil)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// sessionKey is the key of the sessions with a server.
func (s *settings) sessionKey(name, addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		port = addr
	}
	if name == "" { // Insecure, without a name
		name = host
	}
	return s.digest + " " + net.JoinHostPort(name, port)
}

func (c *Conn) sessionKey() string {
	addr := ""
	if a := c.nc.RemoteAddr(); a != nil {
		addr = a.String()
	}
	return c.set.sessionKey(c.name, addr)
}

// offerSession takes a session for this connection out of the store, and lets the machine offer it. The server's chain
// is verified first, as it would be in a full handshake: what does not hold any more is not offered, and nothing is sent
// early to a server that we would not accept.
func (c *Conn) offerSession(ctx context.Context) {
	if c.set.sessions == nil || c.set.noTickets {
		return
	}
	key := c.sessionKey()
	for range sessionsPerKey + 1 {
		s := c.takeSession(key)
		if s == nil {
			return
		}
		o := &offered{session: s}
		if !resumable(s, c.set.now()) || !c.judgeOffer(o) {
			c.set.sessions.Remove(key, s)
			continue
		}
		c.shake.offered = o
		c.machine.Offer(s, c.offerEarly(ctx, o)) // it is a client that has not started: no error
		return
	}
}

// takeSession returns the session that was taken for this connection, and then what the store has.
func (c *Conn) takeSession(key string) *tlscore.Session {
	if c.early != nil && c.early.session != nil {
		s := c.early.session
		c.early.session = nil
		return s
	}
	return c.set.sessions.Take(key)
}

// judgeOffer verifies the chain of a session.
func (c *Conn) judgeOffer(o *offered) bool {
	if o.session.PSKIdentity != nil {
		return true // the machine looks whether it has that key
	}
	if len(o.session.PeerChain) == 0 {
		return c.set.insecure && len(c.set.pins) == 0
	}
	if o.session.PeerType == wire.CertificateTypeRawPublicKey {
		o.peer, o.err = c.set.judgeKey(o.session.PeerChain[0])
	} else {
		o.peer, o.err = c.judge(o.session.PeerChain)
	}
	return (o.err == nil || c.set.insecure) && c.set.unpinned(o.peer) == nil
}

// resumable reports whether the time of a session has not run out: its lifetime, a week since its certificates were
// exchanged, and the life of the staple that its server's certificate demanded.
func resumable(s *tlscore.Session, now time.Time) bool {
	age := now.Sub(s.Issued)
	if age < 0 || age > s.Lifetime || now.Sub(s.Authenticated) > maxAuthenticated {
		return false
	}
	until := stapledUntil(s)
	return until.IsZero() || !now.After(until)
}

// stapledUntil is the end of the staple that a client's session rests on; zero: it needs none. It is what a client binds
// its sessions to.
func stapledUntil(s *tlscore.Session) time.Time {
	if len(s.Binding) != 8 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(s.Binding)), 0)
}

// offerEarly reports whether the early data of this connection can go along with a session. A Config.VerifyPeer is asked
// before, not only after.
func (c *Conn) offerEarly(ctx context.Context, o *offered) bool {
	s := o.session
	if c.early == nil || len(c.early.data) == 0 || uint64(len(c.early.data)) > uint64(s.MaxEarlyData) || s.Version != wire.VersionTLS13 {
		return false
	}
	if c.early.alpn != nil && *c.early.alpn != s.ALPN {
		return false
	}
	if c.set.verifyPeer == nil || o.peer == nil {
		return true
	}
	f := tlscore.Facts{Role: tlscore.RoleClient, Version: s.Version, CipherSuite: s.CipherSuite, ALPN: s.ALPN, ServerName: s.ServerName}
	restsOn(&f, s)
	return c.set.verifyPeer(ctx, *o.peer, f) == nil
}

// restsOn puts into facts what a session says about the peer.
func restsOn(f *tlscore.Facts, s *tlscore.Session) {
	f.Resumed, f.PeerChain, f.PeerType, f.PeerScheme = true, s.PeerChain, s.PeerType, s.PeerScheme
	if !s.DelegatedUntil.IsZero() {
		f.PeerDelegation = &tlscore.Delegation{Scheme: s.PeerScheme, Until: s.DelegatedUntil}
	}
}

// handshakeOver forgets a session that was offered for nothing: the server does not know it any more, or the handshake
// failed with it.
func (c *Conn) handshakeOver(err error) {
	o := c.shake.offered
	if o == nil {
		return
	}
	c.shake.offered = nil
	var te *tlscore.Error
	if err != nil && !errors.As(err, &te) {
		return // of the network
	}
	if c.rejectedName() != "" { // the server has not seen it
		c.set.sessions.Put(c.sessionKey(), o.session)
		return
	}
	if err != nil || !c.machine.Facts().Resumed {
		c.set.sessions.Remove(c.sessionKey(), o.session)
		return
	}
	c.stapled = stapledUntil(o.session)
}

// keepSession stores what a ticket brought.
func (c *Conn) keepSession(s *tlscore.Session) {
	if s == nil || c.set.sessions == nil || c.set.role != tlscore.RoleClient {
		return
	}
	f := c.machine.Facts()
	// Who chooses the identity anew for each connection must not find that of an earlier one in a session.
	if f.TicketsReceived > maxKeptTickets || c.set.choose != nil && f.OwnIdentity != nil {
		return
	}
	if !c.stapled.IsZero() {
		kept := *s
		kept.Binding = binary.BigEndian.AppendUint64(nil, uint64(c.stapled.Unix()))
		s = &kept
	}
	c.set.sessions.Put(c.sessionKey(), s)
}
