package tlscore

import (
	"bytes"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// onLateRequest begins a client's answer to a CertificateRequest after the handshake (RFC 8446, Section 4.6.2).
func (s established) onLateRequest(t *turn, m message) (state, error) {
	// RFC 9113, Section 9.2.3: HTTP/2 clients MUST treat such messages as a connection error.
	if t.facts.ALPN == protocolHTTP2 {
		return nil, fail(CodeLateOverHTTP2, "")
	}
	req, err := readCertificateRequest(t.params, m, s.late.kind)
	if err != nil {
		return nil, err
	}
	if !s.late.isNew(req.context) {
		return nil, fail(CodeBadRequestContext, "it names an earlier request, too")
	}
	req.wanted.now = t.now
	x := s.late.begin(req.context, m.raw)
	x.request, x.facts = req, s.late.now(t.facts)
	x.facts.CertificateRequested, x.facts.OwnCompression = true, 0
	x.enter(t)
	t.want(effectRequested)
	answer := lateAnswer{established: s, x: x}
	if t.params.c.AskIdentity {
		w := req.wanted
		t.ask(Question{Kind: NeedIdentity, Late: true, ServerName: t.options.ServerName, Schemes: w.schemes, Authorities: w.authorities, Types: w.types})
		return choosingLateIdentity{lateAnswer: answer}, nil
	}
	id, scheme := t.params.choose(RoleClient, req.wanted)
	return answer.certificate(t, id, scheme)
}

// lateAnswer is a client that is about to answer.
type lateAnswer struct {
	established established
	x           *lateExchange
}

// certificate presents an identity, or says that there is none.
func (a lateAnswer) certificate(t *turn, id *identity, scheme *suite.Scheme) (state, error) {
	if id == nil {
		t.sendCertificate(a.x.context, nil, &staples{})
		return a.conclude(t)
	}
	if t.asksStaple(id, &a.x.request.staples) {
		t.askStaple(id, t.options.ServerName, wire.VersionTLS13)
		t.question.Late = true
		return staplingLate{lateAnswer: a, id: id, scheme: scheme}, nil
	}
	a.x.presented = true
	a.x.request.staples.delegated = id.delegates(a.x.request.wanted)
	t.sendCertificate(a.x.context, id, &a.x.request.staples)
	askSignature(t, verify.ClientSigner, id.public, scheme, a.x.request.staples.delegated)
	t.question.Late = true
	return signingLate{lateAnswer: a}, nil
}

// conclude leaves the rest, Finished, to the write half.
func (a lateAnswer) conclude(t *turn) (state, error) {
	a.x.request = nil
	t.effects = append(t.effects, effect{kind: effectLate, late: a.x})
	return a.established, nil
}

// choosingLateIdentity awaits the choice of a client certificate.
type choosingLateIdentity struct {
	awaitsAnswer
	lateAnswer
}

func (choosingLateIdentity) name() string {
	return "choosing a client certificate, after the handshake"
}

func (s choosingLateIdentity) answered(t *turn, a Answer) (state, error) {
	s.x.enter(t)
	id, scheme, err := t.chosen(a.(Chosen), s.x.request.wanted)
	if err != nil {
		return nil, err
	}
	return s.certificate(t, id, scheme)
}

// staplingLate awaits the OCSP responses for the client's certificates.
type staplingLate struct {
	awaitsAnswer
	lateAnswer
	id     *identity
	scheme *suite.Scheme
}

func (staplingLate) name() string { return "stapling as client, after the handshake" }

func (s staplingLate) answered(t *turn, a Answer) (state, error) {
	s.x.enter(t)
	if err := s.x.request.staples.take(a.(Stapling), s.id); err != nil {
		return nil, err
	}
	return s.certificate(t, s.id, s.scheme)
}

// signingLate awaits the signature of the CertificateVerify.
type signingLate struct {
	awaitsAnswer
	lateAnswer
}

func (signingLate) name() string { return "signing as client, after the handshake" }

func (s signingLate) answered(t *turn, a Answer) (state, error) {
	s.x.enter(t)
	if err := sendCertificateVerify(t, a.(Signed)); err != nil {
		return nil, err
	}
	return s.conclude(t)
}

// readCertificateRequest reads a server's CertificateRequest; kind is the type of certificate that was agreed on.
func readCertificateRequest(p *Params, m message, kind wire.CertificateType) (*certificateRequest, error) {
	var req wire.CertificateRequest
	if err := parse(&req, m.raw); err != nil {
		return nil, err
	}
	if dup, twice := req.Extensions.Duplicate(); twice {
		return nil, fail(CodeDuplicateExtension, "%v", dup)
	}
	var algorithms wire.SignatureAlgorithms
	if present, err := decoded(req.Ext(&algorithms)); err != nil {
		return nil, err
	} else if !present {
		return nil, missing(algorithms.Extension())
	}
	var chains wire.SignatureAlgorithmsCert
	if _, err := decoded(req.Ext(&chains)); err != nil {
		return nil, err
	}
	var authorities wire.CertificateAuthorities
	if _, err := decoded(req.Ext(&authorities)); err != nil {
		return nil, err
	}
	var delegated wire.DelegatedCredentialSchemes
	if _, err := decoded(req.Ext(&delegated)); err != nil {
		return nil, err
	}
	w := wanted{schemes: algorithms.Schemes, delegated: delegated.Schemes, chains: chains.Schemes, authorities: authorities.Names, types: []wire.CertificateType{kind}}
	r := &certificateRequest{context: bytes.Clone(req.Context), wanted: w.clone(), staples: askedStaples(req.Extensions)}
	var err error
	r.staples.compress, err = p.askedCompression(&req, req.Extensions)
	return r, err
}
