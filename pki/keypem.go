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

	"filippo.io/mldsa"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxKeyFile bounds what is read as a private key file, in bytes. A file with
// its whole chain in it fits.
const maxKeyFile = 256 << 10

// maxKeyDER bounds one private key, in bytes: RSA of 16384 bits takes 9,300.
// Checking one takes time that grows with the cube of its size.
const maxKeyDER = 12 << 10

// The PEM labels of private keys.
const (
	labelPKCS8     = "PRIVATE KEY"
	labelEncrypted = "ENCRYPTED PRIVATE KEY"
	labelPKCS1     = "RSA PRIVATE KEY"
	labelSEC1      = "EC PRIVATE KEY"
)

// MarshalPrivateKeyPEM writes key as PKCS #8 in PEM ("PRIVATE KEY", RFC 5958 and
// RFC 7468, Section 10). A [*PSSKey] is written as id-RSASSA-PSS.
func MarshalPrivateKeyPEM(key crypto.Signer) ([]byte, error) {
	der, err := MarshalPrivateKeyDER(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: labelPKCS8, Bytes: der}), nil
}

// MarshalPrivateKeyDER writes key as PKCS #8, DER (RFC 5958, Section 2). A
// [*PSSKey] is written as id-RSASSA-PSS, an *mldsa.PrivateKey as its seed (RFC 9881, Section 6).
func MarshalPrivateKeyDER(key crypto.Signer) ([]byte, error) {
	var der []byte
	var err error
	switch k := key.(type) {
	case *PSSKey:
		der, err = marshalPSS(k)
	case *mldsa.PrivateKey:
		der, err = marshalMLDSA(k)
	default:
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		return nil, fmt.Errorf("encode private key: %w", err)
	}
	return der, nil
}

// MarshalTraditionalPEM writes key in the older form of its algorithm: PKCS #1
// ("RSA PRIVATE KEY", RFC 8017, Appendix A.1.2) or SEC 1 ("EC PRIVATE KEY",
// RFC 5915, Section 4). Ed25519, ML-DSA and RSASSA-PSS keys have none: [*RefusedError].
func MarshalTraditionalPEM(key crypto.Signer) ([]byte, error) {
	block := &pem.Block{}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		block.Type, block.Bytes = labelPKCS1, x509.MarshalPKCS1PrivateKey(k)
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			return nil, fmt.Errorf("encode private key: %w", err)
		}
		block.Type, block.Bytes = labelSEC1, der
	default:
		what := "this kind of key"
		if key != nil {
			what = "this kind of key (" + DescribeKey(key.Public()) + ")"
		}
		return nil, refuse("write it as PKCS #8", "%s has no traditional form", what)
	}
	defer clear(block.Bytes)
	return pem.EncodeToMemory(block), nil
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
// *rsa.PrivateKey, [*PSSKey], *ecdsa.PrivateKey, ed25519.PrivateKey or *mldsa.PrivateKey. An
// encrypted key gives [ErrEncryptedKey].
func ParsePrivateKeyPEM(text []byte) (crypto.Signer, error) {
	return ParsePrivateKeyPEMWith(text, nil)
}

// ParsePrivateKeyPEMWith is [ParsePrivateKeyPEM] for keys that may be encrypted,
// as PKCS #8 (PBES2, RFC 8018, Section 6.2) or in the traditional way of OpenSSL
// ("Proc-Type: 4,ENCRYPTED"). The function is asked for the passphrase only if
// the key is encrypted, once; nil gives [ErrEncryptedKey]. What it returns is not
// kept and not cleared. A passphrase that does not open the key gives
// [ErrWrongPassphrase].
func ParsePrivateKeyPEMWith(text []byte, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("private key: %d bytes, more than the limit of %d", len(text), maxKeyFile)
	}
	var found *pem.Block
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		switch block.Type {
		case labelPKCS8, labelEncrypted, labelPKCS1, labelSEC1:
		default:
			continue
		}
		if found != nil {
			return nil, errors.New("more than one private key")
		}
		found = block
	}
	if found == nil {
		return nil, errors.New("no private key in PEM form")
	}
	return parseKeyBlock(found, passphrase)
}

// ParsePrivateKeyDER reads a private key without PEM around it: PKCS #8, plain or
// encrypted, PKCS #1 or SEC 1, told apart by their content. The passphrase is
// asked for as in [ParsePrivateKeyPEMWith].
func ParsePrivateKeyDER(der []byte, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	if len(der) > maxKeyFile {
		return nil, fmt.Errorf("private key: %d bytes, more than the limit of %d", len(der), maxKeyFile)
	}
	label := keyLabel(der)
	if label == "" {
		return nil, errors.New("no private key in DER form")
	}
	return parseKeyBlock(&pem.Block{Type: label, Bytes: der}, passphrase)
}

// IsPrivateKeyDER reports whether data looks like a private key in DER form, plain
// or encrypted. Only its outline is looked at.
func IsPrivateKeyDER(data []byte) bool { return len(data) <= maxKeyFile && keyLabel(data) != "" }

// keyLabel tells which PEM label a DER private key would carry, "" for none. The
// four structures differ in their first two elements.
func keyLabel(der []byte) string {
	outer, inner := cryptobyte.String(der), cryptobyte.String(nil)
	if !outer.ReadASN1(&inner, cbasn1.SEQUENCE) || !outer.Empty() {
		return ""
	}
	var version int
	switch {
	case inner.PeekASN1Tag(cbasn1.SEQUENCE):
		var outdated *RefusedError
		if _, err := parseEncrypted(der); err != nil && !errors.As(err, &outdated) {
			return ""
		}
		return labelEncrypted
	case !inner.ReadASN1Integer(&version):
		return ""
	case inner.PeekASN1Tag(cbasn1.SEQUENCE):
		if !inner.SkipASN1(cbasn1.SEQUENCE) || !inner.PeekASN1Tag(cbasn1.OCTET_STRING) {
			return ""
		}
		return labelPKCS8
	case inner.PeekASN1Tag(cbasn1.OCTET_STRING) && version == 1:
		return labelSEC1
	case inner.PeekASN1Tag(cbasn1.INTEGER) && version == 0:
		return labelPKCS1
	}
	return ""
}

// parseKeyBlock reads a block with one of the labels of private keys.
func parseKeyBlock(block *pem.Block, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	// RFC 1421, Section 4.6.1.1: Proc-Type tells traditional encryption.
	traditional := block.Headers["DEK-Info"] != ""
	if !traditional && block.Type != labelEncrypted {
		return parsePlainKey(block.Type, block.Bytes)
	}
	if passphrase == nil {
		return nil, ErrEncryptedKey
	}
	if traditional {
		return decryptTraditional(block, passphrase)
	}
	return decryptPKCS8(block.Bytes, passphrase)
}

// parsePlainKey reads an unencrypted key; label is that of its PEM block.
func parsePlainKey(label string, der []byte) (crypto.Signer, error) {
	if len(der) > maxKeyDER {
		return nil, fmt.Errorf("read private key: %d bytes, more than the limit of %d", len(der), maxKeyDER)
	}
	var key any
	var err error
	switch label {
	case labelPKCS1:
		key, err = x509.ParsePKCS1PrivateKey(der)
	case labelSEC1:
		key, err = x509.ParseECPrivateKey(der)
	default:
		if inner, parameters, ok := unwrapPSS(der); ok {
			rsaKey, err := x509.ParsePKCS1PrivateKey(inner)
			if err != nil {
				return nil, fmt.Errorf("read RSASSA-PSS private key: %w", err)
			}
			key = &PSSKey{key: rsaKey, parameters: parameters}
			break
		}
		if set, content, ok := unwrapMLDSA(der); ok {
			key, err = parseMLDSA(set, content)
			break
		}
		key, err = x509.ParsePKCS8PrivateKey(der)
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
	case *mldsa.PrivateKey:
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
