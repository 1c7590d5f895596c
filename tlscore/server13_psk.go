package tlscore

import (
	"bytes"
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
	var offered wire.PreSharedKeys
	present, err := ext(o.hello, &offered)
	if err != nil || !present {
		return err
	}
	var modes wire.PSKKeyExchangeModes
	// RFC 8446, Section 4.2.9: pre_shared_key without psk_key_exchange_modes MUST be refused.
	if err := needExt(o.hello, &modes); err != nil {
		return err
	}
	if len(offered.Binders) != len(offered.Identities) {
		return fail(CodeBadPSKOffer, "%d binders, %d identities", len(offered.Binders), len(offered.Identities))
	}
	o.psk = &pskOffer{offered, modes.Modes}
	return nil
}

// maxTickets is how many of a client's tickets are looked up: each costs a decryption.
const maxTickets = 8

// looksUpTickets reports whether a server asks for the sessions that tickets stand for.
func (p *Params) looksUpTickets() bool { return p.c.AskSession && !p.c.NoTickets }

// settle goes on from a ClientHello that needs no retry: to the look-up of a session, or to a full handshake.
func (hs *serverHandshake) settle(t *turn, m message, o *offer) (state, error) {
	if o.early {
		t.want(effectSkipEarlyData) // unless it is accepted below
		t.facts.EarlyData = EarlyDataRejected
	}
	if o.psk == nil || !t.params.looksUpTickets() || hs.mode(t.params, o) == noPSK {
		t.transcript.Begin(hs.suite.Hash)
		t.absorb(m)
		return hs.chooseIdentity(t, o)
	}
	raw := bytes.Clone(m.raw)
	kept, err := readOffer(message{m.kind, raw})
	if err != nil {
		return nil, err
	}
	if err := kept.check13(t.params); err != nil {
		return nil, err
	}
	q := Question{Kind: NeedSession, ServerName: o.wanted.name, ALPN: hs.alpn}
	for _, id := range kept.psk.keys.Identities[:min(maxTickets, len(kept.psk.keys.Identities))] {
		q.Tickets = append(q.Tickets, id.Identity)
	}
	t.ask(q)
	return lookingUpSession{serverHandshake: hs, offer: kept, raw: raw}, nil
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
	if found.Session == nil || found.Index < 0 || found.Index >= len(s.offer.psk.keys.Identities) || !s.resumable(t, found.Session) {
		return s.fully(t)
	}
	chosen := s.suiteFor(t, found.Session)
	if chosen == nil {
		return s.fully(t)
	}
	r := resumption{lookingUpSession: s, session: found.Session, index: found.Index, chosen: chosen}
	r.early = keys.NewEarlyTraced(chosen.Hash, found.Session.Secret, t.trace)
	if err := r.checkBinder(t); err != nil {
		return nil, err
	}
	if len(found.Session.PeerChain) == 0 {
		return r.checkEarlyData(t)
	}
	t.ask(Question{Kind: NeedVerify, Chain: found.Session.PeerChain, Resumed: found.Session})
	return verifyingResumedClient{resumption: r}, nil
}

// fully goes on with a full handshake.
func (s lookingUpSession) fully(t *turn) (state, error) {
	t.transcript.Begin(s.suite.Hash)
	t.transcript.Add(s.raw)
	return s.chooseIdentity(t, s.offer)
}

// resumable checks that resuming grants nothing that a full handshake would not: time, name and client certificate.
func (s lookingUpSession) resumable(t *turn, session *Session) bool {
	switch {
	case session.usable(t.now) != nil, session.Version != wire.VersionTLS13:
		return false
	case session.ServerName != s.offer.wanted.name:
		return false
	case t.params.c.ClientAuth == RequireClientCert && len(session.PeerChain) == 0:
		return false
	}
	return true
}

// suiteFor chooses the cipher suite to resume a session with, nil if there is none: its hash must be the session's
// (RFC 8446, Section 4.2.11). The suite of a full handshake comes first. Where its hash is another one it gives way to the
// session's own suite, or else to the next in order, as long as both ends have that now. It does not give way in two
// cases: HelloRetryRequest has named it (RFC 8446, Section 4.1.4), or it is the ChaCha20-Poly1305 of a client without AES
// in hardware, which that would cost more than a full handshake.
func (s lookingUpSession) suiteFor(t *turn, session *Session) *suite.Suite {
	own, offered := session.suite(), s.offer.hello.CipherSuites
	if own.Hash == s.suite.Hash {
		return s.suite
	}
	if t.facts.HelloRetried || isChaCha(s.suite.ID) && prefersChaCha(offered) {
		return nil
	}
	if slices.Contains(offered, own.ID) && slices.Contains(t.params.c.CipherSuites, own.ID) {
		return own
	}
	return chooseSuite(t.params, offered, func(code wire.CipherSuite) *suite.Suite {
		if other := fits13(code); other != nil && other.Hash == own.Hash {
			return other
		}
		return nil
	})
}

// resumption is an accepted session.
type resumption struct {
	lookingUpSession
	session *Session
	chosen  *suite.Suite // for it; that of a full handshake stands until nothing can lead to one any more
	index   int
	early   keys.Early
}

// checkBinder: RFC 8446, Section 4.2.11: before accepting, the server MUST validate the binder.
func (r resumption) checkBinder(t *turn) error {
	transcript := t.transcript.Clone()
	transcript.Begin(r.chosen.Hash)
	transcript.Add(r.raw[:len(r.raw)-r.offer.psk.keys.BindersLen()])
	if _, err := verify.Binder(r.early.Binder(false), transcript.Sum(), r.offer.psk.keys.Binders[r.index]); err != nil {
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
	t.facts.PeerChain, t.facts.PeerScheme = r.session.PeerChain, r.session.PeerScheme
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
	}
	share := r.offer.share(r.group)
	if r.mode(t.params, r.offer) == wire.PSKModeKE {
		share = nil
	}
	k, err := r.serverHello(t, share, r.early, &wire.PreSharedKeySelected{Index: uint16(r.index)})
	if err != nil {
		return nil, err
	}
	es := r.encryptedExtensions()
	if limit > 0 {
		es.Add(&wire.EarlyData{})
	}
	t.send(&wire.EncryptedExtensions{Extensions: es})
	f := k.finish(t)
	t.exporter = k.main.Exporter(f.finished)
	if limit == 0 {
		t.readKeys(EpochHandshake, r.suite, k.client)
		return expectClientFinished{serverFlight: f}, nil
	}
	t.facts.EarlyData = EarlyDataAccepted
	t.effects = append(t.effects, effect{kind: effectAcceptEarlyData, limit: limit})
	t.readKeys(EpochEarlyData, r.suite, earlyTraffic)
	return expectEndOfEarlyData{f}, nil
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
