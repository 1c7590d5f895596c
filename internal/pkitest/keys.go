package pkitest

import (
	"crypto"
	"crypto/rsa"
	"slices"
	"sync"
	"testing"

	"github.com/tlswright/tlswright/pki"
)

// KeyType is a kind of certificate key.
type KeyType string

// The key types: those of package pki, and RSAPSS, an RSA key of 2048 bits whose
// certificate says id-RSASSA-PSS.
const (
	RSA2048 = KeyType(pki.RSA2048)
	RSAPSS  = KeyType("rsapss")
	P256    = KeyType(pki.P256)
	P384    = KeyType(pki.P384)
	P521    = KeyType(pki.P521)
	Ed25519 = KeyType(pki.Ed25519)
	MLDSA44 = KeyType(pki.MLDSA44)
	MLDSA65 = KeyType(pki.MLDSA65)
	MLDSA87 = KeyType(pki.MLDSA87)
)

// MLDSAKeyTypes lists those that the programs and libraries around us do not know.
func MLDSAKeyTypes() []KeyType { return []KeyType{MLDSA44, MLDSA65, MLDSA87} }

// KeyTypes lists all others.
func KeyTypes() []KeyType { return []KeyType{P256, P384, P521, Ed25519, RSA2048, RSAPSS} }

// CAKeyTypes lists those a CA can have: no common library checks signatures of an
// RSASSA-PSS-only CA.
func CAKeyTypes() []KeyType {
	return slices.DeleteFunc(KeyTypes(), func(k KeyType) bool { return k == RSAPSS })
}

// role tells apart the keys that must differ within one chain.
type role int

const (
	rootRole role = iota
	intermediateRole
	leafRole
	strangerRole
	roles
)

// The RSA keys of this process, one for each role, made when first used: making
// one takes a good part of a second.
var rsaKeys = [roles]func() (*rsa.PrivateKey, error){
	sync.OnceValues(newRSA), sync.OnceValues(newRSA), sync.OnceValues(newRSA), sync.OnceValues(newRSA),
}

func newRSA() (*rsa.PrivateKey, error) {
	key, err := pki.GenerateKey(pki.RSA2048)
	if err != nil {
		return nil, err
	}
	return key.(*rsa.PrivateKey), nil
}

// newKey makes a key; RSA keys come from the process's cache.
func newKey(t testing.TB, k KeyType, r role) crypto.Signer {
	t.Helper()
	switch k {
	case RSA2048, RSAPSS:
		key, err := rsaKeys[r]()
		if err != nil {
			t.Fatal(err)
		}
		if k == RSAPSS {
			return pki.NewPSSKey(key)
		}
		return key
	}
	key, err := pki.GenerateKey(pki.KeyType(k))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
