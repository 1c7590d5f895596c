package tlscore

import (
	"crypto"
	"maps"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// pskOffer is a client's pre_shared_key and what belongs to it.
type pskOffer struct {
	keys  wire.PreSharedKeys
	modes []wire.PSKKeyExchangeMode
}

// readPSK reads the extensions of an offer to resume. Without pre_shared_key o.psk stays nil.
func (o *offer) readPSK() error {
	if _, offered := o.hello.Extensions.Find(wire.ExtPreSharedKey); !offered {
		return nil
	}
	psk := &pskOffer{modes: o.modes}
	if _, err := decoded(o.hello.Ext(&psk.keys)); err != nil {
		return err
	}
	// RFC 8446, Section 4.2.9: pre_shared_key without psk_key_exchange_modes MUST be refused.
	if _, present := o.hello.Extensions.Find(wire.ExtPSKKeyExchangeModes); !present {
		return missing(wire.ExtPSKKeyExchangeModes)
	}
	if len(psk.keys.Binders) != len(psk.keys.Identities) {
		return fail(CodeBadPSKOffer, "%d binders, %d identities", len(psk.keys.Binders), len(psk.keys.Identities))
	}
	o.psk = psk
	return nil
}

// maxTickets is how many of a client's tickets are looked up: each costs a decryption.
const maxTickets = 8

// looksUpTickets reports whether a server asks for the sessions that tickets stand for.
func (p *Params) looksUpTickets() bool { return p.c.AskSession && !p.c.NoTickets }

// settle goes on from a ClientHello that needs no retry: to the look-up of a session, or to a full handshake.
func (hs *serverHandshake) settle(t *turn, m message, o *offer) (state, error) {
	hs.limits, hs.late = o.limits, o.takesLate(t.params)
	if o.early {
		t.want(effectSkipEarlyData) // unless it is accepted below
		t.facts.EarlyData = EarlyDataRejected
	}
	if o.psk == nil || !t.params.looksUpTickets() || hs.mode(t.params, o) == noPSK {
		return hs.settleWithoutSession(t, m.raw, o)
	}
	t.ask(Question{Kind: NeedSession, ServerName: o.wanted.name, ALPN: hs.alpn, Tickets: o.identities(maxTickets)})
	return lookingUpSession{serverHandshake: hs, offer: o, raw: m.raw}, nil
}

// identities returns those that a client offers, no more than most.
func (o *offer) identities(most int) [][]byte {
	offered := o.psk.keys.Identities[:min(most, len(o.psk.keys.Identities))]
	names := make([][]byte, len(offered))
	for i, id := range offered {
		names[i] = id.Identity
	}
	return names
}

// noPSK stands for no mode in common.
const noPSK wire.PSKKeyExchangeMode = 255

// mode chooses how a PSK is used: with a fresh key exchange, or alone where both allow no better.
func (hs *serverHandshake) mode(p *Params, o *offer) wire.PSKKeyExchangeMode {
	if slices.Contains(o.psk.modes, wire.PSKModeDHEKE) && hs.group != 0 {
		return wire.PSKModeDHEKE
	}
	if slices.Contains(o.psk.modes, wire.PSKModeKE) && p.c.InsecurePSKWithoutDHE {
		return wire.PSKModeKE
	}
	return noPSK
}

// lookingUpSession awaits the session that a ticket stands for.
type lookingUpSession struct {
	awaitsAnswer
	*serverHandshake
	offer *offer
	raw   []byte // the ClientHello
}

func (lookingUpSession) name() string { return "looking up a session" }

func (s lookingUpSession) answered(t *turn, a Answer) (state, error) {
	found := a.(Found)
	if found.Session == nil || found.Index < 0 || found.Index >= len(s.offer.psk.keys.Identities) || !s.resumable(t, found.Session, found.PSK) {
		return s.fully(t)
	}
	chosen := s.suiteFor(t, s.offer, found.Session.suite().Hash, found.Session.suite())
	if chosen == nil {
		return s.fully(t)
	}
	r := resumption{lookingUpSession: s, session: found.Session, psk: found.PSK, index: found.Index, chosen: chosen}
	r.early = keys.NewEarlyTraced(chosen.Hash, found.Session.Secret, t.trace)
	if err := s.offer.checkBinder(t, s.raw, chosen.Hash, r.early.Binder(false), r.index); err != nil {
		return nil, err
	}
	if len(found.Session.PeerChain) == 0 {
		return r.checkEarlyData(t)
	}
	t.ask(Question{Kind: NeedVerify, Chain: found.Session.PeerChain, Type: found.Session.PeerType, Resumed: found.Session})
	return verifyingResumedClient{resumption: r}, nil
}

// fully goes on with a full handshake.
func (s lookingUpSession) fully(t *turn) (state, error) {
	return s.settleWithoutSession(t, s.raw, s.offer)
}

// resumable checks that resuming grants nothing that a full handshake would not: time, name, and client certificate or PSK.
func (s lookingUpSession) resumable(t *turn, session *Session, lookedUp *PSK) bool {
	switch {
	case session.usable(t.now) != nil, !t.params.c.takesSession(session), session.Version != wire.VersionTLS13:
		return false
	case session.ServerName != s.offer.wanted.name, session.PSKIdentity == nil && !s.offer.wanted.takesType(session.OwnType):
		return false
	case t.params.c.ClientAuth == RequireClientCert && len(session.PeerChain) == 0 && session.PSKIdentity == nil:
		return false
	case session.PSKIdentity == nil && t.params.onlyKeyed(), !t.params.stillTakes(session):
		return false
	}
	if _, keyed := session.stillKeyed(maps.Values(t.params.accepts)); keyed {
		return true
	}
	return t.params.c.AskPSK && (lookedUp == nil || session.RestsOn(lookedUp)) // who is asked for keys is asked for sessions, too, and knows
}

// suiteFor chooses the cipher suite to use a PSK with, nil if there is none: its hash must be the PSK's (RFC 8446,
// Section 4.2.11). The suite of a full handshake comes first. Where its hash is another one it gives way to the session's
// own suite, if there is one, or else to the next in order, as long as both ends have that now. It does not give way in two
// cases: HelloRetryRequest has named it (RFC 8446, Section 4.1.4), or it is the ChaCha20-Poly1305 of a client without AES
// in hardware, which that would cost more than a full handshake.
func (hs *serverHandshake) suiteFor(t *turn, o *offer, h crypto.Hash, own *suite.Suite) *suite.Suite {
	offered := o.hello.CipherSuites
	if h == hs.suite.Hash {
		return hs.suite
	}
	if t.facts.HelloRetried || own != nil && isChaCha(hs.suite.ID) && prefersChaCha(offered) {
		return nil
	}
	if own != nil && slices.Contains(offered, own.ID) && slices.Contains(t.params.c.CipherSuites, own.ID) {
		return own
	}
	return chooseSuite(t.params, offered, func(code wire.CipherSuite) *suite.Suite {
		if other := fits13(code); other != nil && other.Hash == h {
			return other
		}
		return nil
	})
}

// resumption is an accepted session.
type resumption struct {
	lookingUpSession
	session *Session
	psk     *PSK         // that it rests on, looked up; nil: none, or one of the configuration's
	chosen  *suite.Suite // for it; that of a full handshake stands until nothing can lead to one any more
	index   int
	early   keys.Early
}

// checkBinder: RFC 8446, Section 4.2.11: before accepting, the server MUST validate the binder.
func (o *offer) checkBinder(t *turn, raw []byte, h crypto.Hash, binder keys.Binder, index int) error {
	var room [maxDigest]byte
	th := t.transcript.SumOver(h, raw[:len(raw)-o.psk.keys.BindersLen()], room[:0])
	if _, err := verify.Binder(binder, th, o.psk.keys.Binders[index]); err != nil {
		return because(CodeBadBinder, err)
	}
	return nil
}

// verifyingResumedClient awaits the word on the certificate that the client showed when the session began.
type verifyingResumedClient struct {
	resumption
}

func (verifyingResumedClient) name() string { return "verifying the session's client certificate" }

// answered falls back to a full handshake where the certificate is not acceptable any more: the client may have a new
// one.
func (s verifyingResumedClient) answered(t *turn, a Answer) (state, error) {
	if a.(Verified).Err != nil {
		s.early.Wipe()
		return s.fully(t)
	}
	return s.checkEarlyData(t)
}

// checkEarlyData asks whether early data is fresh, if all else allows it (RFC 8446, Section 4.2.10).
func (r resumption) checkEarlyData(t *turn) (state, error) {
	r.suite, r.resumed = r.chosen, r.session
	t.transcript.Begin(r.suite.Hash)
	t.transcript.Add(r.raw)
	t.facts.Resumed = true
	t.facts.PeerChain, t.facts.PeerType, t.facts.PeerScheme = r.session.PeerChain, r.session.PeerType, r.session.PeerScheme
	t.facts.PeerDelegation = r.session.delegation()
	if r.session.PSKIdentity != nil {
		t.facts.PSKIdentity, t.facts.pskCheck = r.session.PSKIdentity, r.session.pskCheck
		if e, _ := r.session.stillKeyed(maps.Values(t.params.accepts)); e != nil {
			t.facts.PSKTag = e.psk.Tag
		} else if r.psk != nil {
			t.facts.PSKTag = r.psk.Tag
		}
	}
	limit := min(r.session.MaxEarlyData, t.params.c.MaxEarlyData)
	if !r.offer.early || limit == 0 || r.index != 0 || t.facts.HelloRetried ||
		r.session.CipherSuite != r.suite.ID || r.session.ALPN != r.alpn {
		return r.hello(t, 0)
	}
	told := time.Duration(r.offer.psk.keys.Identities[0].ObfuscatedAge-r.session.AgeAdd) * time.Millisecond
	t.ask(Question{
		Kind: NeedFresh, Resumed: r.session, Tickets: [][]byte{r.offer.psk.keys.Identities[0].Identity},
		Age: t.now.Sub(r.session.Issued), ToldAge: told,
	})
	return askingFreshness{resumption: r, limit: limit}, nil
}

// askingFreshness awaits the word of the replay guard.
type askingFreshness struct {
	resumption
	limit uint32
}

func (askingFreshness) name() string { return "asking whether early data is fresh" }

func (s askingFreshness) answered(t *turn, a Answer) (state, error) {
	if !bool(a.(Fresh)) {
		return s.hello(t, 0)
	}
	return s.hello(t, s.limit)
}

// hello sends the whole flight of a resumed handshake: ServerHello to Finished. limit is how many bytes of early data
// are accepted, 0 for none.
func (r resumption) hello(t *turn, limit uint32) (state, error) {
	var earlyTraffic keys.Traffic
	if limit > 0 {
		earlyTraffic = r.early.ClientEarlyTraffic(t.hash())
		t.exportEarly(r.early.Exporter(t.hash()))
	}
	f, err := r.pskFlight(t, r.offer, r.early, r.index, limit > 0)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		t.readKeys(EpochHandshake, r.suite, f.client)
		return expectClientFinished{serverFlight: f}, nil
	}
	t.facts.EarlyData = EarlyDataAccepted
	t.effects = append(t.effects, effect{kind: effectAcceptEarlyData, limit: limit})
	t.readKeys(EpochEarlyData, r.suite, earlyTraffic)
	return expectEndOfEarlyData{f}, nil
}

// pskFlight sends the flight of a handshake that rests on a PSK: ServerHello to Finished.
func (hs *serverHandshake) pskFlight(t *turn, o *offer, early keys.Early, index int, takesEarly bool) (f serverFlight, err error) {
	share := o.share(hs.group)
	if hs.mode(t.params, o) == wire.PSKModeKE {
		share = nil
	}
	k, err := hs.serverHello(t, share, early, &wire.PreSharedKeySelected{Index: uint16(index)})
	if err != nil {
		return f, err
	}
	es := hs.encryptedExtensions()
	hs.limits.answer(t, &es, wire.VersionTLS13)
	hs.ech.addRetryConfigs(t.params, &es)
	if hs.resumed != nil && o.wanted.types != nil {
		es.Add(&wire.SelectedServerCertificateType{Type: hs.resumed.OwnType})
	}
	if hs.late {
		if hs.types, err = o.certificateTypes(t.params, true); err != nil || hs.types.none {
			hs.late = false
		}
		types := hs.types
		types.tellServer = false // that was said above
		types.add(&es, 0)
	}
	if takesEarly {
		es.Add(&wire.EarlyData{})
	}
	t.send(&wire.EncryptedExtensions{Extensions: es})
	f = k.finish(t)
	t.exporter13 = k.main.Exporter(f.finished)
	return f, nil
}

// expectEndOfEarlyData is WAIT_EOED of RFC 8446, Appendix A.2.
type expectEndOfEarlyData struct{ serverFlight }

func (expectEndOfEarlyData) name() string { return "WAIT_EOED" }
func (expectEndOfEarlyData) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeEndOfEarlyData}
}

func (s expectEndOfEarlyData) on(t *turn, m message) (state, error) {
	if err := parse(&wire.EndOfEarlyData{}, m.raw); err != nil {
		return nil, err
	}
	t.absorb(m)
	t.readKeys(EpochHandshake, s.suite, s.client)
	return expectClientFinished{serverFlight: s.serverFlight}, nil
}
