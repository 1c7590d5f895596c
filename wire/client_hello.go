package wire

// ClientHello opens a handshake (RFC 8446, Section 4.1.2).
//
//	uint16 ProtocolVersion;
//	opaque Random[32];
//	uint8 CipherSuite[2];    /* Cryptographic suite selector */
//
//	struct {
//	    ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
//	    Random random;
//	    opaque legacy_session_id<0..32>;
//	    CipherSuite cipher_suites<2..2^16-2>;
//	    opaque legacy_compression_methods<1..2^8-1>;
//	    Extension extensions<8..2^16-1>;
//	} ClientHello;
//
// One without extensions, or with an empty block, is a valid hello of older versions (RFC 5246, Section 7.4.1.2) and
// is therefore accepted here.
type ClientHello struct {
	LegacyVersion      Version
	Random             [32]byte
	SessionID          []byte // legacy_session_id, at most 32 bytes
	CipherSuites       []CipherSuite
	CompressionMethods []byte     // legacy_compression_methods; a TLS 1.3 client sends a single 0
	Extensions         Extensions // nil: no block at all
}

// Type gives TypeClientHello.
func (m *ClientHello) Type() HandshakeType { return TypeClientHello }

// AppendBody appends the message without its header.
func (m *ClientHello) AppendBody(b []byte) []byte {
	b = appendUint16(b, uint16(m.LegacyVersion))
	b = append(b, m.Random[:]...)
	b = appendOpaque(b, 1, m.SessionID)
	b = appendList16(b, 2, m.CipherSuites)
	b = appendOpaque(b, 1, m.CompressionMethods)
	return m.Extensions.appendIfAny(b)
}

// Parse reads a whole message, header included. SessionID, CompressionMethods and the extensions borrow from raw.
func (m *ClientHello) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *ClientHello) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "ClientHello", TypeClientHello, v)
	m.decodeBody(c)
}

// decodeBody reads what is behind the header.
func (m *ClientHello) decodeBody(c *cursor) {
	m.LegacyVersion = Version(c.uint16("legacy_version", KindVersion))
	copy(m.Random[:], c.take("random", len(m.Random), KindBytes))
	m.SessionID = c.opaque("legacy_session_id", bounds{1, 0, 32}, KindBytes)
	m.CipherSuites = list16[CipherSuite](c, "cipher_suites", bounds{2, 2, max16 - 1}, KindCipherSuite)
	m.CompressionMethods = c.opaque("legacy_compression_methods", bounds{1, 1, max8}, KindBytes)
	m.Extensions = nil
	if c.more() {
		m.Extensions = c.extensions(0, inClientHello)
	}
}

// Ext decodes the extension of v's type into v. present is false when there is none; v is then empty. The
// error is a *ParseError with the place in the message: "ClientHello.extensions[3] key_share: truncated".
func (m *ClientHello) Ext(v ExtensionView) (present bool, err error) {
	offset := handshakeHeaderLen + 2 + len(m.Random) + 1 + len(m.SessionID) + 2 + 2*len(m.CipherSuites) +
		1 + len(m.CompressionMethods)
	return m.Extensions.decode(v, "ClientHello", offset)
}
