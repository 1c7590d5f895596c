package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// The runner's algorithms: none compresses anything, and each shows something else about the machine.
const (
	shrinking = wire.CompressionAlgorithm(0xff01)
	expanding = wire.CompressionAlgorithm(0xff02)
	random    = wire.CompressionAlgorithm(0xff03)
)

var errWrongLength = errors.New("the length is not the one declared")

// compression lists the algorithms that a test installs, in the order of BoringSSL's shim.
func (c *settings) compression() []tlscore.CertificateCompression {
	if c.compressWith == 0 && !c.compressAll {
		return nil
	}
	all := []tlscore.CertificateCompression{
		prefixed(expanding, func() []byte { return []byte{1, 2, 3, 4} }),
		{Algorithm: shrinking, Compress: shrink, Decompress: grow},
		prefixed(random, func() []byte { b := make([]byte, 1); rand.Read(b); return b }),
	}
	return slices.DeleteFunc(all, func(a tlscore.CertificateCompression) bool { return !c.compressAll && a.Algorithm != c.compressWith })
}

// prefixed puts something before the message.
func prefixed(a wire.CompressionAlgorithm, prefix func() []byte) tlscore.CertificateCompression {
	return tlscore.CertificateCompression{
		Algorithm: a,
		Compress:  func(out, message []byte) []byte { return append(append(out, prefix()...), message...) },
		Decompress: func(out, compressed []byte) error {
			want := prefix()
			if len(compressed) != len(want)+len(out) || a == expanding && !bytes.HasPrefix(compressed, want) {
				return errWrongLength
			}
			copy(out, compressed[len(want):])
			return nil
		},
	}
}

// shrink leaves out the first two bytes, which are zero.
func shrink(out, message []byte) []byte {
	if !bytes.HasPrefix(message, []byte{0, 0}) {
		return nil
	}
	return append(out, message[2:]...)
}

func grow(out, compressed []byte) error {
	if len(out) != len(compressed)+2 {
		return errWrongLength
	}
	clear(out[:2])
	copy(out[2:], compressed)
	return nil
}
