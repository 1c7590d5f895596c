package wire

// ServerCertificateTypes is server_certificate_type in a ClientHello (RFC 7250, Section 3).
//
//	CertificateType server_certificate_types<1..2^8-1>;
type ServerCertificateTypes struct {
	Types []CertificateType // in order of preference
}

// Extension gives ExtServerCertificateType.
func (v *ServerCertificateTypes) Extension() ExtensionType { return ExtServerCertificateType }

// AppendBody appends extension_data.
func (v *ServerCertificateTypes) AppendBody(b []byte) []byte { return appendList8(b, v.Types) }

func (v *ServerCertificateTypes) decode(c *cursor) {
	v.Types = list8[CertificateType](c, "server_certificate_types", bounds{1, 1, max8}, KindCertificateType)
}

// SelectedServerCertificateType is server_certificate_type in EncryptedExtensions, or in the ServerHello of TLS 1.2
// (RFC 7250, Section 3).
//
//	CertificateType server_certificate_type;
type SelectedServerCertificateType struct {
	Type CertificateType
}

// Extension gives ExtServerCertificateType.
func (v *SelectedServerCertificateType) Extension() ExtensionType { return ExtServerCertificateType }

// AppendBody appends extension_data.
func (v *SelectedServerCertificateType) AppendBody(b []byte) []byte { return append(b, byte(v.Type)) }

func (v *SelectedServerCertificateType) decode(c *cursor) {
	v.Type = CertificateType(c.uint8("server_certificate_type", KindCertificateType))
}
