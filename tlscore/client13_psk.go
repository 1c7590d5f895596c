package tlscore

import (
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// clientPSK is the pre-shared key that a client offers: that of one ticket.
type clientPSK struct {
	session *Session
	suite   *suite.Suite // the session's; its hash is the PSK's
	early   keys.Early
	age     uint32 // obfuscated_ticket_age
}

// offerPSK decides whether the session of the options can be offered at this time (RFC 8446, Section 4.2.11). One that
// cannot is not an error: the handshake is a full one.
func (hs *clientHandshake) offerPSK(t *turn) {
	s := t.options.Session
	if s == nil || t.params.c.NoTickets || s.usable(t.now) != nil || s.ServerName != hs.serverName || len(s.Ticket)+len(s.SessionID) == 0 {
		return
	}
	if s.Version == wire.VersionTLS12 {
		if t.params.allows(wire.VersionTLS12) && slices.Contains(t.params.c.CipherSuites, s.CipherSuite) {
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
	hs.psk = &clientPSK{session: s, suite: own, early: keys.NewEarlyTraced(own.Hash, s.Secret, t.trace), age: age}
	if t.options.EarlyData && s.MaxEarlyData > 0 && slices.Contains(t.params.c.CipherSuites, s.CipherSuite) &&
		(s.ALPN == "" || slices.Contains(t.params.c.ALPN, s.ALPN)) {
		hs.early = earlyOffered
	}
}

// extensions that offer the key. pre_shared_key comes last (RFC 8446, Section 4.2.11).
func (p *clientPSK) add(es *wire.Extensions, binder []byte) {
	es.Add(&wire.PreSharedKeys{
		Identities: []wire.PSKIdentity{{Identity: p.session.Ticket, ObfuscatedAge: p.age}},
		Binders:    [][]byte{binder},
	})
}

// bind computes the binder over a ClientHello that ends in a pre_shared_key with an empty one, and puts it in its place
// (RFC 8446, Section 4.2.11.2).
func (p *clientPSK) bind(t *turn, hello *wire.ClientHello) {
	h := p.suite.Hash
	binder := make([]byte, h.Size())
	base := slices.Clone(hello.Extensions)
	p.add(&hello.Extensions, binder)
	raw := wire.AppendMessage(nil, hello)
	cut := wire.PreSharedKeys{Binders: [][]byte{binder}}
	transcript := &keys.Transcript{}
	if t.transcript.Started() {
		transcript = t.transcript.Clone()
	} else {
		transcript.Begin(h)
	}
	transcript.Add(raw[:len(raw)-cut.BindersLen()])
	binder = p.early.Binder(false).MAC(transcript.Sum())
	hello.Extensions = base
	p.add(&hello.Extensions, binder)
}

// dropPSK forgets the offer, for a HelloRetryRequest whose suite has another hash, or a server that chose none.
func (hs *clientHandshake) dropPSK() {
	if hs.psk != nil {
		hs.psk.early.Wipe()
		hs.psk = nil
	}
}

// acceptedPSK reads the server's choice. It returns the stage of the key schedule that the handshake goes on from: the
// PSK's, or that of no PSK.
func (hs *clientHandshake) acceptedPSK(t *turn, hello *wire.ServerHello, chosen *suite.Suite) (keys.Early, error) {
	var selected wire.PreSharedKeySelected
	present, err := ext(hello, &selected)
	if err != nil {
		return keys.Early{}, err
	}
	if !present {
		hs.dropPSK()
		return keys.NewEarlyTraced(chosen.Hash, nil, t.trace), nil
	}
	// RFC 8446, Section 4.2.11: selected_identity MUST be within the range supplied, the suite's hash the PSK's.
	if selected.Index != 0 {
		return keys.Early{}, fail(CodeBadPSKSelected, "identity %d of 1", selected.Index)
	}
	if chosen.Hash != hs.psk.suite.Hash {
		return keys.Early{}, fail(CodeBadPSKSelected, "%v has another hash", chosen.ID)
	}
	s := hs.psk.session
	hs.resumed = s
	t.facts.Resumed = true
	t.facts.PeerChain, t.facts.PeerScheme = s.PeerChain, s.PeerScheme
	return hs.psk.early, nil
}
