package legacy

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

var errCCM = errors.New("message authentication failed")

// ccm is CCM with a 12-byte nonce over a cipher with 16-byte blocks (RFC 3610), the plain way: the scanner seals a few
// records with it.
type ccm struct {
	block  cipher.Block
	tagLen int
}

// NonceSize gives 12.
func (c *ccm) NonceSize() int { return 12 }

// Overhead gives the size of the tag.
func (c *ccm) Overhead() int { return c.tagLen }

// Seal is that of cipher.AEAD.
func (c *ccm) Seal(dst, nonce, plaintext, additionalData []byte) []byte {
	tag := c.tag(nonce, plaintext, additionalData)
	sealed := append(append(make([]byte, 0, len(plaintext)+c.tagLen), plaintext...), tag...)
	c.stream(nonce).XORKeyStream(sealed, sealed[:len(plaintext)])
	return append(dst, sealed...)
}

// Open is that of cipher.AEAD.
func (c *ccm) Open(dst, nonce, ciphertext, additionalData []byte) ([]byte, error) {
	n := len(ciphertext) - c.tagLen
	if n < 0 {
		return nil, errCCM
	}
	plain := make([]byte, n)
	c.stream(nonce).XORKeyStream(plain, ciphertext[:n])
	if subtle.ConstantTimeCompare(c.tag(nonce, plain, additionalData), ciphertext[n:]) != 1 {
		return nil, errCCM
	}
	return append(dst, plain...), nil
}

// stream gives the key stream for the content, which begins with counter 1 (RFC 3610, Section 2.3).
func (c *ccm) stream(nonce []byte) cipher.Stream {
	var counter [16]byte
	counter[0] = 2
	copy(counter[1:], nonce)
	counter[15] = 1
	return cipher.NewCTR(c.block, counter[:])
}

// tag is the encrypted CBC-MAC (RFC 3610, Section 2.2). Records are shorter than 2^16 bytes, and so is what is
// authenticated besides.
func (c *ccm) tag(nonce, plaintext, additionalData []byte) []byte {
	var mac, first [16]byte
	mac[0] = byte((c.tagLen-2)/2<<3 | 2)
	if len(additionalData) > 0 {
		mac[0] |= 0x40
	}
	copy(mac[1:], nonce)
	mac[13], mac[14], mac[15] = byte(len(plaintext)>>16), byte(len(plaintext)>>8), byte(len(plaintext))
	c.block.Encrypt(mac[:], mac[:])
	absorb := func(data []byte) {
		for len(data) > 0 {
			n := subtle.XORBytes(mac[:], mac[:], data)
			data = data[n:]
			c.block.Encrypt(mac[:], mac[:])
		}
	}
	if len(additionalData) > 0 {
		absorb(append(binary.BigEndian.AppendUint16(nil, uint16(len(additionalData))), additionalData...))
	}
	absorb(plaintext)
	first[0] = 2
	copy(first[1:], nonce)
	c.block.Encrypt(first[:], first[:])
	subtle.XORBytes(mac[:], mac[:], first[:])
	return mac[:c.tagLen]
}
