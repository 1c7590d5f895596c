package wire

// curveTypeNamed is the one curve type in use, named_curve (RFC 8422, Section 5.4).
const curveTypeNamed = 3

// ServerKeyExchange carries the server's ephemeral ECDH key, signed (RFC 8422, Section 5.4; the scheme in front of the
// signature is RFC 5246, Section 4.7).
//
//	struct {
//	    ECCurveType curve_type;
//	    select (curve_type) {
//	        case named_curve:
//	            NamedCurve namedcurve;
//	    };
//	} ECParameters;
//
//	struct {
//	    opaque point <1..2^8-1>;
//	} ECPoint;
//
//	struct {
//	    ECParameters curve_params;
//	    ECPoint      public;
//	} ServerECDHParams;
//
//	struct {
//	    ServerECDHParams params;
//	    SignatureAndHashAlgorithm algorithm;
//	    opaque signature<0..2^16-1>;
//	} ServerKeyExchange;
//
// Any curve type but named_curve is refused (RFC 8422, Section 5.4: it MUST NOT be used).
type ServerKeyExchange struct {
	Group     Group
	Public    []byte // 1 to 255 bytes
	Scheme    SignatureScheme
	Signature []byte
}

// Type gives TypeServerKeyExchange.
func (m *ServerKeyExchange) Type() HandshakeType { return TypeServerKeyExchange }

// AppendParams appends ServerECDHParams, the part of the message that is signed. Of a parsed message it gives the very
// bytes that were received.
func (m *ServerKeyExchange) AppendParams(b []byte) []byte {
	b = append(b, curveTypeNamed)
	b = appendUint16(b, uint16(m.Group))
	return appendOpaque(b, 1, m.Public)
}

// AppendBody appends the message without its header.
func (m *ServerKeyExchange) AppendBody(b []byte) []byte {
	b = m.AppendParams(b)
	b = appendUint16(b, uint16(m.Scheme))
	return appendOpaque(b, 2, m.Signature)
}

// Parse reads a whole message, header included. Public and Signature borrow from raw.
func (m *ServerKeyExchange) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *ServerKeyExchange) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "ServerKeyExchange", TypeServerKeyExchange, v)
	if t := c.uint8("curve_type", KindType); t != curveTypeNamed {
		c.fail("curve_type", "is not named_curve")
	}
	m.Group = Group(c.uint16("namedcurve", KindGroup))
	m.Public = c.opaque("public", bounds{1, 1, max8}, KindBytes)
	m.Scheme = SignatureScheme(c.uint16("algorithm", KindScheme))
	m.Signature = c.opaque("signature", bounds{2, 0, max16}, KindBytes)
}
