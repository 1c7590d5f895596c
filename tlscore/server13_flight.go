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
	sessionID []byte // the client's, to echo
	suite     *suite.Suite
	group     wire.Group
	alpn      string
	named     bool     // the client sent server_name
	staples   staples  // what the client wants with our certificate
	changed   bool     // our change_cipher_spec is out
	resumed   *Session // accepted; nil: full handshake
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
	w, share := o.wanted, o.share(hs.group)
	if t.params.c.AskIdentity {
		kept := w.clone()
		t.ask(Question{Kind: NeedIdentity, ServerName: w.name, Schemes: kept.schemes, Authorities: kept.authorities, Hello: cloneHello(o.hello)})
		return choosingServerIdentity{serverHandshake: hs, wanted: kept, share: bytes.Clone(share)}, nil
	}
	id, scheme := t.params.choose(RoleServer, w)
	return hs.hello(t, share, id, scheme, w.name)
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
	return s.hello(t, s.share, id, scheme, s.wanted.name)
}

// hello sends the flight from ServerHello to Certificate, and asks for the signature.
func (hs *serverHandshake) hello(t *turn, share []byte, id *identity, scheme *suite.Scheme, name string) (state, error) {
	if id == nil {
		return nil, noIdentity(t.params, name)
	}
	if share == nil {
		return nil, fail(CodeMissingExtension, "%v, and no session to resume", wire.ExtKeyShare)
	}
	k, err := hs.serverHello(t, share, keys.NewEarlyTraced(hs.suite.Hash, nil, t.trace), nil)
	if err != nil {
		return nil, err
	}
	t.readKeys(EpochHandshake, hs.suite, k.client)
	t.send(&wire.EncryptedExtensions{Extensions: hs.encryptedExtensions()})
	if t.params.c.ClientAuth != NoClientCert {
		t.send(certificateRequestMessage(t.params))
		t.facts.CertificateRequested = true
	}
	t.send(certificateMessage(nil, id.public, hs.staples))
	askSignature(t, verify.ServerSigner, id.public, scheme)
	return signingAsServer{serverKeys: k}, nil
}

// serverHello completes the key exchange, sends ServerHello and moves the write half to the handshake keys. A nil share
// means that the PSK stands alone; a nil psk that there is none.
func (hs *serverHandshake) serverHello(t *turn, share []byte, early keys.Early, psk *wire.PreSharedKeySelected) (*serverKeys, error) {
	msg := &wire.ServerHello{LegacyVersion: wire.VersionTLS12, SessionID: hs.sessionID, CipherSuite: hs.suite.ID, Extensions: wire.Extensions{}}
	randomBytes(msg.Random[:])
	msg.Extensions.Add(&wire.SelectedVersion{Version: wire.VersionTLS13})
	var shared []byte
	if share != nil {
		ours, secret, err := suite.GroupByID(hs.group).Respond(share)
		if err != nil {
			return nil, because(CodeBadKeyShare, err)
		}
		shared = secret
		msg.Extensions.Add(&wire.KeyShareHello{Entry: wire.KeyShareEntry{Group: hs.group, KeyExchange: ours}})
		t.facts.Group = hs.group
	}
	if psk != nil {
		msg.Extensions.Add(psk)
	}
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

func noIdentity(p *Params, name string) error {
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
	if len(p.c.CertificateAuthorities) > 0 {
		msg.Extensions.Add(&wire.CertificateAuthorities{Names: p.c.CertificateAuthorities})
	}
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
	client, server keys.Traffic // of the handshake epoch
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
	t.send(&wire.Finished{VerifyData: k.server.Finished(t.hash())})
	f := serverFlight{k, t.hash()}
	t.writeKeys(EpochApplication, k.suite, k.main.ServerTraffic(f.finished))
	return f
}
