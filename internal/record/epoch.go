package record

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

const (
	nonceLen = 12
	maxKey   = 32 // bytes, of any suite
)

// epoch is the state both directions have: a key, its IV and a counter.
type epoch struct {
	aead cipher.AEAD
	// seq is the number of the next record. It never wraps: at its largest value the epoch is over
	// (RFC 8446, Section 5.3).
	seq uint64
	iv  [nonceLen]byte
	// nonce is working memory. It lives here because what is handed to an interface moves to the heap.
	nonce [nonceLen]byte
	// v12 is nil unless this is TLS 1.2.
	v12 *tls12
}

// set derives the key of the traffic secret and installs it.
func (e *epoch) set(s *suite.Suite, t keys.Traffic) error {
	if s.Version != wire.VersionTLS13 {
		return fmt.Errorf("%v is no cipher suite of TLS 1.3", s.ID)
	}
	var room [maxKey]byte
	defer clear(room[:])
	key := room[:s.KeyLen]
	t.KeysInto(key, e.iv[:])
	err := e.install(s, key, e.iv[:])
	if err != nil {
		e.wipe()
	}
	return err
}

// install makes the AEAD. An iv shorter than the nonce is filled up with zeros.
func (e *epoch) install(s *suite.Suite, key, iv []byte) error {
	aead, err := s.NewAEAD(key)
	if err != nil {
		return fmt.Errorf("make the AEAD of %v: %w", s.ID, err)
	}
	if aead.NonceSize() != nonceLen || aead.Overhead() != s.TagLen || len(iv) != s.IVLen || len(key) != s.KeyLen {
		return fmt.Errorf("make the AEAD of %v: key, nonce or tag of an unexpected size", s.ID)
	}
	e.aead = aead
	copy(e.iv[:], iv)
	return nil
}

// Rest lets go of the AEAD, which is by far the most of what an epoch holds, and keeps the sequence number. Nothing is opened or
// sealed until Wake. It is for TLS 1.3, whose keys can be made again.
func (e *epoch) Rest() { e.aead = nil }

// Wake ends a rest: s and t are those that the epoch was made from. After an error it is as if wiped.
func (e *epoch) Wake(s *suite.Suite, t keys.Traffic) error { return e.set(s, t) }

// nextNonce is the IV combined with the sequence number, which stands at its right end in network byte order
// (RFC 8446, Section 5.3).
func (e *epoch) nextNonce() []byte {
	const at = nonceLen - 8
	copy(e.nonce[:at], e.iv[:at])
	binary.BigEndian.PutUint64(e.nonce[at:], binary.BigEndian.Uint64(e.iv[at:])^e.seq)
	return e.nonce[:]
}

// exhausted reports whether the sequence number must not be used any more.
func (e *epoch) exhausted() bool { return e.seq == math.MaxUint64 }

func (e *epoch) wipe() {
	e.aead = nil
	clear(e.iv[:])
	clear(e.nonce[:])
}
