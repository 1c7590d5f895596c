package suite

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"

	// The hashes of the schemes, reached through crypto.Hash only.
	_ "crypto/sha256"
	_ "crypto/sha512"

	"filippo.io/mldsa"
)

// ErrSignature is returned for a signature that does not match.
var ErrSignature = errors.New("signature does not match")

// ErrKeyMismatch is returned, wrapped, for a key that does not go with the scheme.
var ErrKeyMismatch = errors.New("key does not fit the signature scheme")

// ErrKeySize is returned, wrapped, for an RSA key too small for the scheme or too large to be worth the time.
var ErrKeySize = errors.New("RSA key size refused")

// MaxRSABits is the size of the largest RSA key whose signatures we verify. Verification costs the square of it.
const MaxRSABits = 8192

// Verify checks a signature over the message (not its digest). The error is ErrSignature, or wraps ErrKeyMismatch or
// ErrKeySize. Whether an RSA key is bound to PSS is not visible in pub: ask Fits first.
func (s *Scheme) Verify(pub crypto.PublicKey, message, sig []byte) error {
	if err := s.checkKey(pub, s.Fits); err != nil {
		return err
	}
	return s.verify(pub, message, sig)
}

// VerifyTLS12 is Verify by the rules of TLS 1.2: see FitsTLS12.
func (s *Scheme) VerifyTLS12(pub crypto.PublicKey, message, sig []byte) error {
	if err := s.checkKey(pub, s.FitsTLS12); err != nil {
		return err
	}
	return s.verify(pub, message, sig)
}

// verify checks a signature with a key that goes with the scheme.
func (s *Scheme) verify(pub crypto.PublicKey, message, sig []byte) error {
	digest := s.Digest(message)
	valid := false
	switch k := pub.(type) {
	case ed25519.PublicKey:
		valid = ed25519.Verify(k, digest, sig)
	case *mldsa.PublicKey:
		// draft-ietf-tls-mldsa, Section 3: the context is the empty string, the message is not hashed before.
		valid = mldsa.Verify(k, digest, sig, nil) == nil
	case *ecdsa.PublicKey:
		valid = ecdsa.VerifyASN1(k, digest, sig)
	case *rsa.PublicKey:
		if s.alg == algPSS {
			valid = rsa.VerifyPSS(k, s.Hash, digest, sig, s.pssOptions()) == nil
		} else {
			valid = rsa.VerifyPKCS1v15(k, s.Hash, digest, sig) == nil
		}
	}
	if !valid {
		return ErrSignature
	}
	return nil
}

// Sign signs the message (not its digest) with a key that may live anywhere. It refuses a key that does not go with
// the scheme before the signer is asked, as Verify does, and passes on the signer's own error.
func Sign(signer crypto.Signer, s *Scheme, message []byte) ([]byte, error) {
	if err := s.checkKey(signer.Public(), s.Fits); err != nil {
		return nil, err
	}
	return s.sign(signer, message)
}

// SignTLS12 is Sign by the rules of TLS 1.2: see FitsTLS12.
func SignTLS12(signer crypto.Signer, s *Scheme, message []byte) ([]byte, error) {
	if err := s.checkKey(signer.Public(), s.FitsTLS12); err != nil {
		return nil, err
	}
	return s.sign(signer, message)
}

// sign signs with a key that goes with the scheme.
func (s *Scheme) sign(signer crypto.Signer, message []byte) ([]byte, error) {
	sig, err := signer.Sign(rand.Reader, s.Digest(message), s.SignerOpts())
	if err != nil {
		return nil, fmt.Errorf("sign with %v: %w", s.ID, err)
	}
	return sig, nil
}

// checkKey refuses keys of a kind that does not fit, or of an unsuitable size.
func (s *Scheme) checkKey(pub crypto.PublicKey, fits func(KeyKind) bool) error {
	kind := KindOf(pub, s.key == KeyRSAPSS)
	if !fits(kind) {
		return fmt.Errorf("%w: %v and %v", ErrKeyMismatch, s.ID, kind)
	}
	return s.checkSize(pub)
}

// checkSize refuses RSA keys that are too large, or too small for the encoding of the scheme.
func (s *Scheme) checkSize(pub crypto.PublicKey) error {
	k, ok := pub.(*rsa.PublicKey)
	if !ok {
		if e, ok := pub.(ed25519.PublicKey); ok && len(e) != ed25519.PublicKeySize {
			return fmt.Errorf("%w: Ed25519 key of %d bytes", ErrKeyMismatch, len(e))
		}
		return nil
	}
	if k.N == nil {
		return fmt.Errorf("%w: no modulus", ErrKeySize)
	}
	bits := k.N.BitLen()
	if bits > MaxRSABits {
		return fmt.Errorf("%w: %d bits, at most %d", ErrKeySize, bits, MaxRSABits)
	}
	if least := s.leastRSABits(); bits < least {
		return fmt.Errorf("%w: %d bits, %v needs %d", ErrKeySize, bits, s.ID, least)
	}
	return nil
}

// leastRSABits is the smallest modulus that holds the encoded message.
func (s *Scheme) leastRSABits() int {
	size := s.Hash.Size()
	if s.alg == algPSS {
		// RFC 8017, Section 9.1.1: emBits is at least 8hLen + 8sLen + 9, and the modulus has one bit more.
		return 8*size + 8*size + 9 + 1
	}
	// RFC 8017, Section 9.2: emLen is at least tLen + 11, tLen being the hash and its 19 bytes of DigestInfo.
	return 8*(size+19+11) - 7
}
