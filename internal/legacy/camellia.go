package legacy

import (
	"crypto/cipher"
	"encoding/binary"
	"math/bits"
	"slices"
)

// camellia is Camellia (RFC 3713): the subkeys in the order in which encryption takes them, whitening keys first and
// last, six rounds and two FL keys in turn between; and the same reversed.
type camellia struct{ enc, dec camelliaKeys }

type camelliaKeys struct {
	before, after [2]uint64
	rounds        []uint64
	fl            []uint64
}

// newCamellia takes keys of 16, 24 or 32 bytes.
func newCamellia(key []byte) (cipher.Block, error) {
	if n := len(key); n != 16 && n != 24 && n != 32 {
		return nil, errKeyLen("Camellia", n)
	}
	l := [2]uint64{binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])}
	var r [2]uint64
	if len(key) > 16 {
		r[0], r[1] = binary.BigEndian.Uint64(key[16:]), ^binary.BigEndian.Uint64(key[16:])
	}
	if len(key) == 32 {
		r[1] = binary.BigEndian.Uint64(key[24:])
	}
	a, b := camelliaMix(l, r)
	c := &camellia{}
	if len(key) == 16 {
		c.enc = camellia128(l, a)
	} else {
		c.enc = camellia256(l, r, a, b)
	}
	c.dec = camelliaKeys{before: c.enc.after, after: c.enc.before, rounds: slices.Clone(c.enc.rounds), fl: slices.Clone(c.enc.fl)}
	slices.Reverse(c.dec.rounds)
	slices.Reverse(c.dec.fl)
	return c, nil
}

// camelliaMix makes KA and KB (RFC 3713, Section 2.2).
func camelliaMix(l, r [2]uint64) (a, b [2]uint64) {
	sigma := [6]uint64{0xa09e667f3bcc908b, 0xb67ae8584caa73b2, 0xc6ef372fe94f82be, 0x54ff53a5f1d36f1c, 0x10e527fade682d1d, 0xb05688c2b3e6c1fd}
	d1, d2 := l[0]^r[0], l[1]^r[1]
	d2 ^= camelliaF(d1, sigma[0])
	d1 ^= camelliaF(d2, sigma[1])
	d1 ^= l[0]
	d2 ^= l[1]
	d2 ^= camelliaF(d1, sigma[2])
	d1 ^= camelliaF(d2, sigma[3])
	a = [2]uint64{d1, d2}
	d1 ^= r[0]
	d2 ^= r[1]
	d2 ^= camelliaF(d1, sigma[4])
	d1 ^= camelliaF(d2, sigma[5])
	return a, [2]uint64{d1, d2}
}

// turned rotates 128 bits to the left and gives both halves.
func turned(k [2]uint64, n int) [2]uint64 {
	if n >= 64 {
		k[0], k[1], n = k[1], k[0], n-64
	}
	if n == 0 {
		return k
	}
	return [2]uint64{k[0]<<n | k[1]>>(64-n), k[1]<<n | k[0]>>(64-n)}
}

func camellia128(l, a [2]uint64) camelliaKeys {
	k := camelliaKeys{before: l, after: turned(a, 111)}
	add := func(p [2]uint64) { k.rounds = append(k.rounds, p[0], p[1]) }
	add(a)
	add(turned(l, 15))
	add(turned(a, 15))
	add(turned(l, 45))
	k.rounds = append(k.rounds, turned(a, 45)[0], turned(l, 60)[1])
	add(turned(a, 60))
	add(turned(l, 94))
	add(turned(a, 94))
	add(turned(l, 111))
	k.fl = slices.Concat(pair(turned(a, 30)), pair(turned(l, 77)))
	return k
}

func camellia256(l, r, a, b [2]uint64) camelliaKeys {
	k := camelliaKeys{before: l, after: turned(b, 111)}
	for _, p := range [][2]uint64{b, turned(r, 15), turned(a, 15), turned(b, 30), turned(l, 45), turned(a, 45),
		turned(r, 60), turned(b, 60), turned(l, 77), turned(r, 94), turned(a, 94), turned(l, 111)} {
		k.rounds = append(k.rounds, p[0], p[1])
	}
	k.fl = slices.Concat(pair(turned(r, 30)), pair(turned(l, 60)), pair(turned(a, 77)))
	return k
}

func pair(p [2]uint64) []uint64 { return p[:] }

// BlockSize gives 16.
func (c *camellia) BlockSize() int { return 16 }

// Encrypt is that of cipher.Block.
func (c *camellia) Encrypt(dst, src []byte) { c.enc.crypt(dst, src) }

// Decrypt is that of cipher.Block.
func (c *camellia) Decrypt(dst, src []byte) { c.dec.crypt(dst, src) }

func (k *camelliaKeys) crypt(dst, src []byte) {
	d1, d2 := binary.BigEndian.Uint64(src)^k.before[0], binary.BigEndian.Uint64(src[8:])^k.before[1]
	for i := 0; i < len(k.rounds); i += 2 {
		if i > 0 && i%6 == 0 {
			at := i/3 - 2
			d1, d2 = camelliaFL(d1, k.fl[at]), camelliaFLInverse(d2, k.fl[at+1])
		}
		d2 ^= camelliaF(d1, k.rounds[i])
		d1 ^= camelliaF(d2, k.rounds[i+1])
	}
	binary.BigEndian.PutUint64(dst, d2^k.after[0])
	binary.BigEndian.PutUint64(dst[8:], d1^k.after[1])
}

// camelliaF is the function F (RFC 3713, Section 2.4.1).
func camelliaF(in, key uint64) uint64 {
	x := in ^ key
	box := func(i int) byte { return byte(x >> (56 - 8*i)) }
	t1 := camelliaBox[box(0)]
	t2 := bits.RotateLeft8(camelliaBox[box(1)], 1)
	t3 := bits.RotateLeft8(camelliaBox[box(2)], 7)
	t4 := camelliaBox[bits.RotateLeft8(box(3), 1)]
	t5 := bits.RotateLeft8(camelliaBox[box(4)], 1)
	t6 := bits.RotateLeft8(camelliaBox[box(5)], 7)
	t7 := camelliaBox[bits.RotateLeft8(box(6), 1)]
	t8 := camelliaBox[box(7)]
	y := [8]byte{
		t1 ^ t3 ^ t4 ^ t6 ^ t7 ^ t8, t1 ^ t2 ^ t4 ^ t5 ^ t7 ^ t8, t1 ^ t2 ^ t3 ^ t5 ^ t6 ^ t8, t2 ^ t3 ^ t4 ^ t5 ^ t6 ^ t7,
		t1 ^ t2 ^ t6 ^ t7 ^ t8, t2 ^ t3 ^ t5 ^ t7 ^ t8, t3 ^ t4 ^ t5 ^ t6 ^ t8, t1 ^ t4 ^ t5 ^ t6 ^ t7,
	}
	return binary.BigEndian.Uint64(y[:])
}

// camelliaFL and camelliaFLInverse are the layers between the rounds (RFC 3713, Sections 2.4.2 and 2.4.3).
func camelliaFL(x, key uint64) uint64 {
	l, r, kl, kr := uint32(x>>32), uint32(x), uint32(key>>32), uint32(key)
	r ^= bits.RotateLeft32(l&kl, 1)
	l ^= r | kr
	return uint64(l)<<32 | uint64(r)
}

func camelliaFLInverse(y, key uint64) uint64 {
	l, r, kl, kr := uint32(y>>32), uint32(y), uint32(key>>32), uint32(key)
	l ^= r | kr
	r ^= bits.RotateLeft32(l&kl, 1)
	return uint64(l)<<32 | uint64(r)
}

// camelliaBox is SBOX1, of which the other three are rotations (RFC 3713, Section 2.4.1).
var camelliaBox = [256]byte{
	0x70, 0x82, 0x2c, 0xec, 0xb3, 0x27, 0xc0, 0xe5, 0xe4, 0x85, 0x57, 0x35, 0xea, 0x0c, 0xae, 0x41,
	0x23, 0xef, 0x6b, 0x93, 0x45, 0x19, 0xa5, 0x21, 0xed, 0x0e, 0x4f, 0x4e, 0x1d, 0x65, 0x92, 0xbd,
	0x86, 0xb8, 0xaf, 0x8f, 0x7c, 0xeb, 0x1f, 0xce, 0x3e, 0x30, 0xdc, 0x5f, 0x5e, 0xc5, 0x0b, 0x1a,
	0xa6, 0xe1, 0x39, 0xca, 0xd5, 0x47, 0x5d, 0x3d, 0xd9, 0x01, 0x5a, 0xd6, 0x51, 0x56, 0x6c, 0x4d,
	0x8b, 0x0d, 0x9a, 0x66, 0xfb, 0xcc, 0xb0, 0x2d, 0x74, 0x12, 0x2b, 0x20, 0xf0, 0xb1, 0x84, 0x99,
	0xdf, 0x4c, 0xcb, 0xc2, 0x34, 0x7e, 0x76, 0x05, 0x6d, 0xb7, 0xa9, 0x31, 0xd1, 0x17, 0x04, 0xd7,
	0x14, 0x58, 0x3a, 0x61, 0xde, 0x1b, 0x11, 0x1c, 0x32, 0x0f, 0x9c, 0x16, 0x53, 0x18, 0xf2, 0x22,
	0xfe, 0x44, 0xcf, 0xb2, 0xc3, 0xb5, 0x7a, 0x91, 0x24, 0x08, 0xe8, 0xa8, 0x60, 0xfc, 0x69, 0x50,
	0xaa, 0xd0, 0xa0, 0x7d, 0xa1, 0x89, 0x62, 0x97, 0x54, 0x5b, 0x1e, 0x95, 0xe0, 0xff, 0x64, 0xd2,
	0x10, 0xc4, 0x00, 0x48, 0xa3, 0xf7, 0x75, 0xdb, 0x8a, 0x03, 0xe6, 0xda, 0x09, 0x3f, 0xdd, 0x94,
	0x87, 0x5c, 0x83, 0x02, 0xcd, 0x4a, 0x90, 0x33, 0x73, 0x67, 0xf6, 0xf3, 0x9d, 0x7f, 0xbf, 0xe2,
	0x52, 0x9b, 0xd8, 0x26, 0xc8, 0x37, 0xc6, 0x3b, 0x81, 0x96, 0x6f, 0x4b, 0x13, 0xbe, 0x63, 0x2e,
	0xe9, 0x79, 0xa7, 0x8c, 0x9f, 0x6e, 0xbc, 0x8e, 0x29, 0xf5, 0xf9, 0xb6, 0x2f, 0xfd, 0xb4, 0x59,
	0x78, 0x98, 0x06, 0x6a, 0xe7, 0x46, 0x71, 0xba, 0xd4, 0x25, 0xab, 0x42, 0x88, 0xa2, 0x8d, 0xfa,
	0x72, 0x07, 0xb9, 0x55, 0xf8, 0xee, 0xac, 0x0a, 0x36, 0x49, 0x2a, 0x68, 0x3c, 0x38, 0xf1, 0xa4,
	0x40, 0x28, 0xd3, 0x7b, 0xbb, 0xc9, 0x43, 0xc1, 0x15, 0xe3, 0xad, 0xf4, 0x77, 0xc7, 0x80, 0x9e,
}
