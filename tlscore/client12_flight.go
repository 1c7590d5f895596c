package tlscore

import (
	"bytes"
	"slices"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// expectCertificate12 awaits the server's Certificate (RFC 5246, Section 7.4.2).
type expectCertificate12 struct{ *client12 }

func (expectCertificate12) name() string { return "1.2: WAIT_CERT" }
func (expectCertificate12) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeCertificate}
}

func (s expectCertificate12) on(t *turn, m message) (state, error) {
	peer, err := readCertificate12(m, t.params, s.serverType)
	if err != nil {
		return nil, err
	}
	if peer == nil {
		return nil, fail(CodeNoCertificate, "")
	}
	if !s.suite.Auth.Fits(peer.leaf.Kind) {
		return nil, fail(CodeWrongKeyForSuite, "%v for %v", peer.leaf.Kind, s.suite.ID)
	}
	s.peer, peer.scts = peer, s.scts
	peer.tell(t.facts)
	t.absorb(m)
	return expectServerKeyExchange{s.client12}, nil
}

// expectServerKeyExchange awaits ServerKeyExchange, before it CertificateStatus if that was announced.
type expectServerKeyExchange struct{ *client12 }

func (expectServerKeyExchange) name() string { return "1.2: WAIT_SKE" }
func (s expectServerKeyExchange) expects() []wire.HandshakeType {
	if s.client12 != nil && s.status {
		return []wire.HandshakeType{wire.TypeCertificateStatus, wire.TypeServerKeyExchange}
	}
	return []wire.HandshakeType{wire.TypeServerKeyExchange}
}

func (s expectServerKeyExchange) on(t *turn, m message) (state, error) {
	if m.kind == wire.TypeCertificateStatus {
		var status wire.CertificateStatus12
		if err := parse(&status, m.raw); err != nil {
			return nil, err
		}
		s.peer.staple, s.status = bytes.Clone(status.Response), false
		s.peer.tell(t.facts)
		t.absorb(m)
		return s, nil
	}
	var ske wire.ServerKeyExchange
	if err := parse(&ske, m.raw); err != nil {
		return nil, err
	}
	if g := suite.GroupByID(ske.Group); g == nil || g.PostQuantum || !slices.Contains(t.params.c.Groups, ske.Group) {
		return nil, fail(CodeBadGroup, "%v", ske.Group)
	}
	scheme := suite.SchemeByID(ske.Scheme)
	if scheme == nil || !scheme.TLS12 || !slices.Contains(t.params.c.Schemes, ske.Scheme) {
		return nil, fail(CodeBadSchemeUsed, "%v was not offered", ske.Scheme)
	}
	if !s.peer.leaf.FitsTLS12(scheme) {
		return nil, fail(CodeBadSchemeUsed, "%v does not fit the certificate's key", ske.Scheme)
	}
	proof, err := verify.ServerKeyExchange(scheme, s.peer.leaf, &s.randoms, ske.AppendParams(nil), ske.Signature)
	if err != nil {
		return nil, because(CodeBadSignature, err)
	}
	s.proof, s.group, s.point = proof, ske.Group, bytes.Clone(ske.Public)
	t.facts.Group, t.facts.PeerScheme = ske.Group, scheme.ID
	t.absorb(m)
	return expectServerHelloDone{s.client12}, nil
}

// expectServerHelloDone awaits ServerHelloDone, before it perhaps CertificateRequest.
type expectServerHelloDone struct{ *client12 }

func (expectServerHelloDone) name() string { return "1.2: WAIT_SHD" }
func (s expectServerHelloDone) expects() []wire.HandshakeType {
	if s.client12 != nil && s.request != nil {
		return []wire.HandshakeType{wire.TypeServerHelloDone}
	}
	return []wire.HandshakeType{wire.TypeCertificateRequest, wire.TypeServerHelloDone}
}

func (s expectServerHelloDone) on(t *turn, m message) (state, error) {
	t.absorb(m)
	if m.kind == wire.TypeCertificateRequest {
		var req wire.CertificateRequest12
		if err := parse(&req, m.raw); err != nil {
			return nil, err
		}
		s.request = &certificateRequest{wanted: wanted{schemes: slices.Clone(req.Schemes), version: wire.VersionTLS12, keys: slices.Clone(req.Types), types: []wire.CertificateType{s.clientType}}}
		for _, name := range req.Authorities {
			s.request.wanted.authorities = append(s.request.wanted.authorities, bytes.Clone(name))
		}
		t.facts.CertificateRequested = true
		return s, nil
	}
	if err := parse(&wire.ServerHelloDone{}, m.raw); err != nil {
		return nil, err
	}
	t.want(effectAligned)
	t.ask(s.peer.question(s.verifies(t)))
	return verifyingServer12{client12: s.client12}, nil
}

// verifyingServer12 awaits the word on the server's chain, of a full handshake or of the session that is resumed.
type verifyingServer12 struct {
	awaitsAnswer
	*client12
}

func (verifyingServer12) name() string { return "1.2: verifying the server's certificate" }

func (s verifyingServer12) answered(t *turn, a Answer) (state, error) {
	if err := verdict(a.(Verified)); err != nil {
		return nil, err
	}
	switch {
	case s.resumed != nil:
		return expectServerChange{s.client12}, nil
	case !s.proof.Holds():
		return nil, fail(CodeInternal, "no proof of the server's key")
	case s.request == nil, s.echRejected(): // RFC 9849, Section 6.1.7: the public name gets no certificate of ours
		return s.exchange(t, nil, nil)
	case t.params.c.AskIdentity:
		w := s.request.wanted
		t.ask(Question{Kind: NeedIdentity, Version: wire.VersionTLS12, ServerName: t.options.ServerName, Schemes: w.schemes, Authorities: w.authorities, KeyTypes: w.keys, Types: w.types})
		return choosingClientIdentity12{client12: s.client12}, nil
	}
	id, scheme := t.params.choose(RoleClient, s.request.wanted)
	return s.exchange(t, id, scheme)
}

// choosingClientIdentity12 awaits the choice of a client certificate.
type choosingClientIdentity12 struct {
	awaitsAnswer
	*client12
}

func (choosingClientIdentity12) name() string { return "1.2: choosing a client certificate" }

func (s choosingClientIdentity12) answered(t *turn, a Answer) (state, error) {
	id, scheme, err := t.chosen(a.(Chosen), s.request.wanted)
	if err != nil {
		return nil, err
	}
	return s.exchange(t, id, scheme)
}

// exchange sends Certificate if it was asked for, and ClientKeyExchange; it derives the keys, and asks for the signature
// if there is a certificate to prove.
func (c *client12) exchange(t *turn, id *identity, scheme *suite.Scheme) (state, error) {
	if c.request != nil {
		t.send(certificate12(publicOf(id), c.clientType))
	}
	public, shared, err := suite.GroupByID(c.group).Respond(c.point)
	if err != nil {
		return nil, because(CodeBadKeyShare, err)
	}
	t.send(&wire.ClientKeyExchange{Public: public})
	c.master = t.master12(c.suite, shared, c.ems, &c.randoms)
	c.block = c.master.KeyBlock(&c.randoms, c.suite.KeyLen, c.suite.IVLen)
	if id == nil {
		return c.finish(t)
	}
	t.facts.OwnIdentity, t.facts.OwnScheme = id.public, scheme.ID
	t.ask(Question{Kind: NeedSignature, Identity: id.public, Scheme: scheme.ID, Version: wire.VersionTLS12, Message: bytes.Clone(t.transcript.Messages())})
	return signingAsClient12{client12: c}, nil
}

// master12 derives the master secret from the shared secret of the key exchange. The transcript ends at
// ClientKeyExchange (RFC 7627, Section 3).
func (t *turn) master12(s *suite.Suite, shared []byte, ems bool, r *keys.Randoms) keys.Master12 {
	if t.trace != nil {
		t.trace(keys.Derivation{Name: "shared_secret", Output: shared})
	}
	pre := keys.NewPremaster12Traced(s.Hash, shared, t.trace)
	clear(shared)
	defer pre.Wipe()
	if ems {
		return pre.Extended(t.hash())
	}
	return pre.Plain(r)
}

// signingAsClient12 awaits the signature of CertificateVerify.
type signingAsClient12 struct {
	awaitsAnswer
	*client12
}

func (signingAsClient12) name() string { return "1.2: signing as client" }

func (s signingAsClient12) answered(t *turn, a Answer) (state, error) {
	if err := sendCertificateVerify(t, a.(Signed)); err != nil {
		return nil, err
	}
	return s.finish(t)
}

// finish sends change_cipher_spec and Finished of a full handshake.
func (c *client12) finish(t *turn) (state, error) {
	t.transcript.Forget()
	c.sendFinished(t)
	return expectServerChange{c}, nil
}

func (c *client12) sendFinished(t *turn) {
	t.changeCipherSpec()
	t.writeKeys12(c.suite, c.block.ClientKey, c.block.ClientIV)
	t.send(&wire.Finished{VerifyData: c.master.ClientFinished(t.hash())})
}
