package revset

import (
	"encoding/binary"
	"math/bits"
)

// width is how many coefficients an equation has, in bits; smaller ribbons have fewer.
const width = 256

// words is width in words.
const words = width / 64

// digest stands for a certificate.
type digest [32]byte

// equation is a row of the linear system: coefficients from a place on, the lowest bit first.
type equation struct {
	start int
	a     [words]uint64
}

// mix spreads the bits of a word over all of it (the finalizer of SplitMix64).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// equationFor gives the equation of a key in a ribbon of m bits. salt tells levels and attempts apart.
func equationFor(d *digest, m int, salt uint64) equation {
	var e equation
	w := min(width, m)
	var place uint64
	for i := range e.a {
		word := binary.LittleEndian.Uint64(d[8*i:])
		e.a[i] = mix(word ^ mix(salt+uint64(i)))
		place ^= mix(word ^ mix(salt^0xa5a5a5a5a5a5a5a5-uint64(i)))
		if used := w - 64*i; used <= 0 {
			e.a[i] = 0
		} else if used < 64 {
			e.a[i] &= 1<<used - 1
		}
	}
	e.a[0] |= 1
	hi, _ := bits.Mul64(place, uint64(m-w+1))
	e.start = int(hi)
	return e
}

// system solves equations one after the other.
type system struct {
	rows  [][words]uint64 // by the place of their first coefficient; all zero: none yet
	right []bool
}

func newSystem(m int) *system {
	return &system{make([][words]uint64, m), make([]bool, m)}
}

// add takes an equation in; false: it contradicts those before.
func (s *system) add(e equation, right bool) bool {
	a, at := e.a, e.start
	for {
		skip := trailingZeros(&a)
		if skip == width {
			return !right // it says what the others say already, or the contrary
		}
		shiftRight(&a, skip)
		at += skip
		row := &s.rows[at]
		if row[0] == 0 { // a stored row has its lowest bit set
			*row, s.right[at] = a, right
			return true
		}
		for i := range a {
			a[i] ^= row[i]
		}
		right = right != s.right[at]
	}
}

func trailingZeros(a *[words]uint64) int {
	for i, w := range a {
		if w != 0 {
			return 64*i + bits.TrailingZeros64(w)
		}
	}
	return width
}

func shiftRight(a *[words]uint64, n int) {
	for ; n >= 64; n -= 64 {
		copy(a[:], a[1:])
		a[words-1] = 0
	}
	if n == 0 {
		return
	}
	for i := range words - 1 {
		a[i] = a[i]>>n | a[i+1]<<(64-n)
	}
	a[words-1] >>= n
}

// solve gives one solution; what is free is filled with bits that look random, told apart by salt. Without them a system whose right sides
// are all 0 would be solved by 0, which lets everything pass.
func (s *system) solve(salt uint64) ribbon {
	m := len(s.rows)
	x := newRibbon(m)
	var window [words]uint64 // the solution from place i on
	for i := m - 1; i >= 0; i-- {
		// Make room for place i, whose own bit is 0 for now.
		for j := words - 1; j > 0; j-- {
			window[j] = window[j]<<1 | window[j-1]>>63
		}
		window[0] <<= 1
		bit := uint64(0)
		if row := &s.rows[i]; row[0] == 0 {
			bit = mix(salt^mix(uint64(i))) & 1
		} else {
			bit = parity(row, &window)
			if s.right[i] {
				bit ^= 1
			}
		}
		window[0] |= bit
		x.bits[i/64] |= bit << (i % 64)
	}
	return x
}

func parity(a, b *[words]uint64) uint64 {
	var sum uint64
	for i := range a {
		sum ^= a[i] & b[i]
	}
	return uint64(bits.OnesCount64(sum) & 1)
}

// ribbon is a solution of m bits.
type ribbon struct {
	m    int
	bits []uint64
}

func newRibbon(m int) ribbon {
	return ribbon{m, make([]uint64, (m+63)/64)}
}

// times multiplies an equation with the solution.
func (r *ribbon) times(e *equation) uint64 {
	at, shift := e.start/64, e.start%64
	var sum uint64
	for i, a := range e.a {
		if at+i >= len(r.bits) {
			break
		}
		x := r.bits[at+i] >> shift
		if shift > 0 && at+i+1 < len(r.bits) {
			x |= r.bits[at+i+1] << (64 - shift)
		}
		sum ^= a & x
	}
	return uint64(bits.OnesCount64(sum) & 1)
}

// octets is how many octets m bits take in the format.
func octets(m int) int { return (m + 7) / 8 }

func (r *ribbon) append(dst []byte) []byte {
	for i := range octets(r.m) {
		dst = append(dst, byte(r.bits[i/8]>>(8*(i%8))))
	}
	return dst
}

// readRibbon reads m bits; those behind them in the last octet must be 0.
func readRibbon(m int, b []byte) (ribbon, bool) {
	r := newRibbon(m)
	for i, v := range b {
		r.bits[i/8] |= uint64(v) << (8 * (i % 8))
	}
	return r, m%8 == 0 || b[len(b)-1]>>(m%8) == 0
}
