package suite

import (
	"slices"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

func TestSuiteTableIsConsistent(t *testing.T) {
	for _, s := range suites {
		if ByID(s.ID) == nil || ByID(s.ID).ID != s.ID {
			t.Errorf("%v cannot be found", s.ID)
		}
		if !slices.Contains(Defaults(), s.ID) {
			t.Errorf("%v is not offered", s.ID)
		}
		aead, err := s.NewAEAD(make([]byte, s.KeyLen))
		if err != nil {
			t.Fatal(err)
		}
		if aead.NonceSize() != 12 || aead.Overhead() != s.TagLen || s.Bits != 8*s.KeyLen || !s.Hash.Available() {
			t.Errorf("%v: the row does not describe its AEAD", s.ID)
		}
		if _, err := s.NewAEAD(make([]byte, s.KeyLen+1)); err == nil {
			t.Errorf("%v takes a key of the wrong size", s.ID)
		}
	}
	if len(Defaults()) != len(suites) {
		t.Error("an unknown suite is offered")
	}
	if ByID(wire.TLS_RSA_WITH_AES_128_CBC_SHA) != nil {
		t.Error("a suite that is not ours is found")
	}
}

func TestDefaultsAreFreshCopies(t *testing.T) {
	Defaults()[0], DefaultGroups()[0], DefaultSchemes()[0] = 0, 0, 0
	if Defaults()[0] == 0 || DefaultGroups()[0] == 0 || DefaultSchemes()[0] == 0 {
		t.Error("a caller can change the defaults of all others")
	}
}
