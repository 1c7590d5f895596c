package legacy

import (
	"crypto/cipher"
	"encoding/binary"
)

const ideaRounds = 8

// idea is IDEA: the subkeys of encryption and of decryption.
type idea struct{ enc, dec [6*ideaRounds + 4]uint16 }

// newIDEA takes keys of 16 bytes.
func newIDEA(key []byte) (cipher.Block, error) {
	if len(key) != 16 {
		return nil, errKeyLen("IDEA", len(key))
	}
	c := &idea{}
	hi, lo := binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])
	for i := range c.enc {
		// Eight subkeys, then the key is turned by 25 bits.
		word := hi
		if i%8 >= 4 {
			word = lo
		}
		c.enc[i] = uint16(word >> (48 - 16*(i%4)))
		if i%8 == 7 {
			hi, lo = hi<<25|lo>>39, lo<<25|hi>>39
		}
	}
	for r := range ideaRounds + 1 {
		from := c.enc[6*(ideaRounds-r):]
		to := c.dec[6*r:]
		to[0], to[3] = ideaInverse(from[0]), ideaInverse(from[3])
		to[1], to[2] = -from[2], -from[1]
		if r == 0 || r == ideaRounds { // the words in the middle do not change places there
			to[1], to[2] = -from[1], -from[2]
		}
		if r < ideaRounds {
			before := c.enc[6*(ideaRounds-1-r):]
			to[4], to[5] = before[4], before[5]
		}
	}
	return c, nil
}

// BlockSize gives 8.
func (c *idea) BlockSize() int { return 8 }

// Encrypt is that of cipher.Block.
func (c *idea) Encrypt(dst, src []byte) { ideaCrypt(&c.enc, dst, src) }

// Decrypt is that of cipher.Block.
func (c *idea) Decrypt(dst, src []byte) { ideaCrypt(&c.dec, dst, src) }

func ideaCrypt(keys *[6*ideaRounds + 4]uint16, dst, src []byte) {
	var x [4]uint16
	for i := range x {
		x[i] = binary.BigEndian.Uint16(src[2*i:])
	}
	k := keys[:]
	for range ideaRounds {
		x[0], x[1], x[2], x[3] = ideaMul(x[0], k[0]), x[1]+k[1], x[2]+k[2], ideaMul(x[3], k[3])
		t := ideaMul(x[0]^x[2], k[4])
		u := ideaMul(t+(x[1]^x[3]), k[5])
		t += u
		x[0], x[1], x[2], x[3] = x[0]^u, x[2]^u, x[1]^t, x[3]^t
		k = k[6:]
	}
	x[0], x[1], x[2], x[3] = ideaMul(x[0], k[0]), x[2]+k[1], x[1]+k[2], ideaMul(x[3], k[3])
	for i := range x {
		binary.BigEndian.PutUint16(dst[2*i:], x[i])
	}
}

// ideaMul multiplies modulo 2^16 + 1, where 0 stands for 2^16.
func ideaMul(a, b uint16) uint16 {
	const m = 1<<16 + 1
	wide := func(v uint16) uint64 {
		if v == 0 {
			return 1 << 16
		}
		return uint64(v)
	}
	return uint16(wide(a) * wide(b) % m)
}

// ideaInverse gives the inverse of that multiplication: the (2^16 - 1)th power.
func ideaInverse(a uint16) uint16 {
	result := uint16(1)
	for range 16 {
		result = ideaMul(result, a)
		a = ideaMul(a, a)
	}
	return result
}
