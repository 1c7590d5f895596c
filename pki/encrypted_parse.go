package pki

import (
	"crypto"
	"crypto/aes"
	"crypto/des"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"

	_ "crypto/sha1"   // HMAC-SHA-1 is PBKDF2's default
	_ "crypto/sha256" // and these are the others
	_ "crypto/sha512"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

func oidPBES2() asn1.ObjectIdentifier      { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13} }
func oidPBKDF2() asn1.ObjectIdentifier     { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12} }
func oidHMACSHA256() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9} }
func oidAES256CBC() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
}
func oidScrypt() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
}

// encryptedKey is an EncryptedPrivateKeyInfo with PBES2.
type encryptedKey struct {
	kdf      derivation
	cipher   cbc
	iv, data []byte
}

// check refuses what the file promises before anything is spent on it.
func (e encryptedKey) check() error {
	if e.kdf.keyLength != 0 && e.kdf.keyLength != e.cipher.keyLength {
		return fmt.Errorf("a key of %d bytes for %s", e.kdf.keyLength, e.cipher.name)
	}
	if len(e.iv) != e.cipher.blockSize {
		return fmt.Errorf("an initialisation vector of %d bytes for %s", len(e.iv), e.cipher.name)
	}
	if len(e.data) == 0 || len(e.data)%e.cipher.blockSize != 0 {
		return errors.New("its ciphertext is cut off")
	}
	return e.kdf.check()
}

var errEncryptedShape = errors.New("not the structure of an encrypted private key")

// parseEncrypted reads an EncryptedPrivateKeyInfo (RFC 5958, Section 3).
func parseEncrypted(der []byte) (encryptedKey, error) {
	var e encryptedKey
	outer := cryptobyte.String(der)
	var info, alg, kdf, scheme, data, iv cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !outer.ReadASN1(&info, cbasn1.SEQUENCE) || !outer.Empty() || !info.ReadASN1(&alg, cbasn1.SEQUENCE) ||
		!info.ReadASN1(&data, cbasn1.OCTET_STRING) || !info.Empty() || !alg.ReadASN1ObjectIdentifier(&oid) {
		return e, errEncryptedShape
	}
	if !oid.Equal(oidPBES2()) {
		if oldSchemeName(oid) == "" {
			return e, fmt.Errorf("it is encrypted with %s, not with PBES2", oid)
		}
		return e, refuse("let the program that wrote it write PBES2 (openssl pkcs8 -topk8 -v2 aes-256-cbc)",
			"it is encrypted with %s, an outdated scheme, not with PBES2", oldSchemeName(oid))
	}
	var parameters cryptobyte.String
	if !alg.ReadASN1(&parameters, cbasn1.SEQUENCE) || !alg.Empty() || !parameters.ReadASN1(&kdf, cbasn1.SEQUENCE) ||
		!parameters.ReadASN1(&scheme, cbasn1.SEQUENCE) || !parameters.Empty() {
		return e, errEncryptedShape
	}
	var err error
	if e.kdf, err = parseDerivation(kdf); err != nil {
		return e, err
	}
	if !scheme.ReadASN1ObjectIdentifier(&oid) {
		return e, errEncryptedShape
	}
	i := slices.IndexFunc(pbes2Ciphers, func(c pbes2Cipher) bool { return oid.Equal(c.oid) })
	if i < 0 {
		return e, fmt.Errorf("the cipher %s is not one of AES-CBC and DES-EDE3-CBC", oid)
	}
	if !scheme.ReadASN1(&iv, cbasn1.OCTET_STRING) || !scheme.Empty() {
		return e, errEncryptedShape
	}
	e.cipher, e.iv, e.data = pbes2Ciphers[i].cbc, iv, data
	return e, nil
}

// parseDerivation reads the keyDerivationFunc of PBES2-params.
func parseDerivation(s cryptobyte.String) (derivation, error) {
	var d derivation
	var oid asn1.ObjectIdentifier
	var parameters, salt cryptobyte.String
	if !s.ReadASN1ObjectIdentifier(&oid) || !s.ReadASN1(&parameters, cbasn1.SEQUENCE) || !s.Empty() {
		return d, errEncryptedShape
	}
	pbkdf := oid.Equal(oidPBKDF2())
	if !pbkdf && !oid.Equal(oidScrypt()) {
		return d, fmt.Errorf("the key derivation %s is neither PBKDF2 nor scrypt", oid)
	}
	if !parameters.ReadASN1(&salt, cbasn1.OCTET_STRING) {
		return d, errEncryptedShape
	}
	d.salt = salt
	numbers := []*int{&d.n, &d.r, &d.p}
	if pbkdf {
		numbers = []*int{&d.iterations}
	}
	for _, n := range numbers {
		if !parameters.ReadASN1Integer(n) || *n < 1 {
			return d, errors.New("the key derivation has a cost below 1, or beyond all numbers")
		}
	}
	if parameters.PeekASN1Tag(cbasn1.INTEGER) && (!parameters.ReadASN1Integer(&d.keyLength) || d.keyLength < 1) {
		return d, errEncryptedShape
	}
	// RFC 8018, Appendix A.2: the pseudorandom function is HMAC-SHA-1 unless stated.
	d.hash = crypto.SHA1
	if pbkdf && !parameters.Empty() {
		var prf cryptobyte.String
		if !parameters.ReadASN1(&prf, cbasn1.SEQUENCE) || !prf.ReadASN1ObjectIdentifier(&oid) {
			return d, errEncryptedShape
		}
		i := slices.IndexFunc(prfs, func(p pseudorandom) bool { return oid.Equal(p.oid) })
		if i < 0 {
			return d, fmt.Errorf("the pseudorandom function %s is none of HMAC-SHA-1 and HMAC-SHA-2", oid)
		}
		d.hash = prfs[i].hash
	}
	if !parameters.Empty() {
		return d, errEncryptedShape
	}
	return d, nil
}

// pseudorandom is a pseudorandom function of PBKDF2 (RFC 8018, Appendix B.1.2).
type pseudorandom struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}

var prfs = []pseudorandom{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}, crypto.SHA1},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 8}, crypto.SHA224},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, crypto.SHA256},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 10}, crypto.SHA384},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}, crypto.SHA512},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 12}, crypto.SHA512_224},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 13}, crypto.SHA512_256},
}

type pbes2Cipher struct {
	oid asn1.ObjectIdentifier
	cbc cbc
}

// pbes2Ciphers are the encryption schemes of RFC 8018, Appendix B.2 that were ever
// in use for keys and are not broken. Triple DES is read, never written.
var pbes2Ciphers = []pbes2Cipher{
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}, cbc{"AES-128-CBC", 16, 16, aes.NewCipher}},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 22}, cbc{"AES-192-CBC", 24, 16, aes.NewCipher}},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, cbc{"AES-256-CBC", 32, 16, aes.NewCipher}},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}, cbc{"DES-EDE3-CBC", 24, 8, des.NewTripleDESCipher}},
}

// oldSchemeName names an encryption scheme of PBES1 or PKCS #12 as OpenSSL does; "": none.
func oldSchemeName(oid asn1.ObjectIdentifier) string {
	for _, s := range []struct {
		oid  asn1.ObjectIdentifier
		name string
	}{
		{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 3}, "PBE-MD5-DES"},
		{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 10}, "PBE-SHA1-DES"},
		{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 1}, "PBE-SHA1-RC4-128"},
		{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}, "PBE-SHA1-3DES"},
		{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 6}, "PBE-SHA1-RC2-40"},
	} {
		if oid.Equal(s.oid) {
			return s.name
		}
	}
	return ""
}
