package wire

// HandshakeType is the first byte of a handshake message (RFC 8446, Section 4).
type HandshakeType uint8

// The handshake messages of TLS 1.3 and before.
const (
	TypeHelloRequest          HandshakeType = 0
	TypeClientHello           HandshakeType = 1
	TypeServerHello           HandshakeType = 2 // a HelloRetryRequest too
	TypeNewSessionTicket      HandshakeType = 4
	TypeEndOfEarlyData        HandshakeType = 5
	TypeEncryptedExtensions   HandshakeType = 8
	TypeCertificate           HandshakeType = 11
	TypeServerKeyExchange     HandshakeType = 12
	TypeCertificateRequest    HandshakeType = 13
	TypeServerHelloDone       HandshakeType = 14
	TypeCertificateVerify     HandshakeType = 15
	TypeClientKeyExchange     HandshakeType = 16
	TypeFinished              HandshakeType = 20
	TypeCertificateURL        HandshakeType = 21
	TypeCertificateStatus     HandshakeType = 22
	TypeSupplementalData      HandshakeType = 23
	TypeKeyUpdate             HandshakeType = 24
	TypeCompressedCertificate HandshakeType = 25
	TypeMessageHash           HandshakeType = 254 // never on the wire
)

// String gives the registered name, "client_hello", or "0x63".
func (t HandshakeType) String() string {
	name, ok := handshakeTypeName(t)
	return name8(uint8(t), name, ok)
}

// handshakeHeaderLen is the size of msg_type and length.
const handshakeHeaderLen = 4

// Message is a handshake message.
//
//	struct {
//	    HandshakeType msg_type;    /* handshake type */
//	    uint24 length;             /* remaining bytes in message */
//	    select (Handshake.msg_type) { … };
//	} Handshake;
//
// (RFC 8446, Section 4.) Every type that implements it also has Parse, which reads a whole message, header included,
// and refuses another type, another length and anything malformed with a *ParseError. After an error the message is
// half filled. What extensions hold is looked at by Ext only.
type Message interface {
	// Type is the value of msg_type.
	Type() HandshakeType
	// AppendBody appends the message without its header.
	AppendBody(b []byte) []byte
}

// AppendMessage appends a whole message, header included. It does not allocate if b has room. It panics with a
// *SizeError if a field is too long for its length prefix.
func AppendMessage(b []byte, m Message) []byte {
	b = append(b, byte(m.Type()))
	b, start := reserve(b, 3)
	b = m.AppendBody(b)
	return seal(b, start, 3)
}

// TryAppendMessage does what AppendMessage does and returns the *SizeError instead, with b as it was. It is the one to
// use where a message holds what a peer sent: the longest cookie of a HelloRetryRequest does not fit in a ClientHello
// beside the other extensions (RFC 8446, Section 4.2.2).
func TryAppendMessage(b []byte, m Message) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			tooLong, ok := r.(*SizeError)
			if !ok {
				panic(r)
			}
			out, err = b, tooLong
		}
	}()
	return AppendMessage(b, m), nil
}

// ParseMessage reads a whole TLS 1.3 handshake message, header included, into the type its first byte names. A type
// that TLS 1.3 does not have becomes an *UnknownMessage. The message borrows from raw. The error is a *ParseError.
func ParseMessage(raw []byte) (Message, error) {
	m := newMessage(raw)
	var c cursor
	decodeMessage(&c, m, raw, nil)
	if err := c.finish(); err != nil {
		return nil, err
	}
	return m, nil
}

// WalkMessage reports every field of a whole TLS 1.3 handshake message to v, descending into the extensions that have
// a typed view for this message; the body of any other extension is one KindBytes leaf.
//
// The leaves tile raw even if it is malformed: what could not be read is a KindMalformed leaf, and the error is the
// *ParseError for the first of these. A malformed extension does not stop the walk.
func WalkMessage(raw []byte, v Visitor) error {
	var c cursor
	decodeMessage(&c, newMessage(raw), raw, v)
	return c.finish()
}

func newMessage(raw []byte) Message {
	if len(raw) == 0 {
		return new(UnknownMessage)
	}
	switch HandshakeType(raw[0]) {
	case TypeClientHello:
		return new(ClientHello)
	case TypeServerHello:
		return new(ServerHello)
	case TypeNewSessionTicket:
		return new(NewSessionTicket)
	case TypeEndOfEarlyData:
		return new(EndOfEarlyData)
	case TypeEncryptedExtensions:
		return new(EncryptedExtensions)
	case TypeCertificate:
		return new(Certificate)
	case TypeCertificateRequest:
		return new(CertificateRequest)
	case TypeCertificateVerify:
		return new(CertificateVerify)
	case TypeFinished:
		return new(Finished)
	case TypeKeyUpdate:
		return new(KeyUpdate)
	case TypeCompressedCertificate:
		return new(CompressedCertificate)
	case TypeMessageHash:
		return new(MessageHash)
	}
	return new(UnknownMessage)
}

// decodeMessage decodes raw into m, whose type newMessage chose. The calls are static for the cursor's sake.
func decodeMessage(c *cursor, m Message, raw []byte, v Visitor) {
	switch m := m.(type) {
	case *ClientHello:
		m.decode(c, raw, v)
	case *ServerHello:
		m.decode(c, raw, v)
	case *NewSessionTicket:
		m.decode(c, raw, v)
	case *EndOfEarlyData:
		m.decode(c, raw, v)
	case *EncryptedExtensions:
		m.decode(c, raw, v)
	case *Certificate:
		m.decode(c, raw, v)
	case *CertificateRequest:
		m.decode(c, raw, v)
	case *CertificateVerify:
		m.decode(c, raw, v)
	case *Finished:
		m.decode(c, raw, v)
	case *KeyUpdate:
		m.decode(c, raw, v)
	case *CompressedCertificate:
		m.decode(c, raw, v)
	case *MessageHash:
		m.decode(c, raw, v)
	case *UnknownMessage:
		m.decode(c, raw, v)
	}
}

// beginMessage sets the cursor on the body of a message, having read its header.
func (c *cursor) beginMessage(raw []byte, name string, t HandshakeType, v Visitor) {
	c.begin(raw, name, v)
	if len(raw) > 0 && HandshakeType(raw[0]) != t {
		c.fail("msg_type", "is "+HandshakeType(raw[0]).String()+", not "+t.String())
	}
	c.uint8("msg_type", KindHandshakeType)
	c.messageLength()
}

// messageLength reads the length of a message, which is all of the rest.
func (c *cursor) messageLength() {
	switch n := int(c.uint24("length", KindLength)); {
	case n > c.rest():
		c.fail("", "truncated")
	case n < c.rest():
		c.pos += n
		c.noRest()
	}
}

// UnknownMessage is a message of a type that TLS 1.3 does not have.
type UnknownMessage struct {
	T    HandshakeType
	Body []byte // without the header
}

// Type gives T.
func (m *UnknownMessage) Type() HandshakeType { return m.T }

// AppendBody appends Body.
func (m *UnknownMessage) AppendBody(b []byte) []byte { return append(b, m.Body...) }

// Parse reads a whole message of any type.
func (m *UnknownMessage) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *UnknownMessage) decode(c *cursor, raw []byte, v Visitor) {
	c.begin(raw, "Handshake", v)
	m.T = HandshakeType(c.uint8("msg_type", KindHandshakeType))
	c.messageLength()
	m.Body = c.take("body", c.rest(), KindBytes)
}
