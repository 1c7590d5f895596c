package pki

import (
	"crypto"
	"crypto/md5"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
)

// decryptTraditional opens a key that OpenSSL encrypted within the PEM layer
// (RFC 1421, Section 4.6.1.1 with OpenSSL's own derivation: one round of MD5).
// This is read for the sake of old files and never written: trying passphrases
// costs next to nothing.
func decryptTraditional(block *pem.Block, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	if block.Type == labelPKCS8 || block.Type == labelEncrypted {
		return nil, fmt.Errorf("read encrypted private key: a %q block cannot be encrypted twice", block.Type)
	}
	name, ivHex, _ := strings.Cut(block.Headers["DEK-Info"], ",")
	i := slices.IndexFunc(pbes2Ciphers, func(c pbes2Cipher) bool { return strings.EqualFold(c.cbc.name, strings.TrimSpace(name)) })
	if i < 0 {
		return nil, refuse("let OpenSSL write it again: openssl pkey -aes256",
			"the private key is encrypted with %q, none of AES-CBC and DES-EDE3-CBC", Printable(name))
	}
	c := pbes2Ciphers[i].cbc
	iv, err := hex.DecodeString(strings.TrimSpace(ivHex))
	if err != nil || len(iv) != c.blockSize {
		return nil, fmt.Errorf("read encrypted private key: DEK-Info %q holds no initialisation vector of %d bytes", Printable(block.Headers["DEK-Info"]), c.blockSize)
	}
	secret, err := askPassphrase(passphrase)
	if err != nil {
		return nil, err
	}
	key := bytesToKey(secret, iv[:8], c.keyLength)
	defer clear(key)
	plain, err := c.decrypt(key, iv, block.Bytes)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return parseDecrypted(block.Type, plain)
}

// bytesToKey is OpenSSL's EVP_BytesToKey with MD5 and one iteration.
func bytesToKey(passphrase, salt []byte, length int) []byte {
	var key, last []byte
	for len(key) < length {
		h := md5.New()
		h.Write(last)
		h.Write(passphrase)
		h.Write(salt)
		last = h.Sum(nil)
		key = append(key, last...)
	}
	return key[:length]
}
