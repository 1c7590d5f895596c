package wire

// HPKEKEM is the number of a key encapsulation mechanism of HPKE (RFC 9180, Section 7.1).
type HPKEKEM uint16

// The KEMs that RFC 9180 defines for curves that we have.
const (
	HPKEKEMP256   HPKEKEM = 0x0010
	HPKEKEMP384   HPKEKEM = 0x0011
	HPKEKEMP521   HPKEKEM = 0x0012
	HPKEKEMX25519 HPKEKEM = 0x0020
)

// String gives the registered name, "DHKEM(X25519, HKDF-SHA256)", or "0x1234".
func (k HPKEKEM) String() string {
	switch k {
	case HPKEKEMP256:
		return "DHKEM(P-256, HKDF-SHA256)"
	case HPKEKEMP384:
		return "DHKEM(P-384, HKDF-SHA384)"
	case HPKEKEMP521:
		return "DHKEM(P-521, HKDF-SHA512)"
	case HPKEKEMX25519:
		return "DHKEM(X25519, HKDF-SHA256)"
	}
	return name16(uint16(k), "", false)
}

// HPKEKDF is the number of a key derivation function of HPKE (RFC 9180, Section 7.2).
type HPKEKDF uint16

// The key derivation functions.
const (
	HPKEHKDFSHA256 HPKEKDF = 1
	HPKEHKDFSHA384 HPKEKDF = 2
	HPKEHKDFSHA512 HPKEKDF = 3
)

// String gives the registered name, "HKDF-SHA256", or "0x1234".
func (k HPKEKDF) String() string {
	switch k {
	case HPKEHKDFSHA256:
		return "HKDF-SHA256"
	case HPKEHKDFSHA384:
		return "HKDF-SHA384"
	case HPKEHKDFSHA512:
		return "HKDF-SHA512"
	}
	return name16(uint16(k), "", false)
}

// HPKEAEAD is the number of an AEAD of HPKE (RFC 9180, Section 7.3).
type HPKEAEAD uint16

// The AEADs. The tag of each is 16 bytes long.
const (
	HPKEAES128GCM        HPKEAEAD = 1
	HPKEAES256GCM        HPKEAEAD = 2
	HPKEChaCha20Poly1305 HPKEAEAD = 3
)

// String gives the registered name, "AES-128-GCM", or "0x1234".
func (a HPKEAEAD) String() string {
	switch a {
	case HPKEAES128GCM:
		return "AES-128-GCM"
	case HPKEAES256GCM:
		return "AES-256-GCM"
	case HPKEChaCha20Poly1305:
		return "ChaCha20Poly1305"
	}
	return name16(uint16(a), "", false)
}

// HPKESuite is a pair of algorithms to encrypt a ClientHello with (RFC 9849, Section 4).
//
//	struct {
//	    HpkeKdfId kdf_id;
//	    HpkeAeadId aead_id;
//	} HpkeSymmetricCipherSuite;
type HPKESuite struct {
	KDF  HPKEKDF
	AEAD HPKEAEAD
}

// String gives "HKDF-SHA256, AES-128-GCM".
func (s HPKESuite) String() string { return s.KDF.String() + ", " + s.AEAD.String() }

func (s HPKESuite) append(b []byte) []byte {
	return appendUint16(appendUint16(b, uint16(s.KDF)), uint16(s.AEAD))
}

// hpkeSuite reads one; prefix stands before the names of its fields.
func hpkeSuite(c *cursor, prefix string) HPKESuite {
	kdf := HPKEKDF(c.uint16(prefix+"kdf_id", KindHPKEKDF))
	return HPKESuite{kdf, HPKEAEAD(c.uint16(prefix+"aead_id", KindHPKEAEAD))}
}
