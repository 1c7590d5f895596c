package suite

import (
	"crypto"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/tlswright/tlswright/wire"
)

// The salt and the explicit part of the nonces of AES-GCM and AES-CCM in TLS 1.2, in bytes (RFC 5288, Section 3, and
// RFC 6655, Section 3).
const (
	saltLen     = 4
	explicitLen = 8
)

var suites12 = [...]Suite{
	gcm12(wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, AuthECDSA, crypto.SHA256, 16),
	gcm12(wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, AuthRSA, crypto.SHA256, 16),
	gcm12(wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, AuthECDSA, crypto.SHA384, 32),
	gcm12(wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, AuthRSA, crypto.SHA384, 32),
	chacha12(wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, AuthECDSA),
	chacha12(wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, AuthRSA),
	ccm12(wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, 16, ccmTagLen),
	ccm12(wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM, 32, ccmTagLen),
	ccm12(wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, 16, ccmShortTagLen),
	ccm12(wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8, 32, ccmShortTagLen),
}

// gcm12 is a row of RFC 5289, Section 3.2.
func gcm12(id wire.CipherSuite, auth Auth, hash crypto.Hash, keyLen int) Suite {
	return Suite{
		ID: id, Version: wire.VersionTLS12, Auth: auth, Hash: hash, KeyLen: keyLen, IVLen: saltLen,
		ExplicitLen: explicitLen, TagLen: tagLen, Bits: 8 * keyLen, Cipher: CipherAESGCM, MaxRecords: gcmMaxRecords,
		MaxForgeries: maxForgeries,
	}
}

// chacha12 is a row of RFC 7905, Section 2: the nonce is implicit, as in TLS 1.3.
func chacha12(id wire.CipherSuite, auth Auth) Suite {
	return Suite{
		ID: id, Version: wire.VersionTLS12, Auth: auth, Hash: crypto.SHA256, KeyLen: chacha20poly1305.KeySize,
		IVLen: nonceLen, TagLen: tagLen, Bits: 256, Cipher: CipherChaCha20Poly1305, MaxForgeries: maxForgeries,
	}
}

// ccm12 is a row of RFC 7251, Section 2. The PRF is that with SHA-256 for both key sizes.
func ccm12(id wire.CipherSuite, keyLen, tag int) Suite {
	s := Suite{
		ID: id, Version: wire.VersionTLS12, Auth: AuthECDSA, Hash: crypto.SHA256, KeyLen: keyLen, IVLen: saltLen,
		ExplicitLen: explicitLen, TagLen: tag, Bits: 8 * keyLen, Cipher: CipherAESCCM, MaxRecords: ccmMaxRecords,
		MaxForgeries: ccmMaxForgeries,
	}
	if tag == ccmShortTagLen {
		s.MaxForgeries = ccm8MaxForgeries
	}
	return s
}

// ByID12 returns the TLS 1.2 cipher suite with this number, nil if it is not one of ours: those with ECDHE and an
// AEAD.
func ByID12(id wire.CipherSuite) *Suite {
	for i := range suites12 {
		if suites12[i].ID == id {
			return &suites12[i]
		}
	}
	return nil
}

// Defaults12 returns the TLS 1.2 cipher suites we offer unasked, in the order of Mozilla's intermediate profile and in
// a fresh slice.
func Defaults12() []wire.CipherSuite {
	return []wire.CipherSuite{
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// All12 returns every TLS 1.2 cipher suite we have, in our order of preference and in a fresh slice: Defaults12, and
// the suites with CCM for those who name them.
func All12() []wire.CipherSuite {
	return append(Defaults12(),
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
		wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
		wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8,
	)
}
