package wire

// ClientKeyExchange carries the client's ephemeral ECDH key (RFC 8422, Section 5.7).
//
//	struct {
//	    opaque point <1..2^8-1>;
//	} ECPoint;
//
//	struct {
//	    ECPoint ecdh_Yc;
//	} ClientKeyExchange;
type ClientKeyExchange struct {
	Public []byte // 1 to 255 bytes
}

// Type gives TypeClientKeyExchange.
func (m *ClientKeyExchange) Type() HandshakeType { return TypeClientKeyExchange }

// AppendBody appends the message without its header.
func (m *ClientKeyExchange) AppendBody(b []byte) []byte { return appendOpaque(b, 1, m.Public) }

// Parse reads a whole message, header included. Public borrows from raw.
func (m *ClientKeyExchange) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *ClientKeyExchange) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "ClientKeyExchange", TypeClientKeyExchange, v)
	m.Public = c.opaque("ecdh_Yc", bounds{1, 1, max8}, KindBytes)
}
