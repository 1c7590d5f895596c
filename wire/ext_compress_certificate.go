package wire

// CompressionAlgorithm is the registered number of a certificate compression algorithm (RFC 8879, Section 3).
type CompressionAlgorithm uint16

// The compression algorithms.
const (
	CompressionZlib   CompressionAlgorithm = 1
	CompressionBrotli CompressionAlgorithm = 2
	CompressionZstd   CompressionAlgorithm = 3
)

// String gives the registered name, "brotli", or "0x0004".
func (a CompressionAlgorithm) String() string {
	name, ok := compressionAlgorithmName(a)
	return name16(uint16(a), name, ok)
}

// CompressCertificate is compress_certificate in a ClientHello or CertificateRequest (RFC 8879, Section 3).
//
//	struct {
//	    CertificateCompressionAlgorithm algorithms<2..2^8-2>;
//	} CertificateCompressionAlgorithms;
type CompressCertificate struct {
	Algorithms []CompressionAlgorithm // in order of preference
}

// Extension gives ExtCompressCertificate.
func (v *CompressCertificate) Extension() ExtensionType { return ExtCompressCertificate }

// AppendBody appends extension_data.
func (v *CompressCertificate) AppendBody(b []byte) []byte { return appendList16(b, 1, v.Algorithms) }

func (v *CompressCertificate) decode(c *cursor) {
	v.Algorithms = list16[CompressionAlgorithm](c, "algorithms", bounds{1, 2, max8 - 1}, KindCompressionAlgorithm)
}
