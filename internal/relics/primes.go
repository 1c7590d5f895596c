package relics

import (
	"math/big"
)

// The prime moduli of the standards are made of the binary digits of pi (RFC 2409 and RFC 3526) or of e (RFC 7919) with
// 64 ones on both ends, so they can be computed here instead of being copied:
//
//	p = 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * x) + k)
//
// k is the first number that makes p and (p-1)/2 prime.

// StandardPrime is a prime of a standard: how it is called, how many bits it has, and how it is computed.
type StandardPrime struct {
	Name    string
	Bits    uint
	Counter int64
	Euler   bool // from the digits of e instead of pi
}

// StandardPrimes lists the primes of RFC 2409, RFC 3526 and RFC 7919.
func StandardPrimes() []StandardPrime {
	return []StandardPrime{
		{"RFC 2409 group 1", 768, 149686, false},
		{"RFC 2409 group 2", 1024, 129093, false},
		{"RFC 3526 group 5", 1536, 741804, false},
		{"RFC 3526 group 14", 2048, 124476, false},
		{"RFC 3526 group 15", 3072, 1690314, false},
		{"RFC 3526 group 16", 4096, 240904, false},
		{"RFC 3526 group 17", 6144, 929484, false},
		{"RFC 3526 group 18", 8192, 4743158, false},
		{"ffdhe2048", 2048, 560316, true},
		{"ffdhe3072", 3072, 2625351, true},
		{"ffdhe4096", 4096, 5736041, true},
		{"ffdhe6144", 6144, 15705020, true},
		{"ffdhe8192", 8192, 10965728, true},
	}
}

// Value computes the prime.
func (s StandardPrime) Value() *big.Int {
	const guard = 64
	scale := s.Bits - 130 + guard
	digits := pi(scale)
	if s.Euler {
		digits = e(scale)
	}
	digits.Rsh(digits, guard)
	digits.Add(digits, big.NewInt(s.Counter))
	p := new(big.Int).Lsh(digits, 64)
	p.Add(p, new(big.Int).Lsh(big.NewInt(1), s.Bits))
	p.Sub(p, new(big.Int).Lsh(big.NewInt(1), s.Bits-64))
	return p.Sub(p, big.NewInt(1))
}

// pi gives floor(2^scale * pi), give or take a few: Machin's 16 arctan(1/5) - 4 arctan(1/239).
func pi(scale uint) *big.Int {
	a := arctan(5, scale)
	b := arctan(239, scale)
	return a.Sub(a.Lsh(a, 4), b.Lsh(b, 2))
}

// arctan gives 2^scale * arctan(1/n), give or take a few.
func arctan(n int64, scale uint) *big.Int {
	square := big.NewInt(n * n)
	power := new(big.Int).Lsh(big.NewInt(1), scale)
	power.Div(power, big.NewInt(n))
	sum := new(big.Int)
	for k := int64(1); power.Sign() != 0; k += 2 {
		term := new(big.Int).Div(power, big.NewInt(k))
		if k%4 == 1 {
			sum.Add(sum, term)
		} else {
			sum.Sub(sum, term)
		}
		power.Div(power, square)
	}
	return sum
}

// e gives floor(2^scale * e), give or take a few.
func e(scale uint) *big.Int {
	term := new(big.Int).Lsh(big.NewInt(1), scale)
	sum := new(big.Int).Set(term)
	for k := int64(1); term.Sign() != 0; k++ {
		term.Div(term, big.NewInt(k))
		sum.Add(sum, term)
	}
	return sum
}

// Modp2048 is the prime of RFC 3526, group 14.
func Modp2048() *big.Int { return StandardPrimes()[3].Value() }

// Modp1024 is the prime of RFC 2409, group 2, which Logjam's authors expect to be broken by a state.
func Modp1024() *big.Int { return StandardPrimes()[1].Value() }

func hexPrime(digits string) *big.Int {
	p, _ := new(big.Int).SetString(digits, 16)
	return p
}

// Prime512 is a safe prime of 512 bits that was made for this package.
func Prime512() *big.Int {
	return hexPrime("92de71770bd88a6a5ed1393e33eb92f003c04909b05a53febb964b4af2505afecca7c310e82f58399d0f93fdc958b89f8005f02f6255cdbb5a1a6a98f05b41bf")
}

// Prime768 is a safe prime of 768 bits that was made for this package.
func Prime768() *big.Int {
	return hexPrime("b3f63a9a202a58213cf6ceb0f7847" + "3b024349d94021bca5f00b19496058e462a1384862cb7176823fc894d4bf4da19cdf92331d351865623de5dc6a2a25986e6660cb682a6c7553a86c186e2e65bd2e70afb3f3fdd3a587d8c0d7156c71d9197")
}

// Prime1024 is a safe prime of 1024 bits that was made for this package, so that nobody else has it.
func Prime1024() *big.Int {
	return hexPrime("871c8df259c551cf6c5747033972cf0c6fc8fb8f733a58edb67982df38577ed8d9c2a13540bfc09962ecdcf8daae0cf65c3daf9472e9beadd76b429b000f6331" +
		"dcbe26cbaab8ae7073fc1b64be545696a00c0366c13e30570485fae6563a7e8f28178eb2c3af674e8e2c8ec82ae647319e111a51cb6816a0eca3cd1c87162aef")
}

// Composite2048 is no prime: the product of two primes that a group of this size was once replaced by.
func Composite2048() *big.Int { return new(big.Int).Mul(Prime1024(), Modp1024()) }
