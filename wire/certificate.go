package wire

// CertificateEntry is one certificate of a chain, or a raw public key, with what belongs to it (RFC 8446,
// Section 4.4.2).
//
//	struct {
//	    select (certificate_type) {
//	        case RawPublicKey:
//	          /* From RFC 7250 ASN.1_subjectPublicKeyInfo */
//	          opaque ASN1_subjectPublicKeyInfo<1..2^24-1>;
//	        case X509:
//	          opaque cert_data<1..2^24-1>;
//	    };
//	    Extension extensions<0..2^16-1>;
//	} CertificateEntry;
type CertificateEntry struct {
	Data       []byte // DER, never empty
	Extensions Extensions
}

// Ext decodes the extension of v's type into v. present is false when there is none; v is then empty. The
// error is a *ParseError whose place and offset are those in the entry; Certificate.EntryExt gives those in the message.
func (e *CertificateEntry) Ext(v ExtensionView) (present bool, err error) {
	return e.Extensions.decode(v, "CertificateEntry", 3+len(e.Data))
}

// Certificate carries the certificate chain of its sender, the end-entity certificate first (RFC 8446,
// Section 4.4.2).
//
//	struct {
//	    opaque certificate_request_context<0..2^8-1>;
//	    CertificateEntry certificate_list<0..2^24-1>;
//	} Certificate;
type Certificate struct {
	Context []byte // at most 255 bytes; empty from a server
	Entries []CertificateEntry
}

// Type gives TypeCertificate.
func (m *Certificate) Type() HandshakeType { return TypeCertificate }

// AppendBody appends the message without its header.
func (m *Certificate) AppendBody(b []byte) []byte {
	b = appendOpaque(b, 1, m.Context)
	b, start := reserve(b, 3)
	for i := range m.Entries {
		b = appendOpaque(b, 3, m.Entries[i].Data)
		b = m.Entries[i].Extensions.append(b)
	}
	return seal(b, start, 3)
}

// Parse reads a whole message, header included. Context and the entries borrow from raw.
func (m *Certificate) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *Certificate) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "Certificate", TypeCertificate, v)
	m.Context = c.opaque("certificate_request_context", bounds{1, 0, max8}, KindBytes)
	m.Entries = nil
	outer := c.open("certificate_list", bounds{3, 0, max24})
	for i := 0; c.more(); i++ {
		c.item(i)
		data := c.opaque("cert_data", bounds{3, 1, max24}, KindCertificate)
		m.Entries = append(m.Entries, CertificateEntry{Data: data, Extensions: c.extensions(0, inCertificate)})
	}
	c.close(outer)
}

// EntryExt decodes the extension of v's type of Entries[entry] into v. present is false when there is none; v is then
// empty. The error is a *ParseError with the place in the message.
func (m *Certificate) EntryExt(entry int, v ExtensionView) (present bool, err error) {
	offset := handshakeHeaderLen + 1 + len(m.Context) + 3
	for i := range m.Entries[:entry] {
		offset += 3 + len(m.Entries[i].Data) + m.Entries[i].Extensions.size()
	}
	var c cursor
	c.begin(nil, "Certificate", nil)
	c.place.enter("certificate_list")
	c.item(entry)
	return m.Entries[entry].Extensions.find(&c, v, offset+3+len(m.Entries[entry].Data))
}
