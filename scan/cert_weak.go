package scan

import (
	"fmt"
	"iter"
	"math/big"
)

// weakness says why the private key of a public one can be computed; "" if nothing is known. It looks at the number alone:
// lists of keys that leaked are not at hand.
func (k *publicKey) weakness() string {
	switch {
	case k.modulus == nil:
		return ""
	case k.exponent.Cmp(big.NewInt(1)) == 0:
		return "RSA exponent 1: the signature is the message"
	case k.bits > maxCheckedBits:
		return ""
	case isROCA(k.modulus):
		return "ROCA (CVE-2017-15361)"
	}
	if p := smallFactor(k.modulus); p != 0 {
		return fmt.Sprintf("the RSA modulus is divisible by %d", p)
	}
	if isClose(k.modulus) {
		return "the primes of the RSA modulus lie next to each other (CVE-2022-26320)"
	}
	return ""
}

// rocaGenerator is the number whose powers the primes of the flawed library are made from.
const rocaGenerator = 65537

// rocaPrimes are the odd primes up to 167: the modulus M of the flawed library is, for keys of 512 bits, the product of these
// and 2, and of more primes for longer keys.
var rocaPrimes = [...]uint64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
	101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167}

// isROCA reports whether a modulus was made by the library of CVE-2017-15361 (Nemec and others, "The Return of
// Coppersmith's Attack", CCS 2017, Section 2). Its primes are k*M + (65537^a mod M), so that the modulus is a power of 65537
// to every prime that divides M. The exponents that the primes tell must agree with each other besides: a number drawn at
// random passes both about once in 2^154.
func isROCA(n *big.Int) bool {
	logs := make([]uint64, 0, len(rocaPrimes))
	orders := make([]uint64, 0, len(rocaPrimes))
	for p, rest := range residues(n, rocaPrimes[:]) {
		log, order, ok := discreteLog(rest, rocaGenerator%p, p)
		if !ok {
			return false
		}
		logs, orders = append(logs, log), append(orders, order)
	}
	// By the Chinese remainder theorem one exponent fits all exactly if every two agree where their orders have a divisor in common.
	for i := range logs {
		for j := range i {
			common := gcd(orders[i], orders[j])
			if logs[i]%common != logs[j]%common {
				return false
			}
		}
	}
	return true
}

// discreteLog finds x with g^x = y mod p, and the order of g; ok is false where there is none. p is small.
func discreteLog(y, g, p uint64) (x, order uint64, ok bool) {
	power := uint64(1)
	for order = 0; ; {
		if power == y && !ok {
			x, ok = order, true
		}
		power = power * g % p
		order++
		if power == 1 {
			return x, order, ok
		}
	}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// residues gives the rest of n to each of some small primes. The primes are taken several at a time, as many as fit into a
// word, for it is the division of the long number that costs.
func residues(n *big.Int, primes []uint64) iter.Seq2[uint64, uint64] {
	return func(yield func(p, rest uint64) bool) {
		divisor, rest := new(big.Int), new(big.Int)
		for len(primes) > 0 {
			product, count := uint64(1), 0
			for _, p := range primes {
				if product > ^uint64(0)/p {
					break
				}
				product *= p
				count++
			}
			r := rest.Mod(n, divisor.SetUint64(product)).Uint64()
			for _, p := range primes[:count] {
				if !yield(p, r%p) {
					return
				}
			}
			primes = primes[count:]
		}
	}
}

// smallFactor finds a prime factor below 1000, which no honest modulus has; 0: none.
func smallFactor(n *big.Int) uint64 {
	var composite [1000]bool
	primes := make([]uint64, 0, 168)
	for p := 2; p < len(composite); p++ {
		if composite[p] {
			continue
		}
		primes = append(primes, uint64(p))
		for q := p * p; q < len(composite); q += p {
			composite[q] = true
		}
	}
	for p, rest := range residues(n, primes) {
		if rest == 0 {
			return p
		}
	}
	return 0
}

// closeSteps is how far Fermat's factorization goes: the broken libraries are found in the first few steps.
const closeSteps = 16

// isClose reports whether a modulus is the product of two numbers so close to each other that Fermat's method finds them at
// once (CVE-2022-26320).
func isClose(n *big.Int) bool {
	if n.Bit(0) == 0 {
		return false
	}
	a := new(big.Int).Sqrt(n)
	square, root := new(big.Int).Mul(a, a), new(big.Int)
	if square.Cmp(n) == 0 {
		return true
	}
	one := big.NewInt(1)
	for range closeSteps {
		a.Add(a, one)
		rest := square.Mul(a, a)
		rest.Sub(rest, n)
		if !mayBeSquare(rest) {
			continue
		}
		root.Sqrt(rest)
		if root.Mul(root, root).Cmp(rest) == 0 {
			return true
		}
	}
	return false
}

// mayBeSquare rules most numbers out by their last six bits.
func mayBeSquare(n *big.Int) bool {
	const squares = 1<<0 | 1<<1 | 1<<4 | 1<<9 | 1<<16 | 1<<17 | 1<<25 | 1<<33 | 1<<36 | 1<<41 | 1<<49 | 1<<57
	low := uint(0)
	for i := range 6 {
		low |= n.Bit(i) << i
	}
	return squares>>low&1 == 1
}
