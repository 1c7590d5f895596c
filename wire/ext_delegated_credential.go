package wire

// DelegatedCredentialSchemes is delegated_credential in a ClientHello or CertificateRequest: its sender takes delegated
// credentials with keys of these schemes (RFC 9345, Section 4.1.1).
//
//	struct {
//	    SignatureScheme supported_signature_algorithms<2..2^16-2>;
//	} SignatureSchemeList;
type DelegatedCredentialSchemes struct {
	Schemes []SignatureScheme // in order of preference
}

// Extension gives ExtDelegatedCredential.
func (v *DelegatedCredentialSchemes) Extension() ExtensionType { return ExtDelegatedCredential }

// AppendBody appends extension_data.
func (v *DelegatedCredentialSchemes) AppendBody(b []byte) []byte {
	return appendList16(b, 2, v.Schemes)
}

func (v *DelegatedCredentialSchemes) decode(c *cursor) {
	v.Schemes = list16[SignatureScheme](c, "supported_signature_algorithms", bounds{2, 2, max16 - 1}, KindScheme)
}

// DelegatedCredential is delegated_credential of a certificate in a Certificate message: a key that the certificate's owner
// has signed, to sign the handshake in the place of the certificate's own (RFC 9345, Section 4).
//
//	struct {
//	    uint32 valid_time;
//	    SignatureScheme dc_cert_verify_algorithm;
//	    opaque ASN1_subjectPublicKeyInfo<1..2^24-1>;
//	} Credential;
//
//	struct {
//	    Credential cred;
//	    SignatureScheme algorithm;
//	    opaque signature<1..2^16-1>;
//	} DelegatedCredential;
type DelegatedCredential struct {
	ValidTime uint32          // seconds, from notBefore of the certificate
	Scheme    SignatureScheme // dc_cert_verify_algorithm: that the key signs the handshake with
	PublicKey []byte          // SubjectPublicKeyInfo, DER, never empty
	Algorithm SignatureScheme // of Signature
	Signature []byte          // of the certificate's key, never empty
}

// Extension gives ExtDelegatedCredential.
func (v *DelegatedCredential) Extension() ExtensionType { return ExtDelegatedCredential }

// AppendSigned appends what the certificate's owner signs of it: cred and algorithm.
func (v *DelegatedCredential) AppendSigned(b []byte) []byte {
	b = appendUint32(b, v.ValidTime)
	b = appendUint16(b, uint16(v.Scheme))
	b = appendOpaque(b, 3, v.PublicKey)
	return appendUint16(b, uint16(v.Algorithm))
}

// AppendBody appends extension_data.
func (v *DelegatedCredential) AppendBody(b []byte) []byte {
	return appendOpaque(v.AppendSigned(b), 2, v.Signature)
}

// Parse reads a credential as it stands in extension_data. Its slices borrow from data.
func (v *DelegatedCredential) Parse(data []byte) error {
	entry := CertificateEntry{Extensions: Extensions{{Type: ExtDelegatedCredential, Data: data}}}
	_, err := entry.Ext(v)
	return err
}

func (v *DelegatedCredential) decode(c *cursor) {
	v.ValidTime = c.uint32("cred.valid_time", KindUint)
	v.Scheme = SignatureScheme(c.uint16("cred.dc_cert_verify_algorithm", KindScheme))
	v.PublicKey = c.opaque("cred.ASN1_subjectPublicKeyInfo", bounds{3, 1, max24}, KindBytes)
	v.Algorithm = SignatureScheme(c.uint16("algorithm", KindScheme))
	v.Signature = c.opaque("signature", bounds{2, 1, max16}, KindBytes)
}
