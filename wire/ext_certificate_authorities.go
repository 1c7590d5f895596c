package wire

// CertificateAuthorities is certificate_authorities in a ClientHello or CertificateRequest (RFC 8446, Section 4.2.4).
//
//	opaque DistinguishedName<1..2^16-1>;
//
//	struct {
//	    DistinguishedName authorities<3..2^16-1>;
//	} CertificateAuthoritiesExtension;
type CertificateAuthorities struct {
	Names [][]byte // distinguished names in DER; none is empty
}

// Extension gives ExtCertificateAuthorities.
func (v *CertificateAuthorities) Extension() ExtensionType { return ExtCertificateAuthorities }

// AppendBody appends extension_data.
func (v *CertificateAuthorities) AppendBody(b []byte) []byte { return appendOpaques(b, 2, 2, v.Names) }

func (v *CertificateAuthorities) decode(c *cursor) {
	v.Names = c.opaques("authorities", bounds{2, 3, max16}, bounds{2, 1, max16}, KindName)
}
