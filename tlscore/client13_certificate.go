package tlscore

import (
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// expectCertificateOrRequest is WAIT_CERT_CR of RFC 8446, Appendix A.1.
type expectCertificateOrRequest struct{ *clientKeys }

func (expectCertificateOrRequest) name() string { return "WAIT_CERT_CR" }
func (s expectCertificateOrRequest) expects() []wire.HandshakeType {
	if s.takesCompressed() {
		return []wire.HandshakeType{wire.TypeCertificateRequest, wire.TypeCertificate, wire.TypeCompressedCertificate}
	}
	return []wire.HandshakeType{wire.TypeCertificateRequest, wire.TypeCertificate}
}

func (s expectCertificateOrRequest) on(t *turn, m message) (state, error) {
	if m.kind != wire.TypeCertificateRequest {
		return expectCertificate(s).on(t, m)
	}
	req, err := readCertificateRequest(t.params, m, s.clientType)
	if err != nil {
		return nil, err
	}
	// RFC 8446, Section 4.3.2: the context SHALL be zero length unless used for post-handshake authentication.
	if len(req.context) != 0 {
		return nil, fail(CodeBadRequestContext, "")
	}
	req.wanted.now = t.now
	s.request = req
	t.facts.CertificateRequested = true
	t.absorb(m)
	return expectCertificate(s), nil
}

// takesCompressed reports whether the server was asked to compress its certificate.
func (hs *clientKeys) takesCompressed() bool {
	return hs != nil && hs.offered(wire.ExtCompressCertificate)
}

// expectCertificate is WAIT_CERT of RFC 8446, Appendix A.1.
type expectCertificate struct{ *clientKeys }

func (expectCertificate) name() string { return "WAIT_CERT" }
func (s expectCertificate) expects() []wire.HandshakeType {
	if s.takesCompressed() {
		return []wire.HandshakeType{wire.TypeCertificate, wire.TypeCompressedCertificate}
	}
	return []wire.HandshakeType{wire.TypeCertificate}
}

func (s expectCertificate) on(t *turn, m message) (state, error) {
	plain, err := t.unpack(m)
	if err != nil {
		return nil, err
	}
	peer, err := readCertificate(plain, t.params, s.serverType, nil, s.offered)
	if err != nil {
		return nil, err
	}
	if peer == nil {
		return nil, fail(CodeNoCertificate, "")
	}
	if err := peer.checkDelegated(t, verify.ServerSigner); err != nil {
		return nil, err
	}
	peer.tell(t.facts)
	t.absorb(m)
	return expectCertificateVerify{s.clientKeys, peer}, nil
}
