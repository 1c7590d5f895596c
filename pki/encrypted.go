package pki

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ErrEncryptedKey is returned for a private key under a passphrase when none was
// offered.
var ErrEncryptedKey = errors.New("the private key is encrypted with a passphrase")

// ErrWrongPassphrase is returned when a passphrase does not open a private key.
// A key whose ciphertext was damaged cannot be told from that.
var ErrWrongPassphrase = errors.New("the passphrase does not open the private key")

// maxPassphrase bounds a passphrase, in bytes.
const maxPassphrase = 4096

// MarshalEncryptedPrivateKeyPEM writes key as PKCS #8 under a passphrase
// ("ENCRYPTED PRIVATE KEY", RFC 5958, Section 3) with PBES2 (RFC 8018,
// Section 6.2): AES-256-CBC, its key derived as kdf says. An empty passphrase is
// refused with a [*RefusedError]. The passphrase is neither kept nor cleared.
func MarshalEncryptedPrivateKeyPEM(key crypto.Signer, passphrase []byte, kdf KDF) ([]byte, error) {
	der, err := MarshalEncryptedPrivateKeyDER(key, passphrase, kdf)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: labelEncrypted, Bytes: der}), nil
}

// MarshalEncryptedPrivateKeyDER is [MarshalEncryptedPrivateKeyPEM] without PEM
// around it.
func MarshalEncryptedPrivateKeyDER(key crypto.Signer, passphrase []byte, kdf KDF) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, refuse("choose a passphrase, or write the key without one", "an empty passphrase protects nothing")
	}
	plain, err := MarshalPrivateKeyDER(key)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return SealPBES2(plain, passphrase, kdf)
}

// SealPBES2 encrypts anything with PBES2 as [MarshalEncryptedPrivateKeyPEM] does.
// The result is SEQUENCE { AlgorithmIdentifier, OCTET STRING }, DER: what an
// EncryptedPrivateKeyInfo is, and what PKCS #12 takes apart.
func SealPBES2(plain, passphrase []byte, kdf KDF) ([]byte, error) {
	if len(passphrase) > maxPassphrase {
		return nil, refuse("choose a shorter passphrase", "a passphrase of %d bytes is longer than %d", len(passphrase), maxPassphrase)
	}
	derivation, err := kdf.forWriting()
	if err != nil {
		return nil, err
	}
	aesKey, err := derivation.derive(passphrase, 32)
	if err != nil {
		return nil, err
	}
	defer clear(aesKey)
	block, err := aes.NewCipher(aesKey)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	iv := make([]byte, aes.BlockSize)
	_, _ = rand.Read(iv) // never fails
	padded := pad(plain, aes.BlockSize)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)

	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidPBES2())
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				derivation.marshal(b)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidAES256CBC())
					b.AddASN1OctetString(iv)
				})
			})
		})
		b.AddASN1OctetString(padded)
	})
	return b.Bytes()
}

// PBES2Work says what it would cost to open what [SealPBES2] or somebody else has
// encrypted: the iterations of PBKDF2, or N·r·p of scrypt, which takes about as
// long. What would cost too much, or cannot be read, is an error.
func PBES2Work(der []byte) (int, error) {
	e, err := parseEncrypted(der)
	if err != nil {
		return 0, err
	}
	if err := e.check(); err != nil {
		return 0, err
	}
	return e.kdf.work(), nil
}

// OpenPBES2 decrypts SEQUENCE { AlgorithmIdentifier, OCTET STRING } with PBES2,
// within the bounds of [PBES2Work]. A passphrase that is wrong gives
// [ErrWrongPassphrase], but for one in 256, which gives nonsense.
func OpenPBES2(der, passphrase []byte) ([]byte, error) {
	e, err := parseEncrypted(der)
	if err != nil {
		return nil, err
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	return e.open(passphrase)
}

// open decrypts. Only call it after check.
func (e encryptedKey) open(passphrase []byte) ([]byte, error) {
	key, err := e.kdf.derive(passphrase, e.cipher.keyLength)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return e.cipher.decrypt(key, e.iv, e.data)
}

// decryptPKCS8 opens an EncryptedPrivateKeyInfo. Nothing costly is done, and
// nobody asked for a passphrase, before its parameters are known to be bearable.
func decryptPKCS8(der []byte, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	e, err := parseEncrypted(der)
	if err != nil {
		return nil, fmt.Errorf("read encrypted private key: %w", err)
	}
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("read encrypted private key: %w", err)
	}
	secret, err := askPassphrase(passphrase)
	if err != nil {
		return nil, err
	}
	plain, err := e.open(secret)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return parseDecrypted(labelPKCS8, plain)
}

func askPassphrase(passphrase func() ([]byte, error)) ([]byte, error) {
	secret, err := passphrase()
	if err != nil {
		return nil, fmt.Errorf("get the passphrase of the private key: %w", err)
	}
	if len(secret) > maxPassphrase {
		return nil, fmt.Errorf("a passphrase of %d bytes is longer than %d", len(secret), maxPassphrase)
	}
	return secret, nil
}

// parseDecrypted reads what a passphrase has opened. CBC padding alone lets one
// wrong passphrase in 256 pass, so what is not even one whole SEQUENCE counts as
// wrong too.
func parseDecrypted(label string, plain []byte) (crypto.Signer, error) {
	outer, inner := cryptobyte.String(plain), cryptobyte.String(nil)
	var version int
	if !outer.ReadASN1(&inner, cbasn1.SEQUENCE) || !outer.Empty() || !inner.ReadASN1Integer(&version) {
		return nil, ErrWrongPassphrase
	}
	return parsePlainKey(label, plain)
}

// pad appends the padding of RFC 8018, Section 6.1.1 to a copy of plain.
func pad(plain []byte, size int) []byte {
	n := size - len(plain)%size
	padded := make([]byte, len(plain), len(plain)+n)
	copy(padded, plain)
	for range n {
		padded = append(padded, byte(n))
	}
	return padded
}

// cbc is a block cipher that a key may be encrypted with, in CBC mode.
type cbc struct {
	name      string // as OpenSSL spells it in DEK-Info
	keyLength int
	blockSize int
	open      func(key []byte) (cipher.Block, error)
}

// decrypt returns the plaintext without its padding; padding that makes no sense
// is [ErrWrongPassphrase].
func (c cbc) decrypt(key, iv, data []byte) ([]byte, error) {
	block, err := c.open(key)
	if err != nil {
		return nil, fmt.Errorf("decrypt private key: %w", err)
	}
	if len(data) == 0 || len(data)%c.blockSize != 0 || len(iv) != c.blockSize {
		return nil, errors.New("the encrypted private key is cut off")
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	n := int(plain[len(plain)-1])
	if n == 0 || n > c.blockSize || strings.Count(string(plain[len(plain)-n:]), string(plain[len(plain)-1:])) != n {
		clear(plain)
		return nil, ErrWrongPassphrase
	}
	return plain[:len(plain)-n], nil
}
