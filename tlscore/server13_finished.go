package tlscore

import (
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// serverFlight is a server whose own flight is out; finished is the transcript hash up to its Finished, from which the
// application keys come (RFC 8446, Section 7.1).
type serverFlight struct {
	*serverKeys
	finished []byte
}

// expectClientCertificate is WAIT_CERT of RFC 8446, Appendix A.2.
type expectClientCertificate struct{ serverFlight }

func (expectClientCertificate) name() string { return "WAIT_CERT" }
func (s expectClientCertificate) expects() []wire.HandshakeType {
	if s.decompresses {
		return []wire.HandshakeType{wire.TypeCertificate, wire.TypeCompressedCertificate}
	}
	return []wire.HandshakeType{wire.TypeCertificate}
}

func (s expectClientCertificate) on(t *turn, m message) (state, error) {
	plain, err := t.unpack(m)
	if err != nil {
		return nil, err
	}
	peer, err := readCertificate(plain, t.params, s.types.client, nil, t.params.requested)
	if err != nil {
		return nil, err
	}
	t.absorb(m)
	if peer != nil {
		if err := peer.checkDelegated(t, verify.ClientSigner); err != nil {
			return nil, err
		}
		peer.tell(t.facts)
		return expectClientCertificateVerify{s.serverFlight, peer}, nil
	}
	if t.params.c.ClientAuth == RequireClientCert {
		return nil, fail(CodeCertificateRequired, "")
	}
	return expectClientFinished{serverFlight: s.serverFlight}, nil
}

// expectClientCertificateVerify is WAIT_CV of RFC 8446, Appendix A.2.
type expectClientCertificateVerify struct {
	serverFlight
	peer *peerCertificate
}

func (expectClientCertificateVerify) name() string { return "WAIT_CV" }
func (expectClientCertificateVerify) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeCertificateVerify}
}

func (s expectClientCertificateVerify) on(t *turn, m message) (state, error) {
	proof, scheme, err := s.peer.checkCertificateVerify(t.params, verify.ClientSigner, t.hash(), m)
	if err != nil {
		return nil, err
	}
	t.facts.PeerScheme = scheme.ID
	t.absorb(m)
	t.ask(s.peer.question(""))
	return verifyingClient{serverFlight: s.serverFlight, proof: proof}, nil
}

// verifyingClient awaits the word on the client's chain.
type verifyingClient struct {
	awaitsAnswer
	serverFlight
	proof *verify.SignatureProof
}

func (verifyingClient) name() string { return "verifying the client's certificate" }

func (s verifyingClient) answered(_ *turn, a Answer) (state, error) {
	if err := verdict(a.(Verified)); err != nil {
		return nil, err
	}
	return expectClientFinished{serverFlight: s.serverFlight, presented: true, authenticated: s.proof}, nil
}

// expectClientFinished is WAIT_FINISHED of RFC 8446, Appendix A.2.
type expectClientFinished struct {
	serverFlight
	presented     bool // the client sent a certificate
	authenticated *verify.SignatureProof
}

func (expectClientFinished) name() string { return "WAIT_FINISHED" }
func (expectClientFinished) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeFinished}
}

func (s expectClientFinished) on(t *turn, m message) (state, error) {
	if s.presented && !s.authenticated.Holds() {
		return nil, fail(CodeInternal, "Finished before the client was authenticated")
	}
	var fin wire.Finished
	if err := parse(&fin, m.raw); err != nil {
		return nil, err
	}
	if _, err := verify.Finished(s.client, t.hash(), fin.VerifyData); err != nil {
		return nil, because(CodeBadFinished, err)
	}
	t.absorb(m)
	t.readKeys(EpochApplication, s.suite, s.main.ClientTraffic(s.finished))
	t.done(s.main.Exporter(s.finished), s.main.Resumption(t.hash()), s.resumed)
	t.forget13(s.client, s.server, s.main)
	next := established{role: RoleServer}
	if s.late {
		t.late = newLateAuth(t, s.types.client)
		next.late, next.packed = t.late, len(t.params.decompresses()) > 0
	}
	return next, nil
}
