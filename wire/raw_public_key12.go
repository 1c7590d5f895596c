package wire

// RawPublicKey12 is Certificate as TLS 1.2 has it where a raw public key was agreed on: no list, but one key, or none for a
// client without one (RFC 7250, Section 3).
//
//	struct {
//	    opaque ASN.1_subjectPublicKeyInfo<1..2^24-1>;
//	} Certificate;
type RawPublicKey12 struct {
	Key []byte // SubjectPublicKeyInfo, DER; empty: none
}

// Type gives TypeCertificate.
func (m *RawPublicKey12) Type() HandshakeType { return TypeCertificate }

// AppendBody appends the message without its header.
func (m *RawPublicKey12) AppendBody(b []byte) []byte { return appendOpaque(b, 3, m.Key) }

// Parse reads a whole message, header included. Key borrows from raw.
func (m *RawPublicKey12) Parse(raw []byte) error { return m.Walk(raw, nil) }

// Walk is Parse for a visitor, which [WalkMessage12] has no way to choose: the message does not tell which form it has.
func (m *RawPublicKey12) Walk(raw []byte, v Visitor) error {
	var c cursor
	c.beginMessage(raw, "Certificate", TypeCertificate, v)
	m.Key = c.opaque("subject_public_key_info", bounds{3, 0, max24}, KindCertificate)
	return c.finish()
}
