package pki

import (
	"crypto"
	"crypto/sha3"
	"crypto/subtle"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"

	"filippo.io/mldsa"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// mldsaOf gives the parameters of a key type; zero for other types.
func mldsaOf(t KeyType) mldsa.Parameters {
	switch t {
	case MLDSA44:
		return mldsa.MLDSA44()
	case MLDSA65:
		return mldsa.MLDSA65()
	case MLDSA87:
		return mldsa.MLDSA87()
	}
	return mldsa.Parameters{}
}

// longName is "ML-DSA-44" for the types of ML-DSA; others have one name only.
func longName(t KeyType) string {
	if set := mldsaOf(t); set != (mldsa.Parameters{}) {
		return set.String()
	}
	return string(t)
}

func generateMLDSA(t KeyType) (crypto.Signer, error) {
	key, err := mldsa.GenerateKey(mldsaOf(t))
	if err != nil {
		return nil, fmt.Errorf("generate %s key: %w", longName(t), err)
	}
	return key, nil
}

// oidMLDSA is 2.16.840.1.101.3.4.3.17, 18 or 19 (RFC 9881, Section 2).
func oidMLDSA(set mldsa.Parameters) asn1.ObjectIdentifier {
	last := map[mldsa.Parameters]int{mldsa.MLDSA44(): 17, mldsa.MLDSA65(): 18, mldsa.MLDSA87(): 19}[set]
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, last}
}

// The parts of an ML-DSA private key (RFC 9881, Section 6):
//
//	ML-DSA-44-PrivateKey ::= CHOICE {
//	    seed [0] OCTET STRING (SIZE (32)),
//	    expandedKey OCTET STRING (SIZE (2560)),
//	    both SEQUENCE {
//	        seed OCTET STRING (SIZE (32)),
//	        expandedKey OCTET STRING (SIZE (2560)) } }
const mldsaSeedTag = cbasn1.Tag(0x80)

// expandedSize is the length of an expanded key, in bytes (FIPS 204, Table 2).
func expandedSize(set mldsa.Parameters) int {
	return map[mldsa.Parameters]int{mldsa.MLDSA44(): 2560, mldsa.MLDSA65(): 4032, mldsa.MLDSA87(): 4896}[set]
}

// marshalMLDSA writes PrivateKeyInfo with the seed, the form that RFC 9881, Section 6 recommends.
func marshalMLDSA(k *mldsa.PrivateKey) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidMLDSA(k.PublicKey().Parameters())) })
		b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) {
			b.AddASN1(mldsaSeedTag, func(b *cryptobyte.Builder) { b.AddBytes(k.Bytes()) })
		})
	})
	return b.Bytes()
}

// unwrapMLDSA finds the ML-DSA key inside a PrivateKeyInfo, which crypto/x509 of Go 1.26 does not read. Attributes and a public
// key may follow it (RFC 5958, Section 2) and are not looked at. The algorithm has no parameters (RFC 9881, Section 6).
func unwrapMLDSA(der cryptobyte.String) (set mldsa.Parameters, content cryptobyte.String, ok bool) {
	var info, algorithm cryptobyte.String
	var version int
	var oid asn1.ObjectIdentifier
	if !der.ReadASN1(&info, cbasn1.SEQUENCE) || !der.Empty() || !info.ReadASN1Integer(&version) || !info.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
		!algorithm.ReadASN1ObjectIdentifier(&oid) || !algorithm.Empty() || !info.ReadASN1(&content, cbasn1.OCTET_STRING) {
		return set, nil, false
	}
	for _, set := range []mldsa.Parameters{mldsa.MLDSA44(), mldsa.MLDSA65(), mldsa.MLDSA87()} {
		if oid.Equal(oidMLDSA(set)) {
			return set, content, true
		}
	}
	return set, nil, false
}

// parseMLDSA reads the three forms. An expanded key alone is refused: it cannot be turned back into the seed, which is all that
// the library takes.
func parseMLDSA(set mldsa.Parameters, content cryptobyte.String) (*mldsa.PrivateKey, error) {
	bad := fmt.Errorf("malformed %v private key", set)
	var seed, both, expanded cryptobyte.String
	switch {
	case content.PeekASN1Tag(mldsaSeedTag):
		if !content.ReadASN1(&seed, mldsaSeedTag) || !content.Empty() {
			return nil, bad
		}
	case content.PeekASN1Tag(cbasn1.OCTET_STRING):
		return nil, &RefusedError{Reason: fmt.Sprintf("an %v private key in its expanded form, without the seed, cannot be used", set),
			Hint: "write it anew from its seed, or make a new key"}
	case !content.ReadASN1(&both, cbasn1.SEQUENCE) || !content.Empty() || !both.ReadASN1(&seed, cbasn1.OCTET_STRING) ||
		!both.ReadASN1(&expanded, cbasn1.OCTET_STRING) || !both.Empty():
		return nil, bad
	}
	key, err := mldsa.NewPrivateKey(set, seed)
	if err != nil {
		return nil, bad
	}
	if expanded != nil && !expandsTo(key, expanded) {
		return nil, errors.New("the two forms of the private key are not of one key")
	}
	return key, nil
}

// expandsTo compares an expanded key with the seed of another, as RFC 9881, Section 8.1 asks for, as far as hashing alone leads.
// The vectors behind that are not compared, and not used: the key is made from its seed.
func expandsTo(key *mldsa.PrivateKey, expanded []byte) bool {
	head := expandedHead(key)
	defer clear(head)
	return len(expanded) == expandedSize(key.PublicKey().Parameters()) && subtle.ConstantTimeCompare(head, expanded[:len(head)]) == 1
}

// expandedHead is what the expanded form of a key begins with: rho, K and the hash of the public key (FIPS 204, Algorithms 6
// and 24).
func expandedHead(key *mldsa.PrivateKey) []byte {
	rows := map[mldsa.Parameters][2]byte{mldsa.MLDSA44(): {4, 4}, mldsa.MLDSA65(): {6, 5}, mldsa.MLDSA87(): {8, 7}}[key.PublicKey().Parameters()]
	h := sha3.NewSHAKE256()
	h.Write(key.Bytes())
	h.Write(rows[:])
	var made [128]byte // rho, rho', K
	defer clear(made[:])
	h.Read(made[:])
	return slices.Concat(made[:32], made[96:], sha3.SumSHAKE256(key.PublicKey().Bytes(), 64))
}
