package scan

import (
	"fmt"
	"math/big"

	"github.com/tlswright/tlswright/grade"
)

// Weak Diffie-Hellman parameters (RFC 7919, Section 1; Valenta and others, "Measuring small subgroup attacks against
// Diffie-Hellman", NDSS 2017).
//
// Sent: nothing of its own; the parameters that came with the suites are known. Concluded: below 1024 bits the group can be
// broken; a modulus that is no prime, or a generator with two powers, gives the secret away: proof. From 1024 to 2047 bits,
// and with a prime of unknown structure, it is a matter of who attacks: a condition.

var weakDH = attack{"weak-dh", "Weak Diffie-Hellman", nil, "https://www.rfc-editor.org/rfc/rfc7919"}

// goodDH is the least size in bits that is recommended (RFC 9325, Section 4.2.1).
const goodDH = 2048

func judgeWeakDH(f *grade.Facts) grade.Vulnerability {
	all := offered(f, versionsOld, isFiniteField)
	var broken, short []string
	for _, d := range f.DH {
		switch reason, isBroken := weaknessDH(d); {
		case isBroken:
			broken = append(broken, describeDH(d)+": "+reason)
		case reason != "":
			short = append(short, describeDH(d)+": "+reason)
		}
	}
	switch {
	case len(broken) > 0:
		return weakDH.is(grade.Vulnerable, "The server sends Diffie-Hellman parameters that do not protect.", append(broken, short...)...)
	case len(short) > 0:
		return weakDH.is(grade.Potential, "The server sends Diffie-Hellman parameters that are weaker than they should be.", short...)
	case !all.sure || len(all.names) > 0 && len(f.DH) == 0:
		return weakDH.unknown("Not all suites with Diffie-Hellman could be asked about.")
	case len(all.names) == 0:
		return weakDH.is(grade.NotApplicable, "No suite with finite-field Diffie-Hellman is offered.")
	}
	return weakDH.is(grade.NotVulnerable, fmt.Sprintf("All Diffie-Hellman parameters have at least %d bits and a good prime.", goodDH))
}

// weaknessDH says what is wrong with parameters; "" if nothing is. isBroken: they protect against nobody.
func weaknessDH(d grade.DH) (reason string, isBroken bool) {
	p, okP := new(big.Int).SetString(d.Prime, 16)
	g, okG := new(big.Int).SetString(d.Generator, 16)
	if okP && okG {
		one := big.NewInt(1)
		if g.Cmp(one) <= 0 || g.Cmp(new(big.Int).Sub(p, one)) >= 0 {
			return "the generator has two powers at most", true
		}
	}
	switch {
	case d.Composite:
		return "the modulus is no prime", true
	case d.Bits < stateDH:
		return fmt.Sprintf("%d bits can be broken", d.Bits), true
	case d.Bits < goodDH:
		return fmt.Sprintf("%d bits, where %d are due", d.Bits, goodDH), false
	case d.Safe == grade.No && d.Known == "":
		return "the prime is not a safe one, and nobody knows the order of the group", false
	}
	return "", false
}
