package legacy

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// newBlock makes the block cipher of a suite.
func (s *Suite) newBlock(key []byte) (cipher.Block, error) {
	switch s.Encryption {
	case "AES", "AES-CCM":
		return aes.NewCipher(key)
	case "3DES":
		return des.NewTripleDESCipher(key)
	case "DES", "DES40":
		return des.NewCipher(key)
	case "RC2":
		return newRC2(key)
	case "IDEA":
		return newIDEA(key)
	case "SEED":
		return newSEED(key)
	case "CAMELLIA":
		return newCamellia(key)
	case "ARIA":
		return newARIA(key)
	}
	return nil, fmt.Errorf("no block cipher %q", s.Encryption)
}

// newAEAD makes the AEAD of a suite.
func (s *Suite) newAEAD(key []byte) (cipher.AEAD, error) {
	if s.Encryption == "CHACHA20" {
		return chacha20poly1305.New(key)
	}
	block, err := s.newBlock(key)
	if err != nil {
		return nil, err
	}
	if s.Encryption == "AES-CCM" {
		return &ccm{block, s.TagLen}, nil
	}
	return cipher.NewGCM(block)
}

// errKeyLen is what every cipher here says of a key of a size it does not take.
func errKeyLen(name string, n int) error { return fmt.Errorf("key of %d bytes for %s", n, name) }
