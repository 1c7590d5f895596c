package wire

// ServerHello answers a ClientHello; a HelloRetryRequest is one with a certain random (RFC 8446, Sections 4.1.3 and
// 4.1.4).
//
//	struct {
//	    ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
//	    Random random;
//	    opaque legacy_session_id_echo<0..32>;
//	    CipherSuite cipher_suite;
//	    uint8 legacy_compression_method = 0;
//	    Extension extensions<6..2^16-1>;
//	} ServerHello;
//
// One without extensions, or with an empty block, is a valid hello of older versions (RFC 5246, Section 7.4.1.3) and
// is therefore accepted here.
type ServerHello struct {
	LegacyVersion     Version
	Random            [32]byte
	SessionID         []byte // legacy_session_id_echo, at most 32 bytes
	CipherSuite       CipherSuite
	CompressionMethod uint8      // legacy_compression_method
	Extensions        Extensions // nil: no block at all
}

// HelloRetryRequestRandom is the random that makes a ServerHello a HelloRetryRequest: the SHA-256 of
// "HelloRetryRequest" (RFC 8446, Section 4.1.3).
func HelloRetryRequestRandom() [32]byte {
	return [32]byte{
		0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
		0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
	}
}

// IsHelloRetryRequest reports whether the message asks for another ClientHello.
func (m *ServerHello) IsHelloRetryRequest() bool { return m.Random == HelloRetryRequestRandom() }

// Type gives TypeServerHello.
func (m *ServerHello) Type() HandshakeType { return TypeServerHello }

// AppendBody appends the message without its header.
func (m *ServerHello) AppendBody(b []byte) []byte {
	b = appendUint16(b, uint16(m.LegacyVersion))
	b = append(b, m.Random[:]...)
	b = appendOpaque(b, 1, m.SessionID)
	b = appendUint16(b, uint16(m.CipherSuite))
	b = append(b, m.CompressionMethod)
	return m.Extensions.appendIfAny(b)
}

// Parse reads a whole message, header included. SessionID and the extensions borrow from raw.
func (m *ServerHello) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *ServerHello) decode(c *cursor, raw []byte, v Visitor) {
	// The random decides what the message is called, so it is looked at before the first field is reported.
	const randomAt = handshakeHeaderLen + 2
	m.Random = [32]byte{}
	if len(raw) >= randomAt {
		copy(m.Random[:], raw[randomAt:])
	}
	context := inServerHello
	if m.IsHelloRetryRequest() {
		context = inHelloRetryRequest
	}
	c.beginMessage(raw, m.name(), TypeServerHello, v)
	m.LegacyVersion = Version(c.uint16("legacy_version", KindVersion))
	c.take("random", len(m.Random), KindBytes)
	m.SessionID = c.opaque("legacy_session_id_echo", bounds{1, 0, 32}, KindBytes)
	m.CipherSuite = CipherSuite(c.uint16("cipher_suite", KindCipherSuite))
	m.CompressionMethod = c.uint8("legacy_compression_method", KindUint)
	m.Extensions = nil
	if c.more() {
		m.Extensions = c.extensions(0, context)
	}
}

// Ext decodes the extension of v's type into v. present is false when there is none; v is then empty. The
// error is a *ParseError with the place in the message.
func (m *ServerHello) Ext(v ExtensionView) (present bool, err error) {
	offset := handshakeHeaderLen + 2 + len(m.Random) + 1 + len(m.SessionID) + 3
	return m.Extensions.decode(v, m.name(), offset)
}

func (m *ServerHello) name() string {
	if m.IsHelloRetryRequest() {
		return "HelloRetryRequest"
	}
	return "ServerHello"
}
