package wire

// MessageHash stands for the first ClientHello in the transcript after a HelloRetryRequest. It is never sent
// (RFC 8446, Section 4.4.1).
type MessageHash struct {
	Hash []byte // of the ClientHello
}

// Type gives TypeMessageHash.
func (m *MessageHash) Type() HandshakeType { return TypeMessageHash }

// AppendBody appends the hash.
func (m *MessageHash) AppendBody(b []byte) []byte { return append(b, m.Hash...) }

// Parse reads a whole message, header included. Hash borrows from raw.
func (m *MessageHash) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *MessageHash) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "MessageHash", TypeMessageHash, v)
	m.Hash = c.take("hash", c.rest(), KindBytes)
}
