package scan

import (
	"crypto/sha256"
	"encoding/hex"
	"math/big"

	"github.com/tlswright/tlswright/grade"
)

// Primes in common use (Adrian and others, "Imperfect Forward Secrecy", CCS 2015, Section 4).
//
// Sent: nothing of its own; the primes that came with the suites are known. Concluded: nearly all of the work of breaking a
// group goes into its prime, so one that many servers share is broken for all of them at once. That matters up to 1024 bits;
// beyond, shared primes are the good ones, for somebody has checked them.

var sharedDH = attack{"shared-dh", "Diffie-Hellman primes in common use", nil, "https://weakdh.org/"}

func judgeSharedDH(f *grade.Facts) grade.Vulnerability {
	all := offered(f, versionsOld, isFiniteField)
	var small, large []string
	for _, d := range f.DH {
		switch {
		case d.Known == "":
		case d.Bits <= stateDH:
			small = append(small, describeDH(d))
		default:
			large = append(large, describeDH(d))
		}
	}
	switch {
	case len(small) > 0:
		return sharedDH.is(grade.Potential, "The server uses a small prime that many others use: one computation breaks them all.", small...)
	case len(large) > 0:
		return sharedDH.is(grade.NotVulnerable, "The server uses a prime that many others use; it is large enough for that not to matter.", large...)
	case !all.sure || len(all.names) > 0 && len(f.DH) == 0:
		return sharedDH.unknown("Not all suites with Diffie-Hellman could be asked about.")
	case len(all.names) == 0:
		return sharedDH.is(grade.NotApplicable, "No suite with finite-field Diffie-Hellman is offered.")
	}
	return sharedDH.is(grade.NotVulnerable, "The prime is none of those in common use that are known here.")
}

// knownPrime finds out whether a prime is one of those in common use; "" if not.
func knownPrime(prime []byte) string {
	p := new(big.Int).SetBytes(prime).Bytes() // without leading zeros
	sum := sha256.Sum256(p)
	digest := hex.EncodeToString(sum[:])
	for _, k := range knownPrimes {
		if k.digest == digest {
			return k.name
		}
	}
	return ""
}

// maxTestedDH is the size in bits beyond which primes are not tested: it would take seconds.
const maxTestedDH = 4096

// primality says whether p is composite, and whether it is a safe prime. Known primes were looked at when they were
// written down; for others a false "prime" has a probability below 2^-40, which is enough for what no adversary chose.
func primality(prime []byte, known string) (composite bool, safe grade.Answer) {
	if known != "" {
		for _, k := range knownPrimes {
			if k.name == known {
				return false, grade.AnswerOf(!k.isNotSafe)
			}
		}
	}
	p := new(big.Int).SetBytes(prime)
	if p.BitLen() > maxTestedDH || p.BitLen() < 2 {
		return p.BitLen() < 2, grade.Unknown
	}
	const rounds = 4 // beside the Baillie-PSW test
	if !p.ProbablyPrime(rounds) {
		return true, grade.No
	}
	return false, grade.AnswerOf(new(big.Int).Rsh(p, 1).ProbablyPrime(rounds))
}

// knowDH fills in what can be said about parameters from their numbers alone.
func knowDH(d grade.DH) grade.DH {
	prime, err := hex.DecodeString(evenDigits(d.Prime))
	if err != nil {
		return d
	}
	d.Known = knownPrime(prime)
	d.Composite, d.Safe = primality(prime, d.Known)
	return d
}

// evenDigits puts a zero in front of an odd number of digits.
func evenDigits(s string) string {
	if len(s)%2 == 1 {
		return "0" + s
	}
	return s
}
