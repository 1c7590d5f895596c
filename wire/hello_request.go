package wire

// HelloRequest asks the client for a new handshake on the same connection (RFC 5246, Section 7.4.1.1). It never is
// part of a transcript.
//
//	struct { } HelloRequest;
type HelloRequest struct{}

// Type gives TypeHelloRequest.
func (m *HelloRequest) Type() HandshakeType { return TypeHelloRequest }

// AppendBody appends nothing.
func (m *HelloRequest) AppendBody(b []byte) []byte { return b }

// Parse reads a whole message, header included.
func (m *HelloRequest) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *HelloRequest) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "HelloRequest", TypeHelloRequest, v)
}
