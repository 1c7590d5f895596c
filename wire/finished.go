package wire

// Finished authenticates the handshake so far (RFC 8446, Section 4.4.4).
//
//	struct {
//	    opaque verify_data[Hash.length];
//	} Finished;
//
// This package does not know the hash, so verify_data may have any length here.
type Finished struct {
	VerifyData []byte
}

// Type gives TypeFinished.
func (m *Finished) Type() HandshakeType { return TypeFinished }

// AppendBody appends the message without its header.
func (m *Finished) AppendBody(b []byte) []byte { return append(b, m.VerifyData...) }

// Parse reads a whole message, header included. VerifyData borrows from raw.
func (m *Finished) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *Finished) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "Finished", TypeFinished, v)
	m.VerifyData = c.take("verify_data", c.rest(), KindBytes)
}
