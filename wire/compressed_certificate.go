package wire

// CompressedCertificate stands in the place of a Certificate message and holds its body, compressed (RFC 8879,
// Section 4).
//
//	struct {
//	    CertificateCompressionAlgorithm algorithm;
//	    uint24 uncompressed_length;
//	    opaque compressed_certificate_message<1..2^24-1>;
//	} CompressedCertificate;
type CompressedCertificate struct {
	Algorithm          CompressionAlgorithm
	UncompressedLength uint32 // in bytes, below 2^24; to be checked before anything is decompressed
	Compressed         []byte // never empty
}

// Type gives TypeCompressedCertificate.
func (m *CompressedCertificate) Type() HandshakeType { return TypeCompressedCertificate }

// AppendBody appends the message without its header.
func (m *CompressedCertificate) AppendBody(b []byte) []byte {
	b = appendUint16(b, uint16(m.Algorithm))
	b = appendUint24(b, m.UncompressedLength)
	return appendOpaque(b, 3, m.Compressed)
}

// Parse reads a whole message, header included. Compressed borrows from raw.
func (m *CompressedCertificate) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *CompressedCertificate) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "CompressedCertificate", TypeCompressedCertificate, v)
	m.Algorithm = CompressionAlgorithm(c.uint16("algorithm", KindCompressionAlgorithm))
	m.UncompressedLength = c.uint24("uncompressed_length", KindUint)
	m.Compressed = c.opaque("compressed_certificate_message", bounds{3, 1, max24}, KindBytes)
}
