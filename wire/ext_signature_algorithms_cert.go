package wire

// SignatureAlgorithmsCert is signature_algorithms_cert in a ClientHello or CertificateRequest: what its
// sender accepts as signatures of certificates (RFC 8446, Section 4.2.3).
//
//	struct {
//	    SignatureScheme supported_signature_algorithms<2..2^16-2>;
//	} SignatureSchemeList;
type SignatureAlgorithmsCert struct {
	Schemes []SignatureScheme // in order of preference
}

// Extension gives ExtSignatureAlgorithmsCert.
func (v *SignatureAlgorithmsCert) Extension() ExtensionType { return ExtSignatureAlgorithmsCert }

// AppendBody appends extension_data.
func (v *SignatureAlgorithmsCert) AppendBody(b []byte) []byte { return appendList16(b, 2, v.Schemes) }

func (v *SignatureAlgorithmsCert) decode(c *cursor) {
	v.Schemes = list16[SignatureScheme](c, "supported_signature_algorithms", bounds{2, 2, max16 - 1}, KindScheme)
}
