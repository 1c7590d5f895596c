package suite

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/tlswright/tlswright/wire"
)

// Suite is a cipher suite: an AEAD and the hash of the key schedule or of the PRF. The nonce always has 12 bytes.
type Suite struct {
	// ID is the number of the suite.
	ID wire.CipherSuite
	// Version is the one version the suite belongs to, TLS 1.3 or TLS 1.2.
	Version wire.Version
	// Auth says which keys the server may have: in TLS 1.2 the suite decides, in TLS 1.3 it is AuthAny.
	Auth Auth
	// Hash is the hash of transcript and key schedule; in TLS 1.2 that of transcript and PRF.
	Hash crypto.Hash
	// KeyLen is the size of the AEAD key in bytes.
	KeyLen int
	// IVLen is how many bytes of the nonce come from the key schedule: all 12, or the 4 of the salt where each record
	// carries the rest.
	IVLen int
	// ExplicitLen is how many bytes of the nonce each record carries, 8 or 0 (RFC 5288, Section 3).
	ExplicitLen int
	// TagLen is the size of the authentication tag in bytes.
	TagLen int
	// Bits is the strength of the cipher, for people.
	Bits int
	// Cipher is the AEAD; see NewAEAD.
	Cipher Cipher
	// MaxRecords is how many records one key may seal (RFC 8446, Section 5.5); 0 means that the sequence number is
	// the only limit.
	MaxRecords uint64
	// MaxForgeries is how many records may fail to open under one key before it is given up. TLS over a stream dies
	// at the first one, except where a server skips early data it refused; so the number is that of DTLS 1.3
	// (RFC 9147, Section 4.5.3).
	MaxForgeries uint64
}

// Cipher is a kind of AEAD.
type Cipher uint8

// The kinds of AEAD. Which AES it is follows from the length of the key.
const (
	CipherAESGCM Cipher = iota + 1
	CipherAESCCM
	CipherChaCha20Poly1305
)

// errNoCipher is returned for a suite that no table has.
var errNoCipher = errors.New("suite: no such cipher")

// NewAEAD makes the AEAD of a key of KeyLen bytes, which it does not keep. For the suites of the tables it fails for a
// key of another size only. It is no field of type func so that the key may stay on the caller's stack.
func (s *Suite) NewAEAD(key []byte) (cipher.AEAD, error) {
	switch s.Cipher {
	case CipherAESGCM:
		return newGCM(key)
	case CipherAESCCM:
		return newCCM(key, s.TagLen)
	case CipherChaCha20Poly1305:
		return chacha20poly1305.New(key)
	}
	return nil, errNoCipher
}

// Auth is a kind of server authentication that a TLS 1.2 cipher suite prescribes.
type Auth uint8

// The kinds of authentication.
const (
	// AuthAny is that of every TLS 1.3 suite: the signature scheme alone decides.
	AuthAny Auth = iota
	// AuthECDSA wants an ECDSA key on any curve, or an Ed25519 key (RFC 8422, Section 2.2).
	AuthECDSA
	// AuthRSA wants an RSA key, bound to PSS or not.
	AuthRSA
)

// Fits reports whether a server with a key of this kind may use the suites of this authentication.
func (a Auth) Fits(k KeyKind) bool {
	switch a {
	case AuthAny:
		return k != 0
	case AuthECDSA:
		return k == KeyECDSAP256 || k == KeyECDSAP384 || k == KeyECDSAP521 || k == KeyEd25519
	case AuthRSA:
		return k == KeyRSA || k == KeyRSAPSS
	}
	return false
}

// String returns a name for people: "ECDSA".
func (a Auth) String() string {
	switch a {
	case AuthAny:
		return "any"
	case AuthECDSA:
		return "ECDSA"
	case AuthRSA:
		return "RSA"
	}
	return "unknown authentication"
}

const (
	// gcmMaxRecords is 2^24.5 full-size records, which keeps a safety margin of 2^-57 (RFC 8446, Section 5.5, and for
	// TLS 1.2 RFC 9325, Section 4.4).
	gcmMaxRecords = 23_726_566
	// ccmMaxRecords is 2^23. RFC 8446, Section 5.5, is silent about CCM; the same margin gives this number
	// (RFC 9147, Section 4.5.3), with short tags as with long ones.
	ccmMaxRecords = 1 << 23
	// maxForgeries is 2^36 (RFC 9147, Section 4.5.3: for AES-GCM and ChaCha20-Poly1305).
	maxForgeries = 1 << 36
	// ccmMaxForgeries is 2^23.5 (RFC 9147, Section 4.5.3).
	ccmMaxForgeries = 11_863_283
	// ccm8MaxForgeries is 2^7 (RFC 9147, Appendix B.2: the short tag leaves no more at the same margin).
	ccm8MaxForgeries = 1 << 7
	tagLen           = 16
	nonceLen         = 12
)

var suites = [...]Suite{
	{
		ID: wire.TLS_AES_128_GCM_SHA256, Version: wire.VersionTLS13, Hash: crypto.SHA256, KeyLen: 16, IVLen: nonceLen,
		TagLen: tagLen, Bits: 128, Cipher: CipherAESGCM, MaxRecords: gcmMaxRecords, MaxForgeries: maxForgeries,
	},
	{
		ID: wire.TLS_AES_256_GCM_SHA384, Version: wire.VersionTLS13, Hash: crypto.SHA384, KeyLen: 32, IVLen: nonceLen,
		TagLen: tagLen, Bits: 256, Cipher: CipherAESGCM, MaxRecords: gcmMaxRecords, MaxForgeries: maxForgeries,
	},
	{
		// RFC 8446, Section 5.5: with ChaCha20/Poly1305 the sequence number would wrap before a limit is reached.
		ID: wire.TLS_CHACHA20_POLY1305_SHA256, Version: wire.VersionTLS13, Hash: crypto.SHA256,
		KeyLen: chacha20poly1305.KeySize, IVLen: nonceLen, TagLen: tagLen, Bits: 256, Cipher: CipherChaCha20Poly1305,
		MaxForgeries: maxForgeries,
	},
	{
		ID: wire.TLS_AES_128_CCM_SHA256, Version: wire.VersionTLS13, Hash: crypto.SHA256, KeyLen: 16, IVLen: nonceLen,
		TagLen: ccmTagLen, Bits: 128, Cipher: CipherAESCCM, MaxRecords: ccmMaxRecords, MaxForgeries: ccmMaxForgeries,
	},
	{
		ID: wire.TLS_AES_128_CCM_8_SHA256, Version: wire.VersionTLS13, Hash: crypto.SHA256, KeyLen: 16, IVLen: nonceLen,
		TagLen: ccmShortTagLen, Bits: 128, Cipher: CipherAESCCM, MaxRecords: ccmMaxRecords, MaxForgeries: ccm8MaxForgeries,
	},
}

// ByID returns the TLS 1.3 cipher suite with this number, nil if it is not one of ours. TLS 1.2 has tables of its own
// so that no suite can be chosen for the wrong version: see ByID12.
func ByID(id wire.CipherSuite) *Suite {
	for i := range suites {
		if suites[i].ID == id {
			return &suites[i]
		}
	}
	return nil
}

// Defaults returns the TLS 1.3 cipher suites we offer unasked, in our order of preference and in a fresh slice.
func Defaults() []wire.CipherSuite {
	return []wire.CipherSuite{
		wire.TLS_AES_256_GCM_SHA384,
		wire.TLS_CHACHA20_POLY1305_SHA256,
		wire.TLS_AES_128_GCM_SHA256,
	}
}

// All returns every TLS 1.3 cipher suite we have, in our order of preference and in a fresh slice: Defaults, and the
// suites with CCM for those who name them.
func All() []wire.CipherSuite {
	return append(Defaults(), wire.TLS_AES_128_CCM_SHA256, wire.TLS_AES_128_CCM_8_SHA256)
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
