package wire

// EndOfEarlyData says that the client's 0-RTT data is complete (RFC 8446, Section 4.5).
//
//	struct {} EndOfEarlyData;
type EndOfEarlyData struct{}

// Type gives TypeEndOfEarlyData.
func (m *EndOfEarlyData) Type() HandshakeType { return TypeEndOfEarlyData }

// AppendBody appends nothing.
func (m *EndOfEarlyData) AppendBody(b []byte) []byte { return b }

// Parse reads a whole message, header included.
func (m *EndOfEarlyData) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *EndOfEarlyData) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "EndOfEarlyData", TypeEndOfEarlyData, v)
}
