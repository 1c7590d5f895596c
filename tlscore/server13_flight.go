package tlscore

import (
	"bytes"
	"slices"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// serverHandshake is what a server has settled about a connection (NEGOTIATED in RFC 8446, Appendix A.2).
type serverHandshake struct {
	sessionID    []byte // the client's, to echo
	suite        *suite.Suite
	group        wire.Group
	alpn         string
	named        bool // the client sent server_name
	types        certificateTypes
	staples      staples  // what the client wants with our certificate
	changed      bool     // our change_cipher_spec is out
	resumed      *Session // accepted; nil: full handshake
	decompresses bool     // the client was asked to compress its certificate
	limits       offeredLimits
	ech          *serverECH
	late         bool // a certificate may be asked for after the handshake
	promised     bool // the first ClientHello had an external PSK to go on with
}

// sendChangeCipherSpec sends the compatibility record after our first message, if the client sent a legacy_session_id
// (RFC 8446, Appendix D.4).
func (hs *serverHandshake) sendChangeCipherSpec(t *turn) {
	if len(hs.sessionID) > 0 && !hs.changed {
		hs.changed = true
		t.changeCipherSpec()
	}
}

// chooseIdentity finds the certificate to present, or asks for it.
func (hs *serverHandshake) chooseIdentity(t *turn, o *offer) (state, error) {
	hs.named, hs.staples = o.wanted.name != "", askedStaples(o.hello.Extensions)
	var err error
	if hs.types, err = o.certificateTypes(t.params, hs.late); err != nil {
		return nil, err
	}
	hs.late = hs.late && !hs.types.none
	if hs.staples.compress, err = t.params.askedCompression(o.hello, o.hello.Extensions); err != nil {
		return nil, err
	}
	w, share := o.wanted, o.share(hs.group)
	w.now = t.now
	if t.params.c.AskIdentity {
		kept := w.clone()
		t.ask(Question{Kind: NeedIdentity, ServerName: w.name, Schemes: kept.schemes, Authorities: kept.authorities, Types: kept.types, Hello: cloneHello(o.hello)})
		return choosingServerIdentity{serverHandshake: hs, wanted: kept, share: bytes.Clone(share)}, nil
	}
	id, scheme := t.params.choose(RoleServer, w)
	return hs.hello(t, share, id, scheme, w)
}

// choosingServerIdentity awaits the choice of a server certificate.
type choosingServerIdentity struct {
	awaitsAnswer
	*serverHandshake
	wanted wanted
	share  []byte
}

func (choosingServerIdentity) name() string { return "choosing a server certificate" }

func (s choosingServerIdentity) answered(t *turn, a Answer) (state, error) {
	id, scheme, err := t.chosen(a.(Chosen), s.wanted)
	if err != nil {
		return nil, err
	}
	return s.hello(t, s.share, id, scheme, s.wanted)
}

// hello sends the flight from ServerHello to Certificate, and asks for the signature.
func (hs *serverHandshake) hello(t *turn, share []byte, id *identity, scheme *suite.Scheme, w wanted) (state, error) {
	if id == nil {
		return nil, noIdentity(t.params, w)
	}
	if share == nil {
		return nil, fail(CodeMissingExtension, "%v, and no session to resume", wire.ExtKeyShare)
	}
	if t.asksStaple(id, &hs.staples) {
		t.askStaple(id, w.name, wire.VersionTLS13)
		return staplingServer{serverHandshake: hs, share: bytes.Clone(share), id: id, scheme: scheme, wanted: w.clone()}, nil
	}
	k, err := hs.serverHello(t, share, keys.NewEarlyTraced(hs.suite.Hash, nil, t.trace), nil)
	if err != nil {
		return nil, err
	}
	t.readKeys(EpochHandshake, hs.suite, k.client)
	es := hs.encryptedExtensions()
	hs.limits.answer(t, &es, wire.VersionTLS13)
	hs.ech.addRetryConfigs(t.params, &es)
	hs.types.add(&es, id.public.Type)
	t.send(&wire.EncryptedExtensions{Extensions: es})
	if t.params.c.ClientAuth != NoClientCert {
		t.send(certificateRequestMessage(t.params))
		t.facts.CertificateRequested, hs.decompresses = true, len(t.params.decompresses()) > 0
	}
	hs.staples.delegated = id.delegates(w)
	t.sendCertificate(nil, id, &hs.staples)
	askSignature(t, verify.ServerSigner, id.public, scheme, hs.staples.delegated)
	return signingAsServer{serverKeys: k}, nil
}

// serverHello completes the key exchange, sends ServerHello and moves the write half to the handshake keys. A nil share
// means that the PSK stands alone; a nil psk that there is none.
func (hs *serverHandshake) serverHello(t *turn, share []byte, early keys.Early, psk *wire.PreSharedKeySelected) (*serverKeys, error) {
	var room struct { // in one piece, for the allocator's sake
		msg        wire.ServerHello
		extensions [3]wire.Extension
	}
	msg := &room.msg
	*msg = wire.ServerHello{LegacyVersion: wire.VersionTLS12, SessionID: hs.sessionID, CipherSuite: hs.suite.ID, Extensions: room.extensions[:0]}
	randomBytes(msg.Random[:])
	msg.Extensions = append(msg.Extensions, t.params.selected13)
	var shared []byte
	if share != nil {
		ours, secret, err := suite.GroupByID(hs.group).Respond(share)
		if err != nil {
			return nil, because(CodeBadKeyShare, err)
		}
		shared = secret
		entry := wire.KeyShareHello{Entry: wire.KeyShareEntry{Group: hs.group, KeyExchange: ours}}
		msg.Extensions = append(msg.Extensions, wire.Extension{Type: wire.ExtKeyShare, Data: entry.AppendBody(make([]byte, 0, 4+len(ours)))})
		t.facts.Group = hs.group
	}
	if psk != nil {
		msg.Extensions.Add(psk)
	}
	hs.ech.confirm(t, msg)
	t.facts.ServerRandom = msg.Random
	t.facts.Version, t.facts.CipherSuite, t.facts.ALPN = wire.VersionTLS13, hs.suite.ID, hs.alpn
	t.send(msg)
	hs.sendChangeCipherSpec(t)
	handshake := t.handshakeKeys(early, shared)
	th := t.hash()
	k := &serverKeys{serverHandshake: hs, client: handshake.ClientTraffic(th), server: handshake.ServerTraffic(th), main: handshake.Main()}
	handshake.Wipe()
	t.writeKeys(EpochHandshake, hs.suite, k.server)
	return k, nil
}

func noIdentity(p *Params, w wanted) error {
	name := w.name
	if len(p.identities) > 0 && !slices.ContainsFunc(p.identities, func(id *identity) bool { return w.takesType(id.public.Type) }) {
		return fail(CodeNoSharedCertificateType, "the client takes %v, and we have none", w.types)
	}
	if p.c.StrictServerName && name != "" {
		return fail(CodeNoIdentity, "%q", name)
	}
	return fail(CodeNoSharedScheme, "")
}

func (hs *serverHandshake) encryptedExtensions() wire.Extensions {
	es := wire.Extensions{}
	if hs.named {
		es.Add(&wire.ServerNameAck{})
	}
	if hs.alpn != "" {
		es.Add(&wire.ALPN{Protocols: []string{hs.alpn}})
	}
	return es
}

func certificateRequestMessage(p *Params) *wire.CertificateRequest {
	msg := &wire.CertificateRequest{Extensions: wire.Extensions{}}
	msg.Extensions.Add(&wire.SignatureAlgorithms{Schemes: p.c.Schemes})
	p.c.addStaples(&msg.Extensions, RoleServer)
	p.c.addDelegated(&msg.Extensions)
	p.addCompression(&msg.Extensions)
	if len(p.c.CertificateAuthorities) > 0 {
		msg.Extensions.Add(&wire.CertificateAuthorities{Names: p.c.CertificateAuthorities})
	}
	p.c.greaseRequest(&msg.Extensions)
	return msg
}

// cloneHello copies a ClientHello out of the message it borrows from.
func cloneHello(h *wire.ClientHello) *wire.ClientHello {
	c := *h
	c.SessionID = bytes.Clone(h.SessionID)
	c.CipherSuites = slices.Clone(h.CipherSuites)
	c.CompressionMethods = bytes.Clone(h.CompressionMethods)
	c.Extensions = slices.Clone(h.Extensions)
	for i := range c.Extensions {
		c.Extensions[i].Data = bytes.Clone(c.Extensions[i].Data)
	}
	return &c
}

// serverKeys is what a server holds from its ServerHello to the client's Finished.
type serverKeys struct {
	*serverHandshake
	main           keys.Main
	client, server keys.Traffic    // of the handshake epoch
	sum            [maxDigest]byte // memory of serverFlight.finished
}

// signingAsServer awaits the signature of the server's CertificateVerify.
type signingAsServer struct {
	awaitsAnswer
	*serverKeys
}

func (signingAsServer) name() string { return "signing as server" }

func (s signingAsServer) answered(t *turn, a Answer) (state, error) {
	if err := sendCertificateVerify(t, a.(Signed)); err != nil {
		return nil, err
	}
	f := s.finish(t)
	if t.params.c.ClientAuth != NoClientCert {
		return expectClientCertificate{f}, nil
	}
	return expectClientFinished{serverFlight: f}, nil
}

// finish sends Finished and moves the write half to the application keys.
func (k *serverKeys) finish(t *turn) serverFlight {
	t.finished(k.server)
	f := serverFlight{k, t.transcript.SumInto(k.sum[:0])}
	t.writeKeys(EpochApplication, k.suite, k.main.ServerTraffic(f.finished))
	return f
}
