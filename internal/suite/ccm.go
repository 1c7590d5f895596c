package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"sync"
)

const (
	ccmNonceLen = 12
	// ccmLengthLen is the size in bytes of the length field, called L by RFC 3610, Section 2.2: what the nonce leaves
	// of a block.
	ccmLengthLen = 15 - ccmNonceLen
	// ccmMaxPlaintext is what the length field can express.
	ccmMaxPlaintext = 1<<(8*ccmLengthLen) - 1
	ccmTagLen       = 16
	ccmShortTagLen  = 8
)

// errCCM is what Open returns; it says no more than that of crypto/cipher does.
var errCCM = errors.New("message authentication failed")

// ccm is AES-CCM with a 12-byte nonce: CTR encryption and a CBC-MAC under one key (RFC 3610). As an AEAD it is
// RFC 5116, Section 5.3, with the short tag RFC 6655, Section 4.
//
// Like the AEADs of the standard library it may be used by several goroutines at once and panics if it is used
// wrongly: a nonce of another size, a plaintext of 2^24 bytes or more, an output that overlaps its input but does not
// begin where that begins.
type ccm struct {
	block  cipher.Block
	tagLen int
	// working holds *ccmState: what is handed to a cipher.Block moves to the heap, and must not be allocated for each
	// record.
	working sync.Pool
}

// ccmState is the working memory of one call.
type ccmState struct {
	mac     [aes.BlockSize]byte // the CBC-MAC so far
	counter [aes.BlockSize]byte // the counter block of the last key stream block
	stream  [aes.BlockSize]byte // that key stream block
}

func newCCM(key []byte, tagLen int) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &ccm{block: block, tagLen: tagLen, working: sync.Pool{New: func() any { return new(ccmState) }}}, nil
}

// NonceSize gives 12.
func (c *ccm) NonceSize() int { return ccmNonceLen }

// Overhead gives the size of the tag.
func (c *ccm) Overhead() int { return c.tagLen }

// Seal is that of cipher.AEAD.
func (c *ccm) Seal(dst, nonce, plaintext, additionalData []byte) []byte {
	if len(plaintext) > ccmMaxPlaintext {
		panic("suite: plaintext too long for CCM")
	}
	ret, out := appendRoom(dst, len(plaintext)+c.tagLen)
	checkBuffers(nonce, out, plaintext, additionalData)
	s := c.start(nonce, len(plaintext), additionalData)
	defer c.done(s)
	for at := 0; at < len(plaintext); at += aes.BlockSize {
		end := min(at+aes.BlockSize, len(plaintext))
		c.absorb(s, plaintext[at:end])
		c.advance(s)
		subtle.XORBytes(out[at:end], plaintext[at:end], s.stream[:])
	}
	c.tag(s)
	copy(out[len(plaintext):], s.mac[:c.tagLen])
	return ret
}

// Open is that of cipher.AEAD. Where it fails, nothing of the plaintext is left in dst.
func (c *ccm) Open(dst, nonce, ciphertext, additionalData []byte) ([]byte, error) {
	n := len(ciphertext) - c.tagLen
	if n < 0 || n > ccmMaxPlaintext {
		return nil, errCCM
	}
	ret, out := appendRoom(dst, n)
	checkBuffers(nonce, out, ciphertext, additionalData)
	s := c.start(nonce, n, additionalData)
	defer c.done(s)
	for at := 0; at < n; at += aes.BlockSize {
		end := min(at+aes.BlockSize, n)
		c.advance(s)
		subtle.XORBytes(out[at:end], ciphertext[at:end], s.stream[:])
		c.absorb(s, out[at:end])
	}
	c.tag(s)
	if subtle.ConstantTimeCompare(s.mac[:c.tagLen], ciphertext[n:]) != 1 {
		clear(out)
		return nil, errCCM
	}
	return ret, nil
}

// start takes working memory and authenticates what comes before the plaintext: the first block B_0, which holds
// nonce and length, and the additional data behind its own length (RFC 3610, Section 2.2).
func (c *ccm) start(nonce []byte, length int, additionalData []byte) *ccmState {
	s := c.working.Get().(*ccmState)
	// The length goes first: its upper byte is overwritten by the nonce.
	binary.BigEndian.PutUint32(s.mac[aes.BlockSize-4:], uint32(length))
	copy(s.mac[1:], nonce)
	s.mac[0] = byte((c.tagLen-2)/2<<3 | (ccmLengthLen - 1))
	if len(additionalData) > 0 {
		s.mac[0] |= 1 << 6
	}
	c.block.Encrypt(s.mac[:], s.mac[:])
	c.absorbAdditional(s, additionalData)
	// A_0, the counter block whose key stream covers the tag (RFC 3610, Section 2.3).
	s.counter[0] = ccmLengthLen - 1
	copy(s.counter[1:], nonce)
	clear(s.counter[1+ccmNonceLen:])
	return s
}

// absorbAdditional authenticates the additional data behind its length, which takes 2, 6 or 10 bytes.
func (c *ccm) absorbAdditional(s *ccmState, data []byte) {
	if len(data) == 0 {
		return
	}
	var length [10]byte
	var used int
	switch n := uint64(len(data)); {
	case n < 1<<16-1<<8:
		binary.BigEndian.PutUint16(length[:], uint16(n))
		used = 2
	case n < 1<<32:
		binary.BigEndian.PutUint16(length[:], 0xfffe)
		binary.BigEndian.PutUint32(length[2:], uint32(n))
		used = 6
	default:
		binary.BigEndian.PutUint16(length[:], 0xffff)
		binary.BigEndian.PutUint64(length[2:], n)
		used = 10
	}
	subtle.XORBytes(s.mac[:used], s.mac[:used], length[:used])
	first := subtle.XORBytes(s.mac[used:], s.mac[used:], data)
	c.block.Encrypt(s.mac[:], s.mac[:])
	for data = data[first:]; len(data) > 0; {
		n := min(aes.BlockSize, len(data))
		c.absorb(s, data[:n])
		data = data[n:]
	}
}

// absorb authenticates one block, filled up with zeros.
func (c *ccm) absorb(s *ccmState, block []byte) {
	subtle.XORBytes(s.mac[:], s.mac[:], block)
	c.block.Encrypt(s.mac[:], s.mac[:])
}

// advance makes the next block of the key stream. The counter cannot leave its three bytes: the plaintext ends before.
func (c *ccm) advance(s *ccmState) {
	const at = aes.BlockSize - 4 // the upper byte of these four belongs to the nonce and is never reached
	binary.BigEndian.PutUint32(s.counter[at:], binary.BigEndian.Uint32(s.counter[at:])+1)
	c.block.Encrypt(s.stream[:], s.counter[:])
}

// tag covers the CBC-MAC with the key stream of the counter block 0; its first bytes are the tag.
func (c *ccm) tag(s *ccmState) {
	clear(s.counter[1+ccmNonceLen:])
	c.block.Encrypt(s.stream[:], s.counter[:])
	subtle.XORBytes(s.mac[:], s.mac[:], s.stream[:])
}

// done gives the working memory back without what it held.
func (c *ccm) done(s *ccmState) {
	*s = ccmState{}
	c.working.Put(s)
}
