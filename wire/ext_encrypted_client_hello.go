package wire

// ECHClientHelloType tells the outer ClientHello from the inner one (RFC 9849, Section 5).
type ECHClientHelloType uint8

// The two kinds of ClientHello.
const (
	ECHOuter ECHClientHelloType = 0
	ECHInner ECHClientHelloType = 1
)

// String gives "outer", "inner" or "0x02".
func (t ECHClientHelloType) String() string {
	switch t {
	case ECHOuter:
		return "outer"
	case ECHInner:
		return "inner"
	}
	return name8(uint8(t), "", false)
}

// ECHClientHello is encrypted_client_hello in a ClientHello (RFC 9849, Section 5).
//
//	enum { outer(0), inner(1) } ECHClientHelloType;
//
//	struct {
//	    ECHClientHelloType type;
//	    select (ECHClientHello.type) {
//	        case outer:
//	            HpkeSymmetricCipherSuite cipher_suite;
//	            uint8 config_id;
//	            opaque enc<0..2^16-1>;
//	            opaque payload<1..2^16-1>;
//	        case inner:
//	            Empty;
//	    };
//	} ECHClientHello;
type ECHClientHello struct {
	Type        ECHClientHelloType
	CipherSuite HPKESuite // this and what follows: of the outer one
	ConfigID    uint8
	Enc         []byte // the encapsulated key; empty in the ClientHello after a HelloRetryRequest
	Payload     []byte // never empty
	Other       []byte // the rest of one of any other type
}

// Extension gives ExtEncryptedClientHello.
func (v *ECHClientHello) Extension() ExtensionType { return ExtEncryptedClientHello }

// AppendBody appends extension_data.
func (v *ECHClientHello) AppendBody(b []byte) []byte {
	b = append(b, byte(v.Type))
	switch v.Type {
	case ECHOuter:
		b = v.CipherSuite.append(b)
		b = append(b, v.ConfigID)
		b = appendOpaque(b, 2, v.Enc)
		return appendOpaque(b, 2, v.Payload)
	case ECHInner:
		return b
	}
	return append(b, v.Other...)
}

func (v *ECHClientHello) decode(c *cursor) {
	*v = ECHClientHello{Type: ECHClientHelloType(c.uint8("type", KindECHClientHelloType))}
	switch v.Type {
	case ECHOuter:
		v.CipherSuite = hpkeSuite(c, "cipher_suite.")
		v.ConfigID = c.uint8("config_id", KindUint)
		v.Enc = c.opaque("enc", bounds{2, 0, max16}, KindBytes)
		v.Payload = c.opaque("payload", bounds{2, 1, max16}, KindBytes)
	case ECHInner:
	default:
		v.Other = c.take("data", c.rest(), KindBytes)
	}
}

// ECHRetryConfigs is encrypted_client_hello in EncryptedExtensions, where the server could not read the inner ClientHello
// (RFC 9849, Section 5).
//
//	struct {
//	    ECHConfigList retry_configs;
//	} ECHEncryptedExtensions;
type ECHRetryConfigs struct {
	List ECHConfigList
}

// Extension gives ExtEncryptedClientHello.
func (v *ECHRetryConfigs) Extension() ExtensionType { return ExtEncryptedClientHello }

// AppendBody appends extension_data.
func (v *ECHRetryConfigs) AppendBody(b []byte) []byte { return v.List.Append(b) }

func (v *ECHRetryConfigs) decode(c *cursor) { v.List.decode(c, "retry_configs") }

// ECHConfirmation is encrypted_client_hello in a HelloRetryRequest (RFC 9849, Section 5).
//
//	struct {
//	    opaque confirmation[8];
//	} ECHHelloRetryRequest;
type ECHConfirmation struct {
	Confirmation [8]byte
}

// Extension gives ExtEncryptedClientHello.
func (v *ECHConfirmation) Extension() ExtensionType { return ExtEncryptedClientHello }

// AppendBody appends extension_data.
func (v *ECHConfirmation) AppendBody(b []byte) []byte { return append(b, v.Confirmation[:]...) }

func (v *ECHConfirmation) decode(c *cursor) {
	v.Confirmation = [8]byte{}
	copy(v.Confirmation[:], c.take("confirmation", len(v.Confirmation), KindBytes))
}
