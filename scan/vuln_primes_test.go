package scan

import (
	"encoding/hex"
	"testing"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/relics"
)

func TestPrimesOfTheStandardsAreKnown(t *testing.T) {
	for _, s := range relics.StandardPrimes() {
		p := s.Value()
		if name := knownPrime(p.Bytes()); name != s.Name {
			t.Errorf("%s is known as %q", s.Name, name)
		}
		if name := knownPrime(append([]byte{0}, p.Bytes()...)); name != s.Name {
			t.Errorf("%s with a zero in front is known as %q", s.Name, name)
		}
	}
}

func TestNumbersTellAboutParameters(t *testing.T) {
	for name, c := range map[string]struct {
		prime string
		want  grade.DH
	}{
		"standard":  {relics.Modp2048().Text(16), grade.DH{Known: "RFC 3526 group 14", Safe: grade.Yes}},
		"own":       {relics.Prime1024().Text(16), grade.DH{Safe: grade.Yes}},
		"composite": {relics.Composite2048().Text(16), grade.DH{Safe: grade.No, Composite: true}},
		"odd":       {"b", grade.DH{Safe: grade.Yes}},
		"zero":      {"00", grade.DH{Safe: grade.Unknown, Composite: true}},
		"no number": {"xyz", grade.DH{}},
	} {
		got := knowDH(grade.DH{Prime: c.prime})
		if got.Known != c.want.Known || got.Safe != c.want.Safe || got.Composite != c.want.Composite {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if composite, safe := primality(relics.StandardPrimes()[7].Value().Bytes(), ""); composite || safe != grade.Unknown {
		t.Error("a prime of 8192 bits was tested")
	}
	if _, err := hex.DecodeString(evenDigits("abc")); err != nil {
		t.Error(err)
	}
}
