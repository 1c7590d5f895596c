package wire

// CertificateRequest12 is CertificateRequest as TLS 1.2 has it (RFC 5246, Section 7.4.4).
//
//	opaque DistinguishedName<1..2^16-1>;
//
//	struct {
//	    ClientCertificateType certificate_types<1..2^8-1>;
//	    SignatureAndHashAlgorithm supported_signature_algorithms<2..2^16-2>;
//	    DistinguishedName certificate_authorities<0..2^16-1>;
//	} CertificateRequest;
//
// The RFC leaves out the bounds of supported_signature_algorithms; they are those of the extension.
type CertificateRequest12 struct {
	Types       []ClientCertificateType // 1 to 255
	Schemes     []SignatureScheme       // never empty
	Authorities [][]byte                // DER, none empty
}

// Type gives TypeCertificateRequest.
func (m *CertificateRequest12) Type() HandshakeType { return TypeCertificateRequest }

// AppendBody appends the message without its header.
func (m *CertificateRequest12) AppendBody(b []byte) []byte {
	b = appendList8(b, m.Types)
	b = appendList16(b, 2, m.Schemes)
	return appendOpaques(b, 2, 2, m.Authorities)
}

// Parse reads a whole message, header included. Authorities borrows from raw.
func (m *CertificateRequest12) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *CertificateRequest12) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "CertificateRequest", TypeCertificateRequest, v)
	m.Types = list8[ClientCertificateType](c, "certificate_types", bounds{1, 1, max8}, KindType)
	m.Schemes = list16[SignatureScheme](c, "supported_signature_algorithms", bounds{2, 2, max16 - 1}, KindScheme)
	m.Authorities = c.opaques("certificate_authorities", bounds{2, 0, max16}, bounds{2, 1, max16}, KindName)
}
