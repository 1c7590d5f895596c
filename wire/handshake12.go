package wire

// ParseMessage12 reads a whole TLS 1.2 handshake message, header included, into the type its first byte names. The
// hellos, CertificateVerify and Finished are the types TLS 1.3 has; what TLS 1.3 changed or dropped has types of its
// own. A type that TLS 1.2 does not have becomes an *UnknownMessage. The message borrows from raw. The error is a
// *ParseError.
//
// The key exchange messages are those of ECDHE: which key exchange is meant only the cipher suite tells, and ours have
// no other. Those of another may be refused or, by accident, be read as something they are not.
func ParseMessage12(raw []byte) (Message, error) {
	m := newMessage12(raw)
	var c cursor
	decodeMessage12(&c, m, raw, nil)
	if err := c.finish(); err != nil {
		return nil, err
	}
	return m, nil
}

// WalkMessage12 is WalkMessage for a message of TLS 1.2, taken apart as ParseMessage12 does.
func WalkMessage12(raw []byte, v Visitor) error {
	var c cursor
	decodeMessage12(&c, newMessage12(raw), raw, v)
	return c.finish()
}

func newMessage12(raw []byte) Message {
	if len(raw) == 0 {
		return new(UnknownMessage)
	}
	switch HandshakeType(raw[0]) {
	case TypeHelloRequest:
		return new(HelloRequest)
	case TypeClientHello:
		return new(ClientHello)
	case TypeServerHello:
		return new(ServerHello)
	case TypeNewSessionTicket:
		return new(NewSessionTicket12)
	case TypeCertificate:
		return new(Certificate12)
	case TypeServerKeyExchange:
		return new(ServerKeyExchange)
	case TypeCertificateRequest:
		return new(CertificateRequest12)
	case TypeServerHelloDone:
		return new(ServerHelloDone)
	case TypeCertificateVerify:
		return new(CertificateVerify)
	case TypeClientKeyExchange:
		return new(ClientKeyExchange)
	case TypeFinished:
		return new(Finished)
	case TypeCertificateStatus:
		return new(CertificateStatus12)
	}
	return new(UnknownMessage)
}

// decodeMessage12 decodes raw into m, whose type newMessage12 chose. The calls are static for the cursor's sake.
func decodeMessage12(c *cursor, m Message, raw []byte, v Visitor) {
	switch m := m.(type) {
	case *HelloRequest:
		m.decode(c, raw, v)
	case *ClientHello:
		m.decode(c, raw, v)
	case *ServerHello:
		m.decode(c, raw, v)
	case *NewSessionTicket12:
		m.decode(c, raw, v)
	case *Certificate12:
		m.decode(c, raw, v)
	case *ServerKeyExchange:
		m.decode(c, raw, v)
	case *CertificateRequest12:
		m.decode(c, raw, v)
	case *ServerHelloDone:
		m.decode(c, raw, v)
	case *CertificateVerify:
		m.decode(c, raw, v)
	case *ClientKeyExchange:
		m.decode(c, raw, v)
	case *Finished:
		m.decode(c, raw, v)
	case *CertificateStatus12:
		m.decode(c, raw, v)
	case *UnknownMessage:
		m.decode(c, raw, v)
	}
}
