package relics

import (
	"math/big"
	"testing"
)

func TestStandardPrimesArePrime(t *testing.T) {
	for _, s := range StandardPrimes() {
		p := s.Value()
		if p.BitLen() != int(s.Bits) {
			t.Errorf("%s has %d bits", s.Name, p.BitLen())
		}
		if s.Bits > 2048 {
			continue // the larger ones take seconds
		}
		half := new(big.Int).Rsh(p, 1)
		if !p.ProbablyPrime(1) || !half.ProbablyPrime(1) {
			t.Errorf("%s is not a safe prime: %x", s.Name, p)
		}
	}
	for _, p := range []*big.Int{Prime512(), Prime768(), Prime1024()} {
		if !p.ProbablyPrime(4) {
			t.Errorf("%x is composite", p)
		}
	}
	if p := Composite2048(); p.ProbablyPrime(4) {
		t.Error("the composite is prime")
	}
}
