//go:build pkcs11 && cgo

package keystore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// mechanismEdDSA is CKM_EDDSA of PKCS #11 3.0, which the binding does not name.
const mechanismEdDSA = 0x1057

// Sign implements crypto.Signer: RSA with PKCS #1 v1.5 and PSS, ECDSA, Ed25519.
// The random numbers are the token's own.
func (k *TokenKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if h := opts.HashFunc(); h != 0 && len(digest) != h.Size() {
		return nil, fmt.Errorf("a digest of %d bytes is not one of %v", len(digest), h)
	}
	switch pub := k.public.(type) {
	case *rsa.PublicKey:
		mechanism, input, err := rsaMechanism(pub, digest, opts)
		if err != nil {
			return nil, err
		}
		return k.sign(mechanism, input)
	case *ecdsa.PublicKey:
		// SEC 1, Section 4.1.3: of a digest longer than the order, its first bits.
		order := (pub.Curve.Params().BitSize + 7) / 8
		raw, err := k.sign(pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil), digest[:min(len(digest), order)])
		if err != nil {
			return nil, err
		}
		return ecdsaSignature(raw)
	case ed25519.PublicKey:
		if opts.HashFunc() != 0 {
			return nil, errors.New("an Ed25519 key signs messages, not digests")
		}
		return k.sign(pkcs11.NewMechanism(mechanismEdDSA, nil), digest)
	}
	return nil, fmt.Errorf("a key of type %T cannot sign", k.public)
}

// sign has the token sign, alone.
func (k *TokenKey) sign(mechanism *pkcs11.Mechanism, input []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, errors.New("the key in the token has been closed")
	}
	if err := k.module.SignInit(k.session, []*pkcs11.Mechanism{mechanism}, k.object); err != nil {
		return nil, fmt.Errorf("sign in the token: %w", err)
	}
	if k.pin != "" {
		if err := k.module.Login(k.session, pkcs11.CKU_CONTEXT_SPECIFIC, k.pin); err != nil {
			return nil, fmt.Errorf("log in to the token for a signature: %w", err)
		}
	}
	signature, err := k.module.Sign(k.session, input)
	if err != nil {
		return nil, fmt.Errorf("sign in the token: %w", err)
	}
	return signature, nil
}

// ecdsaSignature turns r and s, side by side, into DER.
func ecdsaSignature(raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%2 != 0 {
		return nil, errors.New("the token gave a signature of an odd length")
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[:len(raw)/2]))
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[len(raw)/2:]))
	})
	return b.Bytes()
}

// tokenHash is how PKCS #11 calls a hash and its mask generation.
type tokenHash struct {
	mechanism, mask uint
	oid             asn1.ObjectIdentifier
}

func tokenHashOf(h crypto.Hash) (tokenHash, error) {
	sha := func(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, n} }
	switch h {
	case crypto.SHA256:
		return tokenHash{pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256, sha(1)}, nil
	case crypto.SHA384:
		return tokenHash{pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384, sha(2)}, nil
	case crypto.SHA512:
		return tokenHash{pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512, sha(3)}, nil
	}
	return tokenHash{}, fmt.Errorf("the hash %v is not signed here", h)
}

// rsaMechanism chooses PSS or PKCS #1 v1.5, and prepares what the latter signs.
func rsaMechanism(pub *rsa.PublicKey, digest []byte, opts crypto.SignerOpts) (*pkcs11.Mechanism, []byte, error) {
	h, err := tokenHashOf(opts.HashFunc())
	if err != nil {
		return nil, nil, err
	}
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		salt := pss.SaltLength
		switch salt {
		case rsa.PSSSaltLengthEqualsHash:
			salt = opts.HashFunc().Size()
		case rsa.PSSSaltLengthAuto:
			// RFC 8017, Section 9.1.1: as long as it fits.
			salt = (pub.N.BitLen()-1+7)/8 - 2 - opts.HashFunc().Size()
		}
		if salt < 0 {
			return nil, nil, errors.New("a salt of negative length")
		}
		return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, pkcs11.NewPSSParams(h.mechanism, h.mask, uint(salt))), digest, nil
	}
	// DigestInfo (RFC 8017, Section 9.2).
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(h.oid)
			b.AddASN1NULL()
		})
		b.AddASN1OctetString(digest)
	})
	info, err := b.Bytes()
	return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil), info, err
}
