package wire

// DelegatedCredential is delegated_credential in a ClientHello or CertificateRequest: its sender takes delegated
// credentials with keys of these schemes (RFC 9345, Section 4.1.1). The credential itself, in a Certificate message, is kept
// as bytes.
//
//	struct {
//	    SignatureScheme supported_signature_algorithms<2..2^16-2>;
//	} SignatureSchemeList;
type DelegatedCredential struct {
	Schemes []SignatureScheme // in order of preference
}

// Extension gives ExtDelegatedCredential.
func (v *DelegatedCredential) Extension() ExtensionType { return ExtDelegatedCredential }

// AppendBody appends extension_data.
func (v *DelegatedCredential) AppendBody(b []byte) []byte { return appendList16(b, 2, v.Schemes) }

func (v *DelegatedCredential) decode(c *cursor) {
	v.Schemes = list16[SignatureScheme](c, "supported_signature_algorithms", bounds{2, 2, max16 - 1}, KindScheme)
}
