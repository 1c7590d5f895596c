package tlscore

import (
	"bytes"
	"slices"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// server12 is what a server has settled about a TLS 1.2 connection (RFC 5246, Section 7.3).
type server12 struct {
	randoms keys.Randoms
	suite   *suite.Suite
	group   wire.Group
	alpn    string
	named   bool
	ems     bool
	ticket  bool // we shall send NewSessionTicket
	secure  bool // the client indicates renegotiation (RFC 5746)
	points  bool // the client lists point formats
	staples staples
	wanted  wanted
	types   certificateTypes
	limits  offeredLimits

	id      *identity
	scheme  *suite.Scheme
	share   suite.KeyShare
	peer    *peerCertificate
	master  keys.Master12
	block   keys.KeyBlock12
	newID   []byte // the session_id of a session that we shall remember; empty: none
	resumed *Session
}

// onHello12 answers a ClientHello with TLS 1.2.
func (expectClientHello) onHello12(t *turn, m message, o *offer) (state, error) {
	t.want(effectAligned)
	s := &server12{wanted: o.wanted, limits: o.limits, named: o.wanted.name != "", staples: askedStaples(o.hello.Extensions)}
	s.wanted.version = wire.VersionTLS12
	if err := s.readOffer(t.params, o); err != nil {
		return nil, err
	}
	var err error
	if s.types, err = o.certificateTypes(t.params, false); err != nil {
		return nil, err
	}
	if s.alpn, err = chooseProtocol(t.params, o); err != nil {
		return nil, err
	}
	s.randoms.Client = o.hello.Random
	randomBytes(s.randoms.Server[:])
	if t.params.allows(wire.VersionTLS13) {
		// RFC 8446, Section 4.1.3: TLS 1.3 servers which negotiate TLS 1.2 MUST set the last eight bytes.
		copy(s.randoms.Server[24:], sentinel12)
	}
	t.facts.ServerRandom = s.randoms.Server
	kept := &offer12{raw: m.raw, sessionID: o.hello.SessionID, suites: o.hello.CipherSuites, groups: o.groups}
	kept.wanted = s.wanted.clone()
	s.wanted = kept.wanted
	var ticket wire.SessionTicket
	takesTickets, err := decoded(o.hello.Ext(&ticket))
	if err != nil {
		return nil, err
	}
	if name, byID := s.sessionName(t.params, kept, takesTickets, ticket.Ticket); len(name) > 0 {
		t.ask(Question{Kind: NeedSession, ServerName: o.wanted.name, ALPN: s.alpn, Tickets: [][]byte{name}, ByID: byID})
		looking := lookingUpSession12{server12: s, offer: kept}
		if byID {
			looking.id = name
		}
		return looking, nil
	}
	return s.fully(t, kept)
}

// sessionName returns the name of the session that the client offers, if it does and we would resume it, and
// settles how a new one shall be remembered: by ticket, by id, or not at all.
func (s *server12) sessionName(p *Params, o *offer12, takesTickets bool, ticket []byte) (name []byte, byID bool) {
	if !p.c.AskSession {
		return nil, false
	}
	s.ticket = takesTickets && p.looksUpTickets()
	if !s.ticket && p.c.SessionIDs {
		s.newID = make([]byte, maxSessionID)
		randomBytes(s.newID)
	}
	switch {
	// RFC 5077, Section 3.4: a client MAY present a ticket without a session id, and then finds out by what follows.
	case s.ticket && len(ticket) > 0:
		return ticket, false
	// It may have got an id in a time without tickets.
	case p.c.SessionIDs:
		return o.sessionID, true
	}
	return nil, false
}

// offer12 is what is kept of a ClientHello over a question.
type offer12 struct {
	raw       []byte
	sessionID []byte
	suites    []wire.CipherSuite
	groups    []wire.Group
	wanted    wanted
}

// readOffer reads the extensions that only TLS 1.2 has.
func (s *server12) readOffer(p *Params, o *offer) error {
	if !bytes.Contains(o.hello.CompressionMethods, []byte{0}) {
		return fail(CodeBadCompression, "legacy_compression_methods is %x", o.hello.CompressionMethods)
	}
	// RFC 7507, Section 3: a client that fell back although we can do better.
	if slices.Contains(o.hello.CipherSuites, wire.TLS_FALLBACK_SCSV) && p.allows(wire.VersionTLS13) {
		return fail(CodeInappropriateFallback, "")
	}
	var reneg wire.RenegotiationInfo
	present, err := decoded(o.hello.Ext(&reneg))
	if err != nil {
		return err
	}
	// RFC 5746, Section 3.6: a non-empty renegotiated_connection MUST end an initial handshake.
	if len(reneg.Data) != 0 {
		return fail(CodeBadRenegotiationInfo, "")
	}
	s.secure = present || slices.Contains(o.hello.CipherSuites, wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV)
	if !s.secure && p.c.RequireSecureRenegotiation {
		return fail(CodeNoSecureRenegotiation, "")
	}
	var formats wire.ECPointFormats
	if s.points, err = decoded(o.hello.Ext(&formats)); err != nil {
		return err
	}
	// RFC 8422, Section 5.1: the list MUST contain uncompressed.
	if s.points && !bytes.Contains(formats.Formats, []byte{0}) {
		return fail(CodeBadPointFormats, "")
	}
	s.ems, err = decoded(o.hello.Ext(&wire.ExtendedMasterSecret{}))
	return err
}

// lookingUpSession12 awaits the session that a ticket or an id stands for.
type lookingUpSession12 struct {
	awaitsAnswer
	*server12
	offer *offer12
	id    []byte // empty: it is a ticket
	renew bool
}

func (lookingUpSession12) name() string { return "1.2: looking up a session" }

func (s lookingUpSession12) answered(t *turn, a Answer) (state, error) {
	session := a.(Found).Session
	if session == nil || !s.resumable(t, session) {
		return s.fully(t, s.offer)
	}
	s.renew = a.(Found).Renew && len(s.id) == 0
	// RFC 7627, Section 5.3: a session with the extended master secret offered without it MUST end the handshake.
	if session.ExtendedMasterSecret && !s.ems {
		return nil, fail(CodeBadResumption, "without extended_master_secret")
	}
	if len(session.PeerChain) == 0 {
		return s.resume(t, session)
	}
	t.ask(Question{Kind: NeedVerify, Chain: session.PeerChain, Type: session.PeerType, Resumed: session})
	return verifyingResumed12{lookingUpSession12: s, session: session}, nil
}

// resumable checks that resuming grants nothing that a full handshake would not.
func (s lookingUpSession12) resumable(t *turn, session *Session) bool {
	return session.usable(t.now) == nil && session.Version == wire.VersionTLS12 && bytes.Equal(session.SessionID, s.id) &&
		session.ServerName == s.wanted.name && session.ExtendedMasterSecret == (s.ems || session.ExtendedMasterSecret) &&
		s.wanted.takesType(session.OwnType) && slices.Contains(s.offer.suites, session.CipherSuite) && slices.Contains(t.params.c.CipherSuites, session.CipherSuite) &&
		(t.params.c.ClientAuth != RequireClientCert || len(session.PeerChain) > 0) && !t.params.onlyKeyed() && t.params.stillTakes(session)
}

// verifyingResumed12 awaits the word on the certificate that the client showed when the session began.
type verifyingResumed12 struct {
	lookingUpSession12
	session *Session
}

func (verifyingResumed12) name() string { return "1.2: verifying the session's client certificate" }

func (s verifyingResumed12) answered(t *turn, a Answer) (state, error) {
	if a.(Verified).Err != nil {
		return s.fully(t, s.offer)
	}
	return s.resume(t, s.session)
}

// resume sends the flight of an abbreviated handshake.
func (s lookingUpSession12) resume(t *turn, session *Session) (state, error) {
	s.suite, s.resumed, s.ticket, s.newID = suite.ByID12(session.CipherSuite), session, s.renew, nil
	s.types.tellClient = false // there will be no certificate
	t.facts.Resumed = true
	t.facts.PeerChain, t.facts.PeerType, t.facts.PeerScheme = session.PeerChain, session.PeerType, session.PeerScheme
	t.transcript.Begin(s.suite.Hash)
	t.transcript.Add(s.offer.raw)
	s.sendHello(t, s.offer.sessionID)
	s.master = keys.ResumeMaster12Traced(s.suite.Hash, session.Secret, t.trace)
	s.block = s.master.KeyBlock(&s.randoms, s.suite.KeyLen, s.suite.IVLen)
	if s.renew {
		t.ask(Question{Kind: NeedTicket, Resumed: session})
		return renewingTicket12{server12: s.server12}, nil
	}
	s.sendFinished(t)
	return expectClientChange{s.server12}, nil
}

// renewingTicket12 awaits another ticket for a session that is resumed (RFC 5077, Section 3.3).
type renewingTicket12 struct {
	awaitsAnswer
	*server12
}

func (renewingTicket12) name() string { return "1.2: renewing a ticket" }

func (s renewingTicket12) answered(t *turn, a Answer) (state, error) {
	if err := sendTicket12(t, a.(Issued)); err != nil {
		return nil, err
	}
	s.sendFinished(t)
	return expectClientChange{s.server12}, nil
}

// fully goes on with a full handshake.
func (s *server12) fully(t *turn, o *offer12) (state, error) {
	if t.params.c.AskIdentity {
		hello := &wire.ClientHello{}
		if err := parse(hello, o.raw); err != nil {
			return nil, err
		}
		t.ask(Question{Kind: NeedIdentity, Version: wire.VersionTLS12, ServerName: s.wanted.name, Schemes: s.wanted.schemes, Authorities: s.wanted.authorities, Types: s.wanted.types, Hello: hello})
		return choosingServerIdentity12{server12: s, offer: o}, nil
	}
	w := s.wanted
	w.suites, w.groups = o.suites, o.groups
	id, scheme := t.params.choose(RoleServer, w)
	return s.present(t, o, id, scheme)
}

// choosingServerIdentity12 awaits the choice of a server certificate.
type choosingServerIdentity12 struct {
	awaitsAnswer
	*server12
	offer *offer12
}

func (choosingServerIdentity12) name() string { return "1.2: choosing a server certificate" }

func (s choosingServerIdentity12) answered(t *turn, a Answer) (state, error) {
	id, scheme, err := t.chosen(a.(Chosen), s.wanted)
	if err != nil {
		return nil, err
	}
	return s.present(t, s.offer, id, scheme)
}

// present sends ServerHello to CertificateStatus, and asks for the signature of ServerKeyExchange.
func (s *server12) present(t *turn, o *offer12, id *identity, scheme *suite.Scheme) (state, error) {
	if s.suite = chooseSuite12(t.params, o.suites, id); s.suite == nil {
		return nil, fail(CodeNoSharedSuite, "")
	}
	if s.group = chooseGroup12(t.params, o.groups); s.group == 0 {
		return nil, fail(CodeNoSharedGroup, "")
	}
	if id == nil {
		return nil, s.noIdentity(t.params, o)
	}
	if t.asksStaple(id, &s.staples) {
		t.askStaple(id, s.wanted.name, wire.VersionTLS12)
		return staplingServer12{server12: s, offer: o, chosen: id, by: scheme}, nil
	}
	var err error
	if s.share, err = suite.GroupByID(s.group).Generate(); err != nil {
		return nil, because(CodeInternal, err)
	}
	s.id, s.scheme = id, scheme
	t.facts.Group, t.facts.OwnIdentity, t.facts.OwnScheme = s.group, id.public, scheme.ID
	if t.params.c.ClientAuth != NoClientCert {
		t.transcript.Keep()
	}
	t.transcript.Begin(s.suite.Hash)
	t.transcript.Add(o.raw)
	s.sendHello(t, s.newID)
	t.send(certificate12(id.public, 0))
	if leaf := s.staples.of(id.public, 0); len(leaf.Staple) > 0 {
		t.send(&wire.CertificateStatus12{Response: leaf.Staple})
	}
	ske := &wire.ServerKeyExchange{Group: s.group, Public: s.share.Public(), Scheme: scheme.ID}
	t.ask(Question{Kind: NeedSignature, Identity: id.public, Scheme: scheme.ID, Version: wire.VersionTLS12,
		Message: verify.ServerKeyExchangeInput(&s.randoms, ske.AppendParams(nil))})
	return signingAsServer12{server12: s, ske: ske}, nil
}

// noIdentity says what keeps every identity from being presented.
func (s *server12) noIdentity(p *Params, o *offer12) error {
	w := s.wanted
	if p.c.AskIdentity {
		return noIdentity(p, w)
	}
	w.groups = o.groups
	if id, _ := p.choose(RoleServer, w); id != nil {
		return fail(CodeNoSharedSuite, "for the key of a certificate")
	}
	w.groups = nil
	if id, _ := p.choose(RoleServer, w); id != nil {
		return fail(CodeNoSharedGroup, "for the key of a certificate")
	}
	return noIdentity(p, w)
}

// sendHello sends ServerHello; sessionID echoes the client's in an abbreviated handshake, and names the session in a full
// one.
func (s *server12) sendHello(t *turn, sessionID []byte) {
	t.facts.Version, t.facts.CipherSuite, t.facts.ALPN = wire.VersionTLS12, s.suite.ID, s.alpn
	t.facts.ExtendedMasterSecret, t.facts.SecureRenegotiation = s.ems, s.secure
	msg := &wire.ServerHello{LegacyVersion: wire.VersionTLS12, Random: s.randoms.Server, SessionID: sessionID, CipherSuite: s.suite.ID, Extensions: wire.Extensions{}}
	es := &msg.Extensions
	if s.named && s.resumed == nil {
		es.Add(&wire.ServerNameAck{})
	}
	if s.secure {
		es.Add(&wire.RenegotiationInfo{})
	}
	if s.ems {
		es.Add(&wire.ExtendedMasterSecret{})
	}
	if s.points {
		es.Add(&wire.ECPointFormats{Formats: []byte{0}})
	}
	if s.ticket {
		es.Add(&wire.SessionTicket{})
	}
	if s.alpn != "" {
		es.Add(&wire.ALPN{Protocols: []string{s.alpn}})
	}
	if s.id != nil {
		leaf := s.staples.of(s.id.public, 0)
		if len(leaf.Staple) > 0 {
			es.Add(&wire.EmptyStatusRequest{})
		}
		if len(leaf.SCTs) > 0 {
			es.Add(&wire.SCTs{List: leaf.SCTs})
		}
	}
	s.limits.answer(t, es, wire.VersionTLS12)
	switch {
	case s.id != nil:
		s.types.add(es, s.id.public.Type)
	case s.resumed != nil:
		s.types.add(es, s.resumed.OwnType)
	}
	if len(*es) == 0 {
		msg.Extensions = nil
	}
	t.send(msg)
}

// chooseSuite12 chooses among the TLS 1.2 suites that the identity's key fits; a nil identity fits all.
func chooseSuite12(p *Params, offered []wire.CipherSuite, id *identity) *suite.Suite {
	return chooseSuite(p, offered, func(code wire.CipherSuite) *suite.Suite {
		s := suite.ByID12(code)
		if s == nil || id != nil && !s.Auth.Fits(id.leaf.Kind) {
			return nil
		}
		return s
	})
}

// chooseGroup12 takes the first of our groups that the client lists; hybrids are of TLS 1.3 only. A client without a
// list takes any (RFC 8422, Section 4).
func chooseGroup12(p *Params, offered []wire.Group) wire.Group {
	for _, id := range p.c.Groups {
		if !suite.GroupByID(id).PostQuantum && (len(offered) == 0 || slices.Contains(offered, id)) {
			return id
		}
	}
	return 0
}
