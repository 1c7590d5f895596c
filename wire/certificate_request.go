package wire

// CertificateRequest asks the client for a certificate (RFC 8446, Section 4.3.2).
//
//	struct {
//	    opaque certificate_request_context<0..2^8-1>;
//	    Extension extensions<2..2^16-1>;
//	} CertificateRequest;
type CertificateRequest struct {
	Context    []byte // at most 255 bytes; empty during the handshake
	Extensions Extensions
}

// Type gives TypeCertificateRequest.
func (m *CertificateRequest) Type() HandshakeType { return TypeCertificateRequest }

// AppendBody appends the message without its header.
func (m *CertificateRequest) AppendBody(b []byte) []byte {
	b = appendOpaque(b, 1, m.Context)
	return m.Extensions.append(b)
}

// Parse reads a whole message, header included. Context and the extensions borrow from raw.
func (m *CertificateRequest) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *CertificateRequest) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "CertificateRequest", TypeCertificateRequest, v)
	m.Context = c.opaque("certificate_request_context", bounds{1, 0, max8}, KindBytes)
	m.Extensions = c.extensions(2, inCertificateRequest)
}

// Ext decodes the extension of v's type into v. present is false when there is none; v is then empty. The
// error is a *ParseError with the place in the message.
func (m *CertificateRequest) Ext(v ExtensionView) (present bool, err error) {
	return m.Extensions.decode(v, "CertificateRequest", handshakeHeaderLen+1+len(m.Context))
}
