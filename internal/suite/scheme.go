package suite

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"

	"filippo.io/mldsa"

	"github.com/tlswright/tlswright/wire"
)

// KeyKind says what a public key can sign with. RSA keys come in two kinds because a certificate may bind a key to
// RSASSA-PSS. 0 is none of ours.
type KeyKind uint8

// The kinds of keys.
const (
	KeyRSA KeyKind = iota + 1
	KeyRSAPSS
	KeyECDSAP256
	KeyECDSAP384
	KeyECDSAP521
	KeyEd25519
	KeyMLDSA44
	KeyMLDSA65
	KeyMLDSA87
)

// String returns a name for people: "RSA", "ECDSA P-256".
func (k KeyKind) String() string {
	switch k {
	case KeyRSA:
		return "RSA"
	case KeyRSAPSS:
		return "RSA-PSS"
	case KeyECDSAP256:
		return "ECDSA P-256"
	case KeyECDSAP384:
		return "ECDSA P-384"
	case KeyECDSAP521:
		return "ECDSA P-521"
	case KeyEd25519:
		return "Ed25519"
	case KeyMLDSA44:
		return "ML-DSA-44"
	case KeyMLDSA65:
		return "ML-DSA-65"
	case KeyMLDSA87:
		return "ML-DSA-87"
	}
	return "unknown key"
}

// KindOf returns the kind of a public key of crypto/rsa, crypto/ecdsa, crypto/ed25519 or filippo.io/mldsa, and 0 for every other.
// pssOnly says that the certificate names id-RSASSA-PSS and not rsaEncryption.
func KindOf(pub crypto.PublicKey, pssOnly bool) KeyKind {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if pssOnly {
			return KeyRSAPSS
		}
		return KeyRSA
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return KeyECDSAP256
		case elliptic.P384():
			return KeyECDSAP384
		case elliptic.P521():
			return KeyECDSAP521
		}
	case ed25519.PublicKey:
		return KeyEd25519
	case *mldsa.PublicKey:
		return kindOfMLDSA(k)
	}
	return 0
}

// algorithm is the family of a signature scheme.
type algorithm uint8

const (
	algPKCS1 algorithm = iota
	algPSS
	algECDSA
	algEd25519
	algMLDSA
)

// Scheme is a signature scheme: algorithm, hash and kind of key, all bound together
// (RFC 8446, Section 4.2.3).
type Scheme struct {
	// ID is the number of the scheme.
	ID wire.SignatureScheme
	// Hash is what the message is hashed with before signing, 0 for Ed25519 and ML-DSA.
	Hash crypto.Hash
	// TLS13 says that the scheme may sign a CertificateVerify of TLS 1.3. The others are good for certificates and for
	// TLS 1.2 (RFC 8446, Section 4.2.3: RSASSA-PKCS1-v1_5 is not defined for use in signed handshake messages).
	TLS13 bool
	// TLS12 says that the scheme may sign a ServerKeyExchange or CertificateVerify of TLS 1.2. RSASSA-PSS and Ed25519 may
	// (RFC 8446, Section 4.2.3, and RFC 8422, Section 5.10), ML-DSA must not (draft-ietf-tls-mldsa, Section 3).
	TLS12 bool

	alg algorithm
	key KeyKind
}

var schemes = [...]Scheme{
	{ID: wire.SchemeECDSASecp256r1SHA256, Hash: crypto.SHA256, TLS13: true, TLS12: true, alg: algECDSA, key: KeyECDSAP256},
	{ID: wire.SchemeECDSASecp384r1SHA384, Hash: crypto.SHA384, TLS13: true, TLS12: true, alg: algECDSA, key: KeyECDSAP384},
	{ID: wire.SchemeECDSASecp521r1SHA512, Hash: crypto.SHA512, TLS13: true, TLS12: true, alg: algECDSA, key: KeyECDSAP521},
	{ID: wire.SchemeEd25519, TLS13: true, TLS12: true, alg: algEd25519, key: KeyEd25519},
	{ID: wire.SchemeRSAPSSRSAESHA256, Hash: crypto.SHA256, TLS13: true, TLS12: true, alg: algPSS, key: KeyRSA},
	{ID: wire.SchemeRSAPSSRSAESHA384, Hash: crypto.SHA384, TLS13: true, TLS12: true, alg: algPSS, key: KeyRSA},
	{ID: wire.SchemeRSAPSSRSAESHA512, Hash: crypto.SHA512, TLS13: true, TLS12: true, alg: algPSS, key: KeyRSA},
	{ID: wire.SchemeRSAPSSPSSSHA256, Hash: crypto.SHA256, TLS13: true, TLS12: true, alg: algPSS, key: KeyRSAPSS},
	{ID: wire.SchemeRSAPSSPSSSHA384, Hash: crypto.SHA384, TLS13: true, TLS12: true, alg: algPSS, key: KeyRSAPSS},
	{ID: wire.SchemeRSAPSSPSSSHA512, Hash: crypto.SHA512, TLS13: true, TLS12: true, alg: algPSS, key: KeyRSAPSS},
	{ID: wire.SchemeRSAPKCS1SHA256, Hash: crypto.SHA256, TLS12: true, alg: algPKCS1, key: KeyRSA},
	{ID: wire.SchemeRSAPKCS1SHA384, Hash: crypto.SHA384, TLS12: true, alg: algPKCS1, key: KeyRSA},
	{ID: wire.SchemeRSAPKCS1SHA512, Hash: crypto.SHA512, TLS12: true, alg: algPKCS1, key: KeyRSA},
	{ID: wire.SchemeMLDSA44, TLS13: true, alg: algMLDSA, key: KeyMLDSA44},
	{ID: wire.SchemeMLDSA65, TLS13: true, alg: algMLDSA, key: KeyMLDSA65},
	{ID: wire.SchemeMLDSA87, TLS13: true, alg: algMLDSA, key: KeyMLDSA87},
}

// SchemeByID returns the signature scheme with this number, nil if it is not one of ours.
func SchemeByID(id wire.SignatureScheme) *Scheme {
	for i := range schemes {
		if schemes[i].ID == id {
			return &schemes[i]
		}
	}
	return nil
}

// DefaultSchemes returns the signature schemes we accept, in order of preference and in a fresh slice. The last ones
// are not TLS13: they are listed because a signature_algorithms extension speaks for certificates and for TLS 1.2 too,
// and most RSA authorities sign with PKCS #1 v1.5. ML-DSA comes behind the rest: its signatures are forty times as large,
// and what is signed today cannot be forged afterwards, as what is encrypted today can be read.
func DefaultSchemes() []wire.SignatureScheme {
	return []wire.SignatureScheme{
		wire.SchemeECDSASecp256r1SHA256,
		wire.SchemeEd25519,
		wire.SchemeRSAPSSRSAESHA256,
		wire.SchemeECDSASecp384r1SHA384,
		wire.SchemeRSAPSSRSAESHA384,
		wire.SchemeECDSASecp521r1SHA512,
		wire.SchemeRSAPSSRSAESHA512,
		wire.SchemeRSAPSSPSSSHA256,
		wire.SchemeRSAPSSPSSSHA384,
		wire.SchemeRSAPSSPSSSHA512,
		wire.SchemeMLDSA44,
		wire.SchemeMLDSA65,
		wire.SchemeMLDSA87,
		wire.SchemeRSAPKCS1SHA256,
		wire.SchemeRSAPKCS1SHA384,
		wire.SchemeRSAPKCS1SHA512,
	}
}

// Fits reports whether keys of this kind sign with the scheme. An RSA key can still be too small for it: see Usable.
func (s *Scheme) Fits(k KeyKind) bool { return k != 0 && s.key == k }

// FitsTLS12 reports whether keys of this kind sign with the scheme in TLS 1.2, where an ECDSA scheme names the hash
// alone and goes with every curve (RFC 8446, Section 4.2.3: implementations MUST accept any curve they advertised in
// supported_groups).
func (s *Scheme) FitsTLS12(k KeyKind) bool {
	if s.alg == algECDSA {
		return k == KeyECDSAP256 || k == KeyECDSAP384 || k == KeyECDSAP521
	}
	return s.Fits(k)
}

// UsableTLS12 is Usable by the rules of TLS 1.2.
func (s *Scheme) UsableTLS12(pub crypto.PublicKey, pssOnly bool) bool {
	return s.FitsTLS12(KindOf(pub, pssOnly)) && s.checkSize(pub) == nil
}

// Usable reports whether this very key signs with the scheme: its kind fits and, for RSA, its size does.
func (s *Scheme) Usable(pub crypto.PublicKey, pssOnly bool) bool {
	return s.Fits(KindOf(pub, pssOnly)) && s.checkSize(pub) == nil
}

// Digest returns what crypto.Signer.Sign takes as its digest: the hash of the message, or the message itself for
// Ed25519 and ML-DSA, which hash on their own.
func (s *Scheme) Digest(message []byte) []byte {
	if s.Hash == 0 {
		return message
	}
	h := s.Hash.New()
	h.Write(message)
	return h.Sum(nil)
}

// SignerOpts returns the options for crypto.Signer.Sign.
func (s *Scheme) SignerOpts() crypto.SignerOpts {
	if s.alg == algPSS {
		return s.pssOptions()
	}
	return s.Hash
}

// pssOptions binds the salt to the hash (RFC 8446, Section 4.2.3: the length of the salt MUST be equal to the length of the digest
// algorithm).
func (s *Scheme) pssOptions() *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.Hash}
}
