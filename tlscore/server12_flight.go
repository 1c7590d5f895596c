package tlscore

import (
	"bytes"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// signingAsServer12 awaits the signature of ServerKeyExchange.
type signingAsServer12 struct {
	awaitsAnswer
	*server12
	ske *wire.ServerKeyExchange
}

func (signingAsServer12) name() string { return "1.2: signing as server" }

func (s signingAsServer12) answered(t *turn, a Answer) (state, error) {
	signed := a.(Signed)
	if err := checkSignature(signed); err != nil {
		return nil, err
	}
	s.ske.Signature = signed.Signature
	t.send(s.ske)
	if t.params.c.ClientAuth == NoClientCert {
		t.send(&wire.ServerHelloDone{})
		return expectClientKeyExchange{s.server12}, nil
	}
	t.facts.CertificateRequested = true
	t.send(&wire.CertificateRequest12{
		Types:   []wire.ClientCertificateType{wire.ClientCertificateECDSASign, wire.ClientCertificateRSASign},
		Schemes: t.params.c.Schemes, Authorities: t.params.c.CertificateAuthorities,
	})
	t.send(&wire.ServerHelloDone{})
	return expectClientCertificate12{s.server12}, nil
}

// expectClientCertificate12 awaits the client's Certificate.
type expectClientCertificate12 struct{ *server12 }

func (expectClientCertificate12) name() string { return "1.2: WAIT_CERT" }
func (expectClientCertificate12) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeCertificate}
}

func (s expectClientCertificate12) on(t *turn, m message) (state, error) {
	peer, err := readCertificate12(m, t.params, s.types.client)
	if err != nil {
		return nil, err
	}
	if peer == nil && t.params.c.ClientAuth == RequireClientCert {
		// RFC 5246, Section 7.4.6: handshake_failure; certificate_required is an alert of TLS 1.3.
		e := fail(CodeCertificateRequired, "")
		e.alert = wire.AlertHandshakeFailure
		return nil, e
	}
	if s.peer = peer; peer != nil {
		peer.tell(t.facts)
	}
	t.absorb(m)
	return expectClientKeyExchange{s.server12}, nil
}

// expectClientKeyExchange awaits ClientKeyExchange.
type expectClientKeyExchange struct{ *server12 }

func (expectClientKeyExchange) name() string { return "1.2: WAIT_CKE" }
func (expectClientKeyExchange) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeClientKeyExchange}
}

func (s expectClientKeyExchange) on(t *turn, m message) (state, error) {
	var cke wire.ClientKeyExchange
	if err := parse(&cke, m.raw); err != nil {
		return nil, err
	}
	shared, err := s.share.Shared(cke.Public)
	if err != nil {
		return nil, because(CodeBadKeyShare, err)
	}
	t.absorb(m)
	s.master = t.master12(s.suite, shared, s.ems, &s.randoms)
	s.block = s.master.KeyBlock(&s.randoms, s.suite.KeyLen, s.suite.IVLen)
	if s.peer != nil {
		return expectClientCertificateVerify12{s.server12}, nil
	}
	t.transcript.Forget()
	return expectClientChange{s.server12}, nil
}

// expectClientCertificateVerify12 awaits the client's proof that it has its certificate's key.
type expectClientCertificateVerify12 struct{ *server12 }

func (expectClientCertificateVerify12) name() string { return "1.2: WAIT_CV" }
func (expectClientCertificateVerify12) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeCertificateVerify}
}

func (s expectClientCertificateVerify12) on(t *turn, m message) (state, error) {
	var cv wire.CertificateVerify
	if err := parse(&cv, m.raw); err != nil {
		return nil, err
	}
	scheme := suite.SchemeByID(cv.Scheme)
	if scheme == nil || !scheme.TLS12 || !slices.Contains(t.params.c.Schemes, cv.Scheme) || !s.peer.leaf.FitsTLS12(scheme) {
		return nil, fail(CodeBadSchemeUsed, "%v", cv.Scheme)
	}
	proof, err := verify.CertificateVerify12(scheme, s.peer.leaf, t.transcript.Messages(), cv.Signature)
	if err != nil {
		return nil, because(CodeBadSignature, err)
	}
	t.facts.PeerScheme = scheme.ID
	t.absorb(m)
	t.transcript.Forget()
	t.ask(s.peer.question(""))
	return verifyingClient12{server12: s.server12, proof: proof}, nil
}

// verifyingClient12 awaits the word on the client's chain.
type verifyingClient12 struct {
	awaitsAnswer
	*server12
	proof *verify.SignatureProof
}

func (verifyingClient12) name() string { return "1.2: verifying the client's certificate" }

func (s verifyingClient12) answered(_ *turn, a Answer) (state, error) {
	if err := verdict(a.(Verified)); err != nil {
		return nil, err
	}
	if !s.proof.Holds() {
		return nil, fail(CodeInternal, "no proof of the client's key")
	}
	return expectClientChange{s.server12}, nil
}

// expectClientChange awaits the client's change_cipher_spec.
type expectClientChange struct{ *server12 }

func (expectClientChange) name() string                  { return "1.2: WAIT_CCS" }
func (expectClientChange) expects() []wire.HandshakeType { return nil }
func (expectClientChange) on(*turn, message) (state, error) {
	return nil, fail(CodeInternal, "message before change_cipher_spec")
}
func (s expectClientChange) onChange(t *turn) (state, error) {
	t.readKeys12(s.suite, s.block.ClientKey, s.block.ClientIV)
	return expectClientFinished12(s), nil
}

// expectClientFinished12 awaits the client's Finished.
type expectClientFinished12 struct{ *server12 }

func (expectClientFinished12) name() string { return "1.2: WAIT_FINISHED" }
func (expectClientFinished12) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeFinished}
}

func (s expectClientFinished12) on(t *turn, m message) (state, error) {
	var fin wire.Finished
	if err := parse(&fin, m.raw); err != nil {
		return nil, err
	}
	if _, err := verify.Finished12(verify.ClientSigner, s.master, t.hash(), fin.VerifyData); err != nil {
		return nil, because(CodeBadFinished, err)
	}
	t.absorb(m)
	if s.resumed != nil {
		return s.end(t)
	}
	if !s.ticket && len(s.newID) == 0 {
		s.sendFinished(t)
		return s.end(t)
	}
	session := newSession(t.now, t.facts, bytes.Clone(s.master.Secret()), nil)
	session.ExtendedMasterSecret, session.Lifetime, session.SessionID = s.ems, MaxTicketLifetime, s.newID
	t.ask(Question{Kind: NeedTicket, Resumed: session})
	return issuingTicket12{server12: s.server12}, nil
}

// issuingTicket12 awaits the ticket for the new session.
type issuingTicket12 struct {
	awaitsAnswer
	*server12
}

func (issuingTicket12) name() string { return "1.2: issuing a ticket" }

// answered sends NewSessionTicket, unless the session is remembered by its id; it was announced, so an empty one stands for none (RFC 5077, Section 3.3).
func (s issuingTicket12) answered(t *turn, a Answer) (state, error) {
	if s.ticket {
		if err := sendTicket12(t, a.(Issued)); err != nil {
			return nil, err
		}
	}
	s.sendFinished(t)
	return s.end(t)
}

func sendTicket12(t *turn, issued Issued) error {
	if len(issued.Ticket) > 1<<16-1 {
		return fail(CodeTooLongToSend, "ticket of %d bytes", len(issued.Ticket))
	}
	t.send(&wire.NewSessionTicket12{LifetimeHint: uint32(issued.Lifetime / time.Second), Ticket: issued.Ticket})
	return nil
}

func (s *server12) sendFinished(t *turn) {
	t.changeCipherSpec()
	t.writeKeys12(s.suite, s.block.ServerKey, s.block.ServerIV)
	t.send(&wire.Finished{VerifyData: s.master.ServerFinished(t.hash())})
}

func (s *server12) end(t *turn) (state, error) {
	t.done12(s.master, &s.randoms, s.ems, s.resumed)
	t.forget(s.block)
	return established12{RoleServer, s.master}, nil
}
