package wire

// NewSessionTicket12 is NewSessionTicket as TLS 1.2 has it (RFC 5077, Section 3.3).
//
//	struct {
//	    uint32 ticket_lifetime_hint;
//	    opaque ticket<0..2^16-1>;
//	} NewSessionTicket;
//
// An empty ticket says that the server has promised one and gives none.
type NewSessionTicket12 struct {
	LifetimeHint uint32 // in seconds, 0 for unspecified
	Ticket       []byte
}

// Type gives TypeNewSessionTicket.
func (m *NewSessionTicket12) Type() HandshakeType { return TypeNewSessionTicket }

// AppendBody appends the message without its header.
func (m *NewSessionTicket12) AppendBody(b []byte) []byte {
	b = appendUint32(b, m.LifetimeHint)
	return appendOpaque(b, 2, m.Ticket)
}

// Parse reads a whole message, header included. Ticket borrows from raw.
func (m *NewSessionTicket12) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *NewSessionTicket12) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "NewSessionTicket", TypeNewSessionTicket, v)
	m.LifetimeHint = c.uint32("ticket_lifetime_hint", KindUint)
	m.Ticket = c.opaque("ticket", bounds{2, 0, max16}, KindBytes)
}
