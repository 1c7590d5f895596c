package trace

import (
	"fmt"

	"github.com/tlswright/tlswright/internal/certcompress"
	"github.com/tlswright/tlswright/wire"
)

// maxUnpacked is how many bytes a compressed certificate may declare to be taken out here.
const maxUnpacked = 256 << 10

// unpacked is the Certificate message that a CompressedCertificate stands for (RFC 8879, Section 4), with the header that
// it would have; nil: it cannot be taken out.
func unpacked(raw []byte) []byte {
	var packed wire.CompressedCertificate
	if packed.Parse(raw) != nil || packed.UncompressedLength > maxUnpacked {
		return nil
	}
	n := packed.UncompressedLength
	out := append(make([]byte, 0, handshakeHeader+n), byte(wire.TypeCertificate), byte(n>>16), byte(n>>8), byte(n))
	out = out[:cap(out)]
	if certcompress.Decompress(packed.Algorithm, out[handshakeHeader:handshakeHeader+n], packed.Compressed) != nil {
		return nil
	}
	return out[:handshakeHeader+n]
}

// unpackedChain is the chain in a CompressedCertificate, leaf first.
func unpackedChain(raw []byte) (chain [][]byte) {
	var c wire.Certificate
	if plain := unpacked(raw); plain == nil || c.Parse(plain) != nil {
		return nil
	}
	for _, e := range c.Entries {
		chain = append(chain, e.Data)
	}
	return chain
}

// sizesOf says what compression saved.
func sizesOf(raw []byte) string {
	var packed wire.CompressedCertificate
	if packed.Parse(raw) != nil {
		return ""
	}
	what := fmt.Sprintf(" Here %d bytes stand for %d, by %v", len(packed.Compressed), packed.UncompressedLength, packed.Algorithm)
	if unpacked(raw) == nil {
		return what + ", and cannot be taken out."
	}
	return what + "."
}

// certificate is the message with the certificates of a side, compressed or not; nil: there is none.
func (d *decoder) certificate(side Side) *Message {
	if m := d.in(side, wire.TypeCertificate); m != nil {
		return m
	}
	return d.in(side, wire.TypeCompressedCertificate)
}
