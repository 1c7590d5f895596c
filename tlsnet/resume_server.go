package tlsnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/ticket"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// DefaultTickets is how many tickets a server sends after a full TLS 1.3 handshake: one that the client can spend, and
// one for a connection beside. A resumed connection gets one, for the one that it spent.
const DefaultTickets = 2

const (
	maxTickets     = 16       // that Config.Tickets may ask for
	maxTicketChain = 8 << 10  // bytes of a client's certificates in a ticket, which comes back in a ClientHello
	maxStoredChain = 24 << 10 // bytes of them in a session that is kept
	sessionNameLen = 32       // bytes of the name of such a session
	// maxAuthenticated is how long after the certificates were exchanged a chain of resumptions may go on.
	maxAuthenticated = tlscore.MaxTicketLifetime
)

// issuer is how a server hands out sessions and takes them back.
type issuer struct {
	keys     *TicketKeys    // nil: the listener's
	store    ServerSessions // nil: sessions travel in tickets
	count    int            // after a full handshake
	lifetime time.Duration
	policy   [32]byte
}

// newIssuer checks what a server's configuration says about sessions.
func newIssuer(c *Config) issuer {
	i := issuer{keys: c.TicketKeys, store: c.ServerSessions, count: c.Tickets, lifetime: c.TicketLifetime, policy: policyOf(c)}
	if i.count == 0 {
		i.count = DefaultTickets
	}
	i.count = max(0, min(i.count, maxTickets))
	if i.lifetime <= 0 {
		i.lifetime = DefaultTicketLifetime
	}
	i.lifetime = min(i.lifetime, tlscore.MaxTicketLifetime)
	return i
}

// policyOf is a digest of what a full handshake under a configuration demands and promises: which names it serves, and
// which clients it admits. A session is resumed only where this is the same, so that resumption never widens what a full
// handshake would allow, wherever else the same keys are used.
func policyOf(c *Config) [32]byte {
	h := sha256.New()
	field := func(kind byte, b []byte) {
		h.Write(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(b))))
		h.Write(b)
	}
	var names []string
	for _, id := range c.Identities {
		names = append(names, namesOf(id)...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		field('n', []byte(name))
	}
	field('a', []byte{byte(c.Core.ClientAuth)})
	if c.Insecure {
		field('i', nil)
	}
	for _, sum := range digests(c.ClientRoots) {
		field('r', []byte(sum))
	}
	for _, p := range c.RawKeys {
		field('W', p.SHA256[:])
	}
	if c.SessionPolicy != "" {
		field('s', []byte(c.SessionPolicy))
	}
	return [32]byte(h.Sum(nil))
}

// namesOf lists the names that an identity serves, for comparison only.
func namesOf(id Identity) []string {
	names := id.Names
	if len(names) == 0 && len(id.Chain) > 0 {
		if leaf, err := cert.ParseX509(id.Chain[0]); err == nil {
			names = slices.Clone(leaf.DNSNames)
			for _, ip := range leaf.IPAddresses {
				names = append(names, ip.String())
			}
		}
	}
	lower := make([]string, len(names))
	for i, name := range names {
		lower[i] = strings.ToLower(name)
	}
	return lower
}

// digests returns one for each certificate, in an order that is theirs.
func digests(certs []*x509.Certificate) []string {
	var out []string
	for _, c := range certs {
		sum := sha256.Sum256(c.Raw)
		out = append(out, string(sum[:]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// context is what a session of this server is bound to.
func (i *issuer) context(serverName, alpn string) []byte {
	b := append([]byte("tlswright session"), i.policy[:]...)
	for _, s := range []string{serverName, alpn} {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// ticketKeys returns the keys of this connection's tickets; nil: it issues and takes none.
func (c *Conn) ticketKeys() *TicketKeys {
	if c.set.issuer.keys == nil && c.host != nil {
		return c.host.keys
	}
	return c.set.issuer.keys
}

// hasSessions reports whether this server resumes sessions at all.
func (c *Conn) hasSessions() bool {
	return !c.set.noTickets && (c.set.issuer.store != nil || c.ticketKeys() != nil)
}

// findSession answers which session a client's tickets, or its session id, stand for. Ids are known to a store only.
func (c *Conn) findSession(ctx context.Context, q *tlscore.Question) tlscore.Found {
	if !c.hasSessions() || q.ByID && c.set.issuer.store == nil {
		return tlscore.Found{}
	}
	now := c.set.now()
	for i, name := range q.Tickets {
		s := c.openTicket(now, name, q.ServerName, q.ALPN)
		if s == nil || now.Sub(s.Authenticated) > maxAuthenticated || q.ByID != (len(s.SessionID) > 0) {
			continue
		}
		if psk, ok := c.stillKeyed(ctx, s); ok {
			return tlscore.Found{Index: i, Session: s, PSK: psk}
		}
	}
	return tlscore.Found{}
}

// openTicket returns the session of one ticket, or nil.
func (c *Conn) openTicket(now time.Time, name []byte, serverName, alpn string) *tlscore.Session {
	bound := c.set.issuer.context(serverName, alpn)
	store := c.set.issuer.store
	if store == nil {
		state, ok := c.ticketKeys().ring.Open(now, name, bound)
		if !ok {
			return nil
		}
		s, err := tlscore.ParseSession(state)
		if err != nil {
			return nil
		}
		return s
	}
	if len(name) != sessionNameLen {
		return nil
	}
	state, ok := store.Take(now, name)
	if !ok || len(state) < len(bound) || string(state[:len(bound)]) != string(bound) {
		return nil
	}
	s, err := tlscore.ParseSession(state[len(bound):])
	if err != nil {
		return nil
	}
	if s.Version == wire.VersionTLS12 && store.Put(name, state, s.Issued.Add(s.Lifetime)) != nil {
		return nil // its client goes on using the one ticket, for a resumed connection brings no other
	}
	return s
}

// ticketFor makes the ticket for a session, or returns nil: the client then makes a full handshake the next time.
func (c *Conn) ticketFor(s *tlscore.Session) []byte {
	i := &c.set.issuer
	kept := *s
	if c.host != nil {
		epoch := c.host.guard.Epoch()
		kept.Binding = epoch[:]
	}
	limit := maxTicketChain
	if i.store != nil {
		limit = maxStoredChain
	}
	var ok bool
	if kept.PeerChain, ok = c.chainToKeep(s, limit); !ok {
		return nil
	}
	state, err := kept.AppendBinary(nil)
	if err != nil {
		return nil
	}
	bound := i.context(s.ServerName, s.ALPN)
	if i.store == nil {
		name, err := c.ticketKeys().ring.Seal(c.set.now(), state, bound)
		if err != nil {
			return nil
		}
		return name
	}
	name := s.SessionID
	if len(name) == 0 {
		name = make([]byte, sessionNameLen)
		rand.Read(name)
	}
	if i.store.Put(name, append(bound, state...), s.Issued.Add(s.Lifetime)) != nil {
		return nil
	}
	return name
}

// chainToKeep returns what of a client's chain belongs into its session: the verified path without its root, or all that
// was sent where nothing was verified. ok is false if that is more than limit bytes.
func (c *Conn) chainToKeep(s *tlscore.Session, limit int) (chain [][]byte, ok bool) {
	chain = s.PeerChain
	// A session is of the certificate in the handshake, and the peer may be of one that came later.
	if k := c.peer.Load(); k != nil && slices.EqualFunc(k.raw, s.PeerChain, bytes.Equal) {
		chain = k.path()
	}
	n := 0
	for _, der := range chain {
		n += len(der)
	}
	return chain, n <= limit
}

// issue answers NeedTicket of TLS 1.2.
func (c *Conn) issue(q *tlscore.Question) tlscore.Issued {
	if !c.hasSessions() || c.set.issuer.count == 0 {
		return tlscore.Issued{}
	}
	s := *q.Resumed
	s.Lifetime = c.set.issuer.lifetime
	return tlscore.Issued{Ticket: c.ticketFor(&s), Lifetime: s.Lifetime}
}

// oweTickets settles how many tickets the client is to get, at the end of a server's handshake.
//
// They are not sent at once. They go behind the first thing that is written, or, where we wait for the client first and
// nothing is written soon, by themselves, so that they delay neither our first answer nor the end of the handshake and
// seldom cost a packet of their own.
func (c *Conn) oweTickets() {
	f := c.machine.Facts()
	if f.Version != wire.VersionTLS13 || !f.TakesTickets || !c.hasSessions() {
		return
	}
	n := c.set.issuer.count
	if f.Resumed {
		n = min(n, 1)
	}
	c.out.owed.Store(int32(n))
}

// appendTickets seals the tickets that are owed behind out. The lock of the write half is held.
func (c *Conn) appendTickets(out []byte) []byte {
	if c.out.patience != nil {
		c.out.patience.Stop()
		c.out.patience = nil
	}
	var room [DefaultTickets]tlscore.Ticket
	tickets := room[:0]
	for ; c.out.owed.Load() > 0; c.out.owed.Add(-1) {
		s, err := c.machine.NewSession(c.set.now(), c.set.issuer.lifetime)
		if err != nil {
			break
		}
		name := c.ticketFor(s)
		if name == nil {
			break
		}
		tickets = append(tickets, tlscore.Ticket{Session: s, Name: name})
	}
	c.out.owed.Store(0)
	// An error is one of the connection, and stays for the next who writes.
	out, _ = c.machine.SendTickets(out, tickets...)
	return out
}

// ticketPatience is how long tickets wait for an answer to go with. The question is mostly on its way already: it comes
// with the client's Finished, or right behind it.
const ticketPatience = 20 * time.Millisecond

// ticketsSoon sees to it that what is owed is sent while we wait for the client, unless somebody writes: then it goes
// behind that.
func (c *Conn) ticketsSoon() {
	if c.out.owed.Load() == 0 || !c.shake.done.Load() || !c.out.mu.TryLock() {
		return
	}
	if c.out.patience == nil {
		c.out.patience = time.AfterFunc(ticketPatience, c.ticketsNow)
	}
	c.unlockWrite()
}

// ticketsNow sends what is owed.
func (c *Conn) ticketsNow() {
	if c.out.owed.Load() == 0 || c.closed.Load() || c.out.late() || !c.out.mu.TryLock() {
		return
	}
	defer c.unlockWrite()
	b := c.pool.record()
	defer c.pool.giveRecord(b)
	if !c.closed.Load() {
		c.transmit(c.appendTickets(b[:0]))
	}
}

// fresh answers whether the early data that comes with a ticket may be taken: only if somebody here asked for early
// data, and the guard has not let it in before. A ticket of another guard, of another node or of before a restart, is
// never fresh (RFC 8446, Section 8.1).
func (c *Conn) fresh(q *tlscore.Question) bool {
	if c.early == nil || c.host == nil || len(q.Resumed.Binding) != 16 {
		return false
	}
	return c.host.guard.Accept(c.set.now(), [16]byte(q.Resumed.Binding), q.Tickets[0], q.Age, q.ToldAge)
}

// newHost makes what the connections of a listener share.
func newHost(s *settings) *host {
	return &host{
		shakes: make(chan struct{}, s.maxShakes),
		keys:   NewTicketKeys(0, s.issuer.lifetime),
		guard:  ticket.NewGuard(0),
	}
}
