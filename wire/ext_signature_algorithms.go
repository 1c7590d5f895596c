package wire

// SignatureAlgorithms is signature_algorithms in a ClientHello or CertificateRequest: what its sender
// accepts in CertificateVerify (RFC 8446, Section 4.2.3).
//
//	struct {
//	    SignatureScheme supported_signature_algorithms<2..2^16-2>;
//	} SignatureSchemeList;
type SignatureAlgorithms struct {
	Schemes []SignatureScheme // in order of preference
}

// Extension gives ExtSignatureAlgorithms.
func (v *SignatureAlgorithms) Extension() ExtensionType { return ExtSignatureAlgorithms }

// AppendBody appends extension_data.
func (v *SignatureAlgorithms) AppendBody(b []byte) []byte { return appendList16(b, 2, v.Schemes) }

func (v *SignatureAlgorithms) decode(c *cursor) {
	v.Schemes = list16[SignatureScheme](c, "supported_signature_algorithms", bounds{2, 2, max16 - 1}, KindScheme)
}
