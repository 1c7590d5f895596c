package tlscore

import (
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// inOnePiece is the part of states that await the rest of an answer, between whose messages nothing else may come.
//
// RFC 8446, Section 4.6.2: all of the client's messages for a given response MUST appear consecutively on the wire with no
// intervening messages of other types.
type inOnePiece struct{}

func (inOnePiece) uninterrupted() {}

// onLateCertificate begins a client's answer to one of our requests.
func (s established) onLateCertificate(t *turn, m message) (state, error) {
	facts := s.late.now(t.facts)
	facts.PeerCompression = 0
	t.facts = &facts
	plain, err := t.unpack(m)
	if err != nil {
		return nil, err
	}
	var cert wire.Certificate
	if err := parse(&cert, plain.raw); err != nil {
		return nil, err
	}
	x := s.late.take(cert.Context)
	if x == nil {
		return nil, fail(CodeBadRequestContext, "no open request has it")
	}
	x.facts = facts
	x.enter(t)
	peer, err := readCertificate(plain, t.params, s.late.kind, x.context, t.params.requested)
	if err != nil {
		return nil, err
	}
	t.absorb(m)
	if peer == nil {
		return expectLateFinished{established: s, x: x}, nil
	}
	x.presented = true
	if err := peer.checkDelegated(t, verify.ClientSigner); err != nil {
		return nil, err
	}
	peer.tell(t.facts)
	return expectLateCertificateVerify{established: s, x: x, peer: peer}, nil
}

// expectLateCertificateVerify awaits the signature of a client's answer.
type expectLateCertificateVerify struct {
	inOnePiece
	established established
	x           *lateExchange
	peer        *peerCertificate
}

func (expectLateCertificateVerify) name() string { return "WAIT_CV, after the handshake" }
func (expectLateCertificateVerify) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeCertificateVerify}
}

func (s expectLateCertificateVerify) on(t *turn, m message) (state, error) {
	s.x.enter(t)
	proof, scheme, err := s.peer.checkCertificateVerify(t.params, verify.ClientSigner, t.hash(), m)
	if err != nil {
		return nil, err
	}
	t.facts.PeerScheme = scheme.ID
	t.absorb(m)
	q := s.peer.question("")
	facts := s.x.facts
	q.Late, q.LateFacts = true, &facts
	t.ask(q)
	return verifyingLateClient{established: s.established, x: s.x, proof: proof}, nil
}

// verifyingLateClient awaits the word on the client's chain.
type verifyingLateClient struct {
	awaitsAnswer
	established established
	x           *lateExchange
	proof       *verify.SignatureProof
}

func (verifyingLateClient) name() string {
	return "verifying the client's certificate, after the handshake"
}

func (s verifyingLateClient) answered(_ *turn, a Answer) (state, error) {
	if err := verdict(a.(Verified)); err != nil {
		return nil, err
	}
	return expectLateFinished{established: s.established, x: s.x, authenticated: s.proof}, nil
}

// expectLateFinished awaits the end of a client's answer. An answer with a certificate cannot leave it without the proof
// that the client has the key.
type expectLateFinished struct {
	inOnePiece
	established   established
	x             *lateExchange
	authenticated *verify.SignatureProof
}

func (expectLateFinished) name() string { return "WAIT_FINISHED, after the handshake" }
func (expectLateFinished) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeFinished}
}

func (s expectLateFinished) on(t *turn, m message) (state, error) {
	s.x.enter(t)
	if s.x.presented && !s.authenticated.Holds() {
		return nil, fail(CodeInternal, "Finished before the client was authenticated")
	}
	var fin wire.Finished
	if err := parse(&fin, m.raw); err != nil {
		return nil, err
	}
	// RFC 8446, Section 4.4: the base key is client_application_traffic_secret_N, the one that this record came under.
	if _, err := verify.Finished(t.incoming, t.hash(), fin.VerifyData); err != nil {
		return nil, because(CodeBadFinished, err)
	}
	t.effects = append(t.effects, effect{kind: effectLate, late: s.x})
	return s.established, nil
}
