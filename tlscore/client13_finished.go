package tlscore

import (
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// expectCertificateVerify is WAIT_CV of RFC 8446, Appendix A.1.
type expectCertificateVerify struct {
	*clientKeys
	peer *peerCertificate
}

func (expectCertificateVerify) name() string { return "WAIT_CV" }
func (expectCertificateVerify) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeCertificateVerify}
}

func (s expectCertificateVerify) on(t *turn, m message) (state, error) {
	proof, scheme, err := s.peer.checkCertificateVerify(t.params, verify.ServerSigner, t.hash(), m)
	if err != nil {
		return nil, err
	}
	t.facts.PeerScheme = scheme.ID
	t.absorb(m)
	t.ask(s.peer.question(s.verifies(t)))
	return verifyingServer{clientKeys: s.clientKeys, proof: serverProof{signature: proof}}, nil
}

// verifyingServer awaits the word on the server's chain.
type verifyingServer struct {
	awaitsAnswer
	*clientKeys
	proof serverProof
}

// serverProof is why a client may believe whom it talks to: a signature of this handshake, or a PSK that only that server
// and we know, of a session or an external one.
type serverProof struct {
	signature *verify.SignatureProof
	resumed   *Session
	keyed     *pskEntry
}

func (p serverProof) holds() bool { return p.signature.Holds() || p.resumed != nil || p.keyed != nil }

func (verifyingServer) name() string { return "verifying the server's certificate" }

func (s verifyingServer) answered(_ *turn, a Answer) (state, error) {
	if err := verdict(a.(Verified)); err != nil {
		return nil, err
	}
	return expectServerFinished{s.clientKeys, s.proof}, nil
}

// expectServerFinished is WAIT_FINISHED of RFC 8446, Appendix A.1. It cannot be left without the proof of
// who the server is.
type expectServerFinished struct {
	*clientKeys
	authenticated serverProof
}

func (expectServerFinished) name() string { return "WAIT_FINISHED" }
func (expectServerFinished) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeFinished}
}

func (s expectServerFinished) on(t *turn, m message) (state, error) {
	if !s.authenticated.holds() {
		return nil, fail(CodeInternal, "Finished before the server was authenticated")
	}
	var fin wire.Finished
	if err := parse(&fin, m.raw); err != nil {
		return nil, err
	}
	if _, err := verify.Finished(s.server, t.hash(), fin.VerifyData); err != nil {
		return nil, because(CodeBadFinished, err)
	}
	t.absorb(m)
	f := clientFlight{s.clientKeys, t.transcript.SumInto(s.sum[:0])}
	s.endEarlyData(t)
	if s.request == nil {
		return f.finish(t)
	}
	if s.echRejected() { // RFC 9849, Section 6.1.7: the client MUST respond with an empty Certificate message
		return f.certificate(t, nil, nil)
	}
	if t.params.c.AskIdentity {
		w := s.request.wanted
		t.ask(Question{Kind: NeedIdentity, ServerName: t.options.ServerName, Schemes: w.schemes, Authorities: w.authorities, Types: w.types})
		return choosingClientIdentity{clientFlight: f}, nil
	}
	id, scheme := t.params.choose(RoleClient, s.request.wanted)
	return f.certificate(t, id, scheme)
}

// clientFlight is the client's second flight; finished is the transcript hash up to the server's Finished, from which
// the application keys come (RFC 8446, Section 7.1).
type clientFlight struct {
	*clientKeys
	finished []byte
}

// certificate presents an identity, or says that there is none.
func (f clientFlight) certificate(t *turn, id *identity, scheme *suite.Scheme) (state, error) {
	if id == nil {
		t.sendCertificate(f.request.context, nil, &staples{})
		return f.finish(t)
	}
	if t.asksStaple(id, &f.request.staples) {
		t.askStaple(id, t.options.ServerName, wire.VersionTLS13)
		return staplingClient{clientFlight: f, id: id, scheme: scheme}, nil
	}
	f.request.staples.delegated = id.delegates(f.request.wanted)
	t.sendCertificate(f.request.context, id, &f.request.staples)
	askSignature(t, verify.ClientSigner, id.public, scheme, f.request.staples.delegated)
	return signingAsClient{clientFlight: f}, nil
}

// finish sends Finished and moves to the application keys.
func (f clientFlight) finish(t *turn) (state, error) {
	t.finished(f.client)
	client, server := f.main.ClientTraffic(f.finished), f.main.ServerTraffic(f.finished)
	t.writeKeys(EpochApplication, f.suite, client)
	t.readKeys(EpochApplication, f.suite, server)
	if f.echRejected() {
		f.endRejected(t)
		return established{role: RoleClient}, nil
	}
	res := f.main.Resumption(t.hash())
	t.done(f.main.Exporter(f.finished), res, f.resumed)
	t.forget13(f.client, f.server, f.main)
	next := established{role: RoleClient, resumption: res, resumed: f.resumed}
	if f.offered(wire.ExtPostHandshakeAuth) {
		t.late = newLateAuth(t, f.clientType)
		next.late = t.late
	}
	return next, nil
}

// choosingClientIdentity awaits the choice of a client certificate.
type choosingClientIdentity struct {
	awaitsAnswer
	clientFlight
}

func (choosingClientIdentity) name() string { return "choosing a client certificate" }

func (s choosingClientIdentity) answered(t *turn, a Answer) (state, error) {
	id, scheme, err := t.chosen(a.(Chosen), s.request.wanted)
	if err != nil {
		return nil, err
	}
	return s.certificate(t, id, scheme)
}

// signingAsClient awaits the signature of the client's CertificateVerify.
type signingAsClient struct {
	awaitsAnswer
	clientFlight
}

func (signingAsClient) name() string { return "signing as client" }

func (s signingAsClient) answered(t *turn, a Answer) (state, error) {
	if err := sendCertificateVerify(t, a.(Signed)); err != nil {
		return nil, err
	}
	return s.finish(t)
}

// chosen checks the identity that an answer named, and finds the scheme to sign with. No identity: nil, nil, nil.
func (t *turn) chosen(a Chosen, w wanted) (*identity, *suite.Scheme, error) {
	if a.Err != nil {
		e := because(CodeNoIdentity, a.Err)
		e.alert = a.Alert
		return nil, nil, e
	}
	if a.Identity == nil {
		return nil, nil, nil
	}
	id, err := t.params.find(a.Identity)
	if err != nil {
		return nil, nil, because(CodeInternal, err)
	}
	s := id.scheme(w)
	if s == nil || !w.takes(id.leaf.Kind) || !w.takesType(id.public.Type) {
		return nil, nil, fail(CodeNoSharedScheme, "the chosen certificate's key does not fit")
	}
	return id, s, nil
}
