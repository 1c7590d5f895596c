package tlscore

import (
	"bytes"
	"sync/atomic"

	"github.com/tlswright/tlswright/internal/verify"
)

// knownLeaf is an end-entity certificate that was read, and its key.
type knownLeaf struct {
	der []byte
	key verify.LeafKey
}

// leaves remembers the last one of a configuration: who meets the same peer again need not read its certificate again.
// It spares the reading alone. Whether the certificate is good is asked each time.
type leaves struct{ last atomic.Pointer[knownLeaf] }

// largestKnownLeaf is the largest certificate that is remembered, in bytes.
const largestKnownLeaf = 8 << 10

// own returns bytes of our own equal to der.
func (l *leaves) own(der []byte) []byte {
	if known := l.last.Load(); known != nil && bytes.Equal(known.der, der) {
		return known.der
	}
	return bytes.Clone(der)
}

// read is verify.Leaf. der is not changed afterwards.
func (l *leaves) read(der []byte) (verify.LeafKey, error) {
	if known := l.last.Load(); known != nil && bytes.Equal(known.der, der) {
		return known.key, nil
	}
	key, err := verify.Leaf(der)
	if err == nil && len(der) <= largestKnownLeaf {
		l.last.Store(&knownLeaf{der, key})
	}
	return key, err
}
