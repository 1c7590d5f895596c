package tlscore

import (
	"bytes"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// expectCertificateOrRequest is WAIT_CERT_CR of RFC 8446, Appendix A.1.
type expectCertificateOrRequest struct{ *clientKeys }

func (expectCertificateOrRequest) name() string { return "WAIT_CERT_CR" }
func (expectCertificateOrRequest) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeCertificateRequest, wire.TypeCertificate}
}

func (s expectCertificateOrRequest) on(t *turn, m message) (state, error) {
	if m.kind == wire.TypeCertificate {
		return expectCertificate(s).on(t, m)
	}
	var req wire.CertificateRequest
	if err := parse(&req, m.raw); err != nil {
		return nil, err
	}
	if kind, twice := req.Extensions.Duplicate(); twice {
		return nil, fail(CodeDuplicateExtension, "%v", kind)
	}
	// RFC 8446, Section 4.3.2: the context SHALL be zero length unless used for post-handshake authentication.
	if len(req.Context) != 0 {
		return nil, fail(CodeBadRequestContext, "")
	}
	var algorithms wire.SignatureAlgorithms
	if err := needExt(&req, &algorithms); err != nil {
		return nil, err
	}
	var chains wire.SignatureAlgorithmsCert
	if _, err := ext(&req, &chains); err != nil {
		return nil, err
	}
	var authorities wire.CertificateAuthorities
	if _, err := ext(&req, &authorities); err != nil {
		return nil, err
	}
	s.request = &certificateRequest{wanted: wanted{schemes: slices.Clone(algorithms.Schemes), chains: chains.Schemes}, staples: askedStaples(req.Extensions)}
	for _, name := range authorities.Names {
		s.request.wanted.authorities = append(s.request.wanted.authorities, bytes.Clone(name))
	}
	t.facts.CertificateRequested = true
	t.absorb(m)
	return expectCertificate(s), nil
}

// expectCertificate is WAIT_CERT of RFC 8446, Appendix A.1.
type expectCertificate struct{ *clientKeys }

func (expectCertificate) name() string { return "WAIT_CERT" }
func (expectCertificate) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeCertificate}
}

func (s expectCertificate) on(t *turn, m message) (state, error) {
	peer, err := readCertificate(m, &t.params.c, s.offered)
	if err != nil {
		return nil, err
	}
	if peer == nil {
		return nil, fail(CodeNoCertificate, "")
	}
	peer.tell(t.facts)
	t.absorb(m)
	return expectCertificateVerify{s.clientKeys, peer}, nil
}
