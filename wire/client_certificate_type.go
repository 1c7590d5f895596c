package wire

// ClientCertificateType is a kind of certificate that a TLS 1.2 server asks for (RFC 5246, Section 7.4.4). It has
// nothing to do with CertificateType, which tells X.509 from raw public keys.
type ClientCertificateType uint8

// The types that are still of use. ecdsa_sign stands for every curve and for Ed25519 too (RFC 8422, Section 5.5).
const (
	ClientCertificateRSASign   ClientCertificateType = 1
	ClientCertificateECDSASign ClientCertificateType = 64
)

// String gives the registered name, "ecdsa_sign", or "0x63".
func (t ClientCertificateType) String() string {
	name, ok := clientCertificateTypeName(t)
	return name8(uint8(t), name, ok)
}

func clientCertificateTypeName(t ClientCertificateType) (name string, ok bool) {
	switch t {
	case ClientCertificateRSASign:
		return "rsa_sign", true
	case 2:
		return "dss_sign", true
	case 3:
		return "rsa_fixed_dh", true
	case 4:
		return "dss_fixed_dh", true
	case 5:
		return "rsa_ephemeral_dh_RESERVED", true
	case 6:
		return "dss_ephemeral_dh_RESERVED", true
	case 20:
		return "fortezza_dms_RESERVED", true
	case ClientCertificateECDSASign:
		return "ecdsa_sign", true
	case 65:
		return "rsa_fixed_ecdh", true
	case 66:
		return "ecdsa_fixed_ecdh", true
	case 67:
		return "gost_sign256", true
	case 68:
		return "gost_sign512", true
	}
	return "", false
}
