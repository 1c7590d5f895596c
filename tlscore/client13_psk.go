package tlscore

import (
	"crypto"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// clientPSK is a pre-shared key that a client offers: that of one ticket, or an external one.
type clientPSK struct {
	identity []byte
	hash     crypto.Hash
	early    keys.Early

	session *Session     // of a ticket
	suite   *suite.Suite // the session's
	age     uint32       // obfuscated_ticket_age

	entry *pskEntry // an external one
}

func (p *clientPSK) binder() keys.Binder {
	if p.entry != nil {
		return p.entry.binder(p.early)
	}
	return p.early.Binder(false)
}

// maxOfferedTicket is how long a ticket may be that is offered: a server can send one of 64 KiB, which has no room in a
// ClientHello beside everything else.
const maxOfferedTicket = 32 << 10

// offerPSK decides whether the session of the options can be offered at this time (RFC 8446, Section 4.2.11). One that
// cannot is not an error: the handshake is a full one.
func (hs *clientHandshake) offerPSK(t *turn) {
	s := t.options.Session
	if s == nil || t.params.c.NoTickets || s.usable(t.now) != nil || !t.params.c.takesSession(s) || s.ServerName != hs.serverName || len(s.Ticket)+len(s.SessionID) == 0 {
		return
	}
	room := maxOfferedTicket
	if hs.ech != nil || t.params.c.ECHGrease {
		room /= 2 // two hellos in one message, each with something of that length
	}
	if len(s.Ticket) > room {
		return
	}
	// Resuming grants nothing that a full handshake would not: what rests on a PSK needs that key, who insists on one
	// resumes nothing else, and the server is of a type that is still taken.
	if _, ok := s.stillKeyed(slices.Values(t.params.offers)); !ok || t.params.insists && s.PSKIdentity == nil || !t.params.stillTakes(s) {
		return
	}
	if s.Version == wire.VersionTLS12 {
		// RFC 9849, Section 6.1: an inner ClientHello MUST NOT offer such a session.
		if hs.ech == nil && t.params.allows(wire.VersionTLS12) && slices.Contains(t.params.c.CipherSuites, s.CipherSuite) {
			hs.offered12 = s
		}
		return
	}
	if !t.params.allows(wire.VersionTLS13) {
		return
	}
	own := suite.ByID(s.CipherSuite)
	sameHash := func(id wire.CipherSuite) bool { s := suite.ByID(id); return s != nil && s.Hash == own.Hash }
	if !slices.ContainsFunc(t.params.c.CipherSuites, sameHash) {
		return
	}
	age := uint32(t.now.Sub(s.Issued)/time.Millisecond) + s.AgeAdd
	hs.psk = &clientPSK{identity: s.Ticket, session: s, suite: own, hash: own.Hash, early: keys.NewEarlyTraced(own.Hash, s.Secret, t.trace), age: age}
	hs.psks = append(hs.psks, hs.psk)
	if t.options.EarlyData && s.MaxEarlyData > 0 && slices.Contains(t.params.c.CipherSuites, s.CipherSuite) &&
		(s.ALPN == "" || slices.Contains(t.params.c.ALPN, s.ALPN)) {
		hs.early = earlyOffered
	}
}

// offerExternal adds the external PSKs to the offer.
func (hs *clientHandshake) offerExternal(t *turn) {
	for _, e := range t.params.offers {
		hs.psks = append(hs.psks, &clientPSK{identity: e.name, hash: e.hash, early: keys.NewEarlyTraced(e.hash, e.secret, t.trace), entry: e})
	}
}

// bindPSKs adds pre_shared_key to the ClientHello, as its last extension (RFC 8446, Section 4.2.11): first with empty
// binders, then with those that were computed over the message so far (Section 4.2.11.2).
func (hs *clientHandshake) bindPSKs(t *turn) {
	var offer wire.PreSharedKeys
	for _, p := range hs.psks {
		offer.Identities = append(offer.Identities, wire.PSKIdentity{Identity: p.identity, ObfuscatedAge: p.age})
		offer.Binders = append(offer.Binders, make([]byte, p.hash.Size()))
	}
	hs.hello.Extensions.Add(&offer)
	raw, err := wire.TryAppendMessage(t.flight[len(t.flight):], &hs.hello) // in memory that is free for a moment
	if err != nil {                                                        // what servers sent, a cookie and a ticket, has no room in it
		t.unsent = because(CodeTooLongToSend, err)
		return
	}
	raw = raw[:len(raw)-offer.BindersLen()]
	for i, p := range hs.psks {
		var room [maxDigest]byte
		p.binder().AppendMAC(offer.Binders[i][:0], t.transcript.SumOver(p.hash, raw, room[:0]))
	}
	last := &hs.hello.Extensions[len(hs.hello.Extensions)-1]
	last.Data = offer.AppendBody(last.Data[:0]) // of the same length
}

// keepPSKsOf drops those that a HelloRetryRequest has ruled out: its suite has another hash (RFC 8446, Section 4.1.4).
func (hs *clientHandshake) keepPSKsOf(h crypto.Hash) {
	hs.psks = slices.DeleteFunc(hs.psks, func(p *clientPSK) bool {
		if p.hash == h {
			return false
		}
		p.early.Wipe()
		return true
	})
	if hs.psk != nil && hs.psk.hash != h {
		hs.psk = nil
	}
}

// dropPSKs forgets the offer, but for the one that goes on; nil: the server chose none.
func (hs *clientHandshake) dropPSKs(except ...*clientPSK) {
	for _, p := range hs.psks {
		if !slices.Contains(except, p) {
			p.early.Wipe()
		}
	}
	hs.psks = nil
	if !slices.Contains(except, hs.psk) {
		hs.psk = nil
	}
}

// acceptedPSK reads the server's choice. It returns the stage of the key schedule that the handshake goes on from: the
// PSK's, or that of no PSK.
func (hs *clientHandshake) acceptedPSK(t *turn, hello *wire.ServerHello, chosen *suite.Suite) (keys.Early, error) {
	var selected wire.PreSharedKeySelected
	present, err := decoded(hello.Ext(&selected))
	if err != nil {
		return keys.Early{}, err
	}
	if !present {
		if t.params.insists {
			return keys.Early{}, fail(CodeMissingExtension, "%v, which is insisted on", wire.ExtPreSharedKey)
		}
		hs.settleEarlyExporter(t, nil)
		hs.dropPSKs()
		return keys.NewEarlyTraced(chosen.Hash, nil, t.trace), nil
	}
	// RFC 8446, Section 4.2.11: selected_identity MUST be within the range supplied, the suite's hash the PSK's.
	if int(selected.Index) >= len(hs.psks) {
		return keys.Early{}, fail(CodeBadPSKSelected, "identity %d of %d", selected.Index, len(hs.psks))
	}
	p := hs.psks[selected.Index]
	if chosen.Hash != p.hash {
		return keys.Early{}, fail(CodeBadPSKSelected, "%v has another hash", chosen.ID)
	}
	hs.settleEarlyExporter(t, p)
	hs.dropPSKs(p)
	if p.entry != nil {
		hs.keyed = p.entry
		t.facts.keyed(p.entry)
		return p.early, nil
	}
	s := p.session
	hs.resumed = s
	t.facts.Resumed = true
	t.facts.PeerChain, t.facts.PeerType, t.facts.PeerScheme = s.PeerChain, s.PeerType, s.PeerScheme
	t.facts.PeerDelegation = s.delegation()
	if e, _ := s.stillKeyed(slices.Values(t.params.offers)); e != nil {
		t.facts.keyed(e)
	}
	return p.early, nil
}
