package wire

// CertificateVerify proves possession of the key in the certificate by a signature over the transcript (RFC 8446,
// Section 4.4.3).
//
//	struct {
//	    SignatureScheme algorithm;
//	    opaque signature<0..2^16-1>;
//	} CertificateVerify;
type CertificateVerify struct {
	Scheme    SignatureScheme
	Signature []byte
}

// Type gives TypeCertificateVerify.
func (m *CertificateVerify) Type() HandshakeType { return TypeCertificateVerify }

// AppendBody appends the message without its header.
func (m *CertificateVerify) AppendBody(b []byte) []byte {
	b = appendUint16(b, uint16(m.Scheme))
	return appendOpaque(b, 2, m.Signature)
}

// Parse reads a whole message, header included. Signature borrows from raw.
func (m *CertificateVerify) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *CertificateVerify) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "CertificateVerify", TypeCertificateVerify, v)
	m.Scheme = SignatureScheme(c.uint16("algorithm", KindScheme))
	m.Signature = c.opaque("signature", bounds{2, 0, max16}, KindBytes)
}
