package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxKeyFile bounds what is read as a private key file, in bytes. A file with
// its whole chain in it fits.
const maxKeyFile = 256 << 10

// ErrEncryptedKey is returned for a private key under a passphrase.
var ErrEncryptedKey = errors.New("the private key is encrypted with a passphrase, which is not supported yet")

// MarshalPrivateKeyPEM writes key as PKCS #8 in PEM ("PRIVATE KEY", RFC 5958 and
// RFC 7468, Section 10). A [*PSSKey] is written as id-RSASSA-PSS.
func MarshalPrivateKeyPEM(key crypto.Signer) ([]byte, error) {
	var der []byte
	var err error
	if k, ok := key.(*PSSKey); ok {
		der, err = marshalPSS(k)
	} else {
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		return nil, fmt.Errorf("encode private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// marshalPSS writes PrivateKeyInfo with id-RSASSA-PSS; absent parameters do not
// bind the key to one hash (RFC 4055, Section 3.1).
func marshalPSS(k *PSSKey) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidRSAPSS())
			b.AddBytes(k.parameters)
		})
		b.AddASN1OctetString(x509.MarshalPKCS1PrivateKey(k.key))
	})
	return b.Bytes()
}

func oidRSAPSS() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10} }

// ParsePrivateKeyPEM reads the one private key of a PEM text in PKCS #8, PKCS #1
// or SEC 1 form; blocks of other types around it are skipped. It returns
// *rsa.PrivateKey, [*PSSKey], *ecdsa.PrivateKey or ed25519.PrivateKey. An
// encrypted key gives [ErrEncryptedKey].
func ParsePrivateKeyPEM(text []byte) (crypto.Signer, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("private key: %d bytes, more than the limit of %d", len(text), maxKeyFile)
	}
	var key crypto.Signer
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		k, err := parseKeyBlock(block)
		if err != nil {
			return nil, err
		}
		if k != nil && key != nil {
			return nil, errors.New("more than one private key")
		}
		if k != nil {
			key = k
		}
	}
	if key == nil {
		return nil, errors.New("no private key in PEM form")
	}
	return key, nil
}

// parseKeyBlock returns nil without error for a block that is no private key.
func parseKeyBlock(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		if inner, parameters, ok := unwrapPSS(block.Bytes); ok {
			rsaKey, err := x509.ParsePKCS1PrivateKey(inner)
			if err != nil {
				return nil, fmt.Errorf("read RSASSA-PSS private key: %w", err)
			}
			key = &PSSKey{key: rsaKey, parameters: parameters}
			break
		}
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY", "EC PRIVATE KEY":
		// RFC 1421, Section 4.6.1.1: Proc-Type tells traditional encryption.
		if block.Headers["DEK-Info"] != "" {
			return nil, ErrEncryptedKey
		}
		if block.Type == "RSA PRIVATE KEY" {
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		} else {
			key, err = x509.ParseECPrivateKey(block.Bytes)
		}
	case "ENCRYPTED PRIVATE KEY":
		return nil, ErrEncryptedKey
	default:
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	return knownKey(key)
}

func knownKey(key any) (crypto.Signer, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *PSSKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		switch k.Curve.Params().Name {
		case "P-256", "P-384", "P-521":
			return k, nil
		}
		return nil, fmt.Errorf("private key on curve %s, which TLS 1.3 does not use", k.Curve.Params().Name)
	}
	return nil, fmt.Errorf("private key of type %T, which cannot sign", key)
}

// unwrapPSS finds the RSAPrivateKey inside a PrivateKeyInfo of type
// id-RSASSA-PSS, which crypto/x509 does not read.
func unwrapPSS(der cryptobyte.String) (rsaKey, parameters []byte, ok bool) {
	var info, alg, key cryptobyte.String
	var version int
	var oid asn1.ObjectIdentifier
	if !der.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1Integer(&version) ||
		!info.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) ||
		!oid.Equal(oidRSAPSS()) || !info.ReadASN1(&key, cbasn1.OCTET_STRING) {
		return nil, nil, false
	}
	return key, alg, true
}
