package suite

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/tlswright/tlswright/wire"
)

// Suite is a TLS 1.3 cipher suite: an AEAD and the hash of the key schedule. The nonce always has 12 bytes.
type Suite struct {
	// ID is the number of the suite.
	ID wire.CipherSuite
	// Hash is the hash of transcript and key schedule.
	Hash crypto.Hash
	// KeyLen is the size of the AEAD key in bytes.
	KeyLen int
	// TagLen is the size of the authentication tag in bytes.
	TagLen int
	// Bits is the strength of the cipher, for people.
	Bits int
	// NewAEAD makes the AEAD of a key of KeyLen bytes. It fails for a key of another size only.
	NewAEAD func(key []byte) (cipher.AEAD, error)
	// MaxRecords is how many records one key may seal (RFC 8446, Section 5.5); 0 means that the sequence number is
	// the only limit.
	MaxRecords uint64
	// MaxForgeries is how many records may fail to open under one key before it is given up. TLS over a stream dies
	// at the first one, except where a server skips early data it refused; so the number is that of DTLS 1.3
	// (RFC 9147, Section 4.5.3).
	MaxForgeries uint64
}

const (
	// gcmMaxRecords is 2^24.5 full-size records, which keeps a safety margin of 2^-57 (RFC 8446, Section 5.5).
	gcmMaxRecords = 23_726_566
	// maxForgeries is 2^36 (RFC 9147, Section 4.5.3: for all three AEADs here).
	maxForgeries = 1 << 36
	tagLen       = 16
)

var suites = [...]Suite{
	{
		ID: wire.TLS_AES_128_GCM_SHA256, Hash: crypto.SHA256, KeyLen: 16, TagLen: tagLen, Bits: 128,
		NewAEAD: newGCM, MaxRecords: gcmMaxRecords, MaxForgeries: maxForgeries,
	},
	{
		ID: wire.TLS_AES_256_GCM_SHA384, Hash: crypto.SHA384, KeyLen: 32, TagLen: tagLen, Bits: 256,
		NewAEAD: newGCM, MaxRecords: gcmMaxRecords, MaxForgeries: maxForgeries,
	},
	{
		// RFC 8446, Section 5.5: with ChaCha20/Poly1305 the sequence number would wrap before a limit is reached.
		ID: wire.TLS_CHACHA20_POLY1305_SHA256, Hash: crypto.SHA256, KeyLen: chacha20poly1305.KeySize, TagLen: tagLen,
		Bits: 256, NewAEAD: chacha20poly1305.New, MaxForgeries: maxForgeries,
	},
}

// ByID returns the cipher suite with this number, nil if it is not one of ours.
func ByID(id wire.CipherSuite) *Suite {
	for i := range suites {
		if suites[i].ID == id {
			return &suites[i]
		}
	}
	return nil
}

// Defaults returns the TLS 1.3 cipher suites in our order of preference, in a fresh slice.
func Defaults() []wire.CipherSuite {
	return []wire.CipherSuite{
		wire.TLS_AES_128_GCM_SHA256,
		wire.TLS_AES_256_GCM_SHA384,
		wire.TLS_CHACHA20_POLY1305_SHA256,
	}
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
