package wire

// CertificateType is the registered number of a certificate format (RFC 7250, Section 3).
type CertificateType uint8

// The certificate types of TLS 1.3.
const (
	CertificateTypeX509         CertificateType = 0
	CertificateTypeRawPublicKey CertificateType = 2
)

// String gives the registered name, "RawPublicKey", or "0x05".
func (t CertificateType) String() string {
	name, ok := certificateTypeName(t)
	return name8(uint8(t), name, ok)
}

// ClientCertificateTypes is client_certificate_type in a ClientHello (RFC 7250, Section 3).
//
//	CertificateType client_certificate_types<1..2^8-1>;
type ClientCertificateTypes struct {
	Types []CertificateType // in order of preference
}

// Extension gives ExtClientCertificateType.
func (v *ClientCertificateTypes) Extension() ExtensionType { return ExtClientCertificateType }

// AppendBody appends extension_data.
func (v *ClientCertificateTypes) AppendBody(b []byte) []byte { return appendList8(b, v.Types) }

func (v *ClientCertificateTypes) decode(c *cursor) {
	v.Types = list8[CertificateType](c, "client_certificate_types", bounds{1, 1, max8}, KindCertificateType)
}

// SelectedClientCertificateType is client_certificate_type in EncryptedExtensions, or in the ServerHello of TLS 1.2
// (RFC 7250, Section 3).
//
//	CertificateType client_certificate_type;
type SelectedClientCertificateType struct {
	Type CertificateType
}

// Extension gives ExtClientCertificateType.
func (v *SelectedClientCertificateType) Extension() ExtensionType { return ExtClientCertificateType }

// AppendBody appends extension_data.
func (v *SelectedClientCertificateType) AppendBody(b []byte) []byte { return append(b, byte(v.Type)) }

func (v *SelectedClientCertificateType) decode(c *cursor) {
	v.Type = CertificateType(c.uint8("client_certificate_type", KindCertificateType))
}
