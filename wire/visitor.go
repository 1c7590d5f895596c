package wire

// Visitor is shown the fields of a structure, one leaf after another, in the order of the bytes. path names the field
// as ParseError.Path does, offset and length are in bytes. Length prefixes and type bytes are leaves of their own; the
// prefix of a vector has the vector's path. Every leaf is at least one byte long and begins where the former ended.
type Visitor func(path string, offset, length int, kind Kind)

// Kind says what the bytes of a leaf are.
type Kind uint8

// The kinds. Those from KindType on, except KindMalformed, are numbers of a registry: Name gives their meaning.
const (
	// KindUint is a number, big-endian.
	KindUint Kind = iota + 1
	// KindLength is the length prefix of what follows, in bytes.
	KindLength
	// KindBytes is opaque.
	KindBytes
	// KindText is meant to be text, such as a host name; it may be anything all the same.
	KindText
	// KindCertificate is DER: a certificate or a public key.
	KindCertificate
	// KindName is DER: a distinguished name.
	KindName
	// KindMalformed is what could not be parsed.
	KindMalformed
	// KindType selects among alternatives and belongs to none of the registries below.
	KindType
	KindContentType          // a ContentType
	KindHandshakeType        // a HandshakeType
	KindExtensionType        // an ExtensionType
	KindVersion              // a Version
	KindCipherSuite          // a CipherSuite
	KindGroup                // a Group
	KindScheme               // a SignatureScheme
	KindAlertLevel           // an AlertLevel
	KindAlertCode            // an AlertCode
	KindPSKKeyExchangeMode   // a PSKKeyExchangeMode
	KindCompressionAlgorithm // a CompressionAlgorithm
	KindCertificateType      // a CertificateType
	KindKeyUpdateRequest     // a KeyUpdateRequest
	KindECHVersion           // an ECHVersion
	KindECHClientHelloType   // an ECHClientHelloType
	KindHPKEKEM              // an HPKEKEM
	KindHPKEKDF              // an HPKEKDF
	KindHPKEAEAD             // an HPKEAEAD
)

// String gives a word for the kind, "length".
func (k Kind) String() string {
	words := [...]string{
		KindUint: "number", KindLength: "length", KindBytes: "bytes", KindText: "text",
		KindCertificate: "certificate", KindName: "distinguished name", KindMalformed: "malformed", KindType: "type",
		KindContentType: "content type", KindHandshakeType: "handshake type", KindExtensionType: "extension type",
		KindVersion: "version", KindCipherSuite: "cipher suite", KindGroup: "group", KindScheme: "signature scheme",
		KindAlertLevel: "alert level", KindAlertCode: "alert", KindPSKKeyExchangeMode: "PSK key exchange mode",
		KindCompressionAlgorithm: "compression algorithm", KindCertificateType: "certificate type",
		KindKeyUpdateRequest: "key update request", KindECHVersion: "version of ECH",
		KindECHClientHelloType: "type of ClientHello", KindHPKEKEM: "KEM", KindHPKEKDF: "KDF", KindHPKEAEAD: "AEAD",
	}
	if k == 0 || int(k) >= len(words) {
		return name8(uint8(k), "", false)
	}
	return words[k]
}

// Name gives the name of a value of that kind, as the String method of its type does: KindGroup.Name(29) is "x25519".
// It is empty for a kind whose values have no names.
func (k Kind) Name(value uint16) string {
	switch k {
	case KindContentType:
		return ContentType(value).String()
	case KindHandshakeType:
		return HandshakeType(value).String()
	case KindExtensionType:
		return ExtensionType(value).String()
	case KindVersion:
		return Version(value).String()
	case KindCipherSuite:
		return CipherSuite(value).String()
	case KindGroup:
		return Group(value).String()
	case KindScheme:
		return SignatureScheme(value).String()
	case KindAlertLevel:
		return AlertLevel(value).String()
	case KindAlertCode:
		return AlertCode(value).String()
	case KindPSKKeyExchangeMode:
		return PSKKeyExchangeMode(value).String()
	case KindCompressionAlgorithm:
		return CompressionAlgorithm(value).String()
	case KindCertificateType:
		return CertificateType(value).String()
	case KindKeyUpdateRequest:
		return KeyUpdateRequest(value).String()
	case KindECHVersion:
		return ECHVersion(value).String()
	case KindECHClientHelloType:
		return ECHClientHelloType(value).String()
	case KindHPKEKEM:
		return HPKEKEM(value).String()
	case KindHPKEKDF:
		return HPKEKDF(value).String()
	case KindHPKEAEAD:
		return HPKEAEAD(value).String()
	}
	return ""
}

// malformed shows the bytes up to an offset that have not been shown as one leaf.
func (c *cursor) malformed(path string, to int) {
	if c.reported < to {
		c.visit(path, c.reported, to-c.reported, KindMalformed)
		c.reported = to
	}
}
