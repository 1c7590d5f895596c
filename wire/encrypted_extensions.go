package wire

// EncryptedExtensions carries the server's answers to extensions that need no keys (RFC 8446, Section 4.3.1).
//
//	struct {
//	    Extension extensions<0..2^16-1>;
//	} EncryptedExtensions;
type EncryptedExtensions struct {
	Extensions
}

// Type gives TypeEncryptedExtensions.
func (m *EncryptedExtensions) Type() HandshakeType { return TypeEncryptedExtensions }

// AppendBody appends the message without its header.
func (m *EncryptedExtensions) AppendBody(b []byte) []byte { return m.Extensions.append(b) }

// Parse reads a whole message, header included. The extensions borrow from raw.
func (m *EncryptedExtensions) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *EncryptedExtensions) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "EncryptedExtensions", TypeEncryptedExtensions, v)
	m.Extensions = c.extensions(0, inEncryptedExtensions)
}

// Ext decodes the extension of v's type into v. present is false when there is none; v is then empty. The
// error is a *ParseError with the place in the message.
func (m *EncryptedExtensions) Ext(v ExtensionView) (present bool, err error) {
	return m.Extensions.decode(v, "EncryptedExtensions", handshakeHeaderLen)
}
