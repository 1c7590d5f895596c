package wire

// CertificateStatus12 is the message in which a TLS 1.2 server staples an OCSP response (RFC 6066, Section 8). In
// TLS 1.3 the same bytes are an extension, CertificateStatus.
//
//	struct {
//	    CertificateStatusType status_type;
//	    select (status_type) {
//	        case ocsp: OCSPResponse;
//	    } response;
//	} CertificateStatus;
//
//	opaque OCSPResponse<1..2^24-1>;
//
// Any status type but ocsp is refused.
type CertificateStatus12 struct {
	Response []byte // DER, never empty
}

// Type gives TypeCertificateStatus.
func (m *CertificateStatus12) Type() HandshakeType { return TypeCertificateStatus }

// AppendBody appends the message without its header.
func (m *CertificateStatus12) AppendBody(b []byte) []byte {
	b = append(b, StatusTypeOCSP)
	return appendOpaque(b, 3, m.Response)
}

// Parse reads a whole message, header included. Response borrows from raw.
func (m *CertificateStatus12) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *CertificateStatus12) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "CertificateStatus", TypeCertificateStatus, v)
	if t := c.uint8("status_type", KindType); t != StatusTypeOCSP {
		c.fail("status_type", "is not ocsp")
	}
	m.Response = c.opaque("response", bounds{3, 1, max24}, KindBytes)
}
