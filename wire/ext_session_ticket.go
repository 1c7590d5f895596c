package wire

// SessionTicket is session_ticket of TLS 1.2: a ticket or nothing in a ClientHello, nothing in a ServerHello
// (RFC 5077, Section 3.2). The data is the ticket, without a length of its own.
type SessionTicket struct {
	Ticket []byte
}

// Extension gives ExtSessionTicket.
func (v *SessionTicket) Extension() ExtensionType { return ExtSessionTicket }

func (v *SessionTicket) bodySize() int { return len(v.Ticket) }

// AppendBody appends extension_data.
func (v *SessionTicket) AppendBody(b []byte) []byte { return append(b, v.Ticket...) }

func (v *SessionTicket) decode(c *cursor) { v.Ticket = c.take("ticket", c.rest(), KindBytes) }
