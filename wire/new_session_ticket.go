package wire

// NewSessionTicket gives the client something to resume with (RFC 8446, Section 4.6.1).
//
//	struct {
//	    uint32 ticket_lifetime;
//	    uint32 ticket_age_add;
//	    opaque ticket_nonce<0..255>;
//	    opaque ticket<1..2^16-1>;
//	    Extension extensions<0..2^16-2>;
//	} NewSessionTicket;
type NewSessionTicket struct {
	Lifetime   uint32 // in seconds
	AgeAdd     uint32 // added to the age in milliseconds, modulo 2^32
	Nonce      []byte // at most 255 bytes
	Ticket     []byte // never empty
	Extensions Extensions
}

// Type gives TypeNewSessionTicket.
func (m *NewSessionTicket) Type() HandshakeType { return TypeNewSessionTicket }

// AppendBody appends the message without its header.
func (m *NewSessionTicket) AppendBody(b []byte) []byte {
	b = appendUint32(b, m.Lifetime)
	b = appendUint32(b, m.AgeAdd)
	b = appendOpaque(b, 1, m.Nonce)
	b = appendOpaque(b, 2, m.Ticket)
	return m.Extensions.append(b)
}

// Parse reads a whole message, header included. Nonce, Ticket and the extensions borrow from raw.
func (m *NewSessionTicket) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *NewSessionTicket) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "NewSessionTicket", TypeNewSessionTicket, v)
	m.Lifetime = c.uint32("ticket_lifetime", KindUint)
	m.AgeAdd = c.uint32("ticket_age_add", KindUint)
	m.Nonce = c.opaque("ticket_nonce", bounds{1, 0, max8}, KindBytes)
	m.Ticket = c.opaque("ticket", bounds{2, 1, max16}, KindBytes)
	m.Extensions = c.extensions(0, inNewSessionTicket)
}

// Ext decodes the extension of v's type into v. present is false when there is none; v is then empty. The
// error is a *ParseError with the place in the message.
func (m *NewSessionTicket) Ext(v ExtensionView) (present bool, err error) {
	return m.Extensions.decode(v, "NewSessionTicket", handshakeHeaderLen+8+1+len(m.Nonce)+2+len(m.Ticket))
}
