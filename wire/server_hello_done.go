package wire

// ServerHelloDone ends the first flight of a TLS 1.2 server (RFC 5246, Section 7.4.5).
//
//	struct { } ServerHelloDone;
type ServerHelloDone struct{}

// Type gives TypeServerHelloDone.
func (m *ServerHelloDone) Type() HandshakeType { return TypeServerHelloDone }

// AppendBody appends nothing.
func (m *ServerHelloDone) AppendBody(b []byte) []byte { return b }

// Parse reads a whole message, header included.
func (m *ServerHelloDone) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *ServerHelloDone) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "ServerHelloDone", TypeServerHelloDone, v)
}
