package tlsnet

import (
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/internal/certcompress"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// CertificateCompressions lists the algorithms for Config.CertificateCompression, best first: brotli, zstd, zlib.
func CertificateCompressions() []wire.CompressionAlgorithm { return certcompress.All() }

// compressions gives the machine the algorithms that were named.
func compressions(names []wire.CompressionAlgorithm) (out []tlscore.CertificateCompression, err error) {
	for i, a := range names {
		if !slices.Contains(certcompress.All(), a) {
			return nil, fmt.Errorf("certificate compression[%d]: %v is not supported", i, a)
		}
		out = append(out, tlscore.CertificateCompression{
			Algorithm:  a,
			Compress:   func(out, message []byte) []byte { return certcompress.Compress(a, out, message) },
			Decompress: func(out, compressed []byte) error { return certcompress.Decompress(a, out, compressed) },
		})
	}
	return out, nil
}
