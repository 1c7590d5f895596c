package wire

// Certificate12 is Certificate as TLS 1.2 has it, without a context and without extensions
// (RFC 5246, Section 7.4.2).
//
//	opaque ASN.1Cert<1..2^24-1>;
//
//	struct {
//	    ASN.1Cert certificate_list<0..2^24-1>;
//	} Certificate;
type Certificate12 struct {
	Chain [][]byte // DER, the end-entity certificate first, none empty
}

// Type gives TypeCertificate.
func (m *Certificate12) Type() HandshakeType { return TypeCertificate }

// AppendBody appends the message without its header.
func (m *Certificate12) AppendBody(b []byte) []byte { return appendOpaques(b, 3, 3, m.Chain) }

// Parse reads a whole message, header included. Chain borrows from raw.
func (m *Certificate12) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *Certificate12) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "Certificate", TypeCertificate, v)
	m.Chain = c.opaques("certificate_list", bounds{3, 0, max24}, bounds{3, 1, max24}, KindCertificate)
}
