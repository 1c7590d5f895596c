package lint

import "math/big"

var lintRsaModulusFactors = Lint{
	Name:        "rsa_modulus_factors",
	Severity:    Error,
	Requirement: "An RSA modulus is odd and has no factor smaller than 752.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 6.1.6",
	check: func(c *certificate) []string {
		n, _, ok := c.key().rsa()
		if !ok || n.Sign() <= 0 || n.BitLen() > maxRSABits {
			return nil
		}
		// The modulus is divided once by the product of all small primes; what they have
		// in common is found in one word for each.
		for _, product := range smallPrimes {
			rest := new(big.Int).Mod(n, new(big.Int).SetUint64(product)).Uint64()
			for a, b := product, rest; ; a, b = b, a%b {
				if b == 0 {
					if a != 1 {
						return complain("the RSA modulus is divisible by %d", smallestFactor(a))
					}
					break
				}
			}
		}
		return nil
	},
}

// maxRSABits bounds the modulus that is divided.
const maxRSABits = 1 << 16

// smallPrimes are the products of the primes below 752, as many as a word holds
// each.
var smallPrimes = [...]uint64{
	0x88886ffdb344692, 0x34091fa96ffdf47b, 0x3c47d8d728a77ebb, 0x77ab7da9d709ea9, 0x310df3e7bd4bc897,
	0xe657d7a1fd5161d1, 0x2ad3dbe0cca85ff, 0x787f9a02c3388a7, 0x1113c5cc6d101657, 0x2456c94f936bdb15,
	0x4236a30b85ffe139, 0x805437b38eada69d, 0x723e97bddcd2af, 0xa5a792ee239667, 0xe451352ebca269,
	0x13a7955f14b7805, 0x1d37cbd653b06ff, 0x189410db,
}

func smallestFactor(n uint64) uint64 {
	for p := uint64(2); p*p <= n; p++ {
		if n%p == 0 {
			return p
		}
	}
	return n
}
