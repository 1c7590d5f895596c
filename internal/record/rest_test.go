package record

import (
	"errors"
	"testing"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// TestRestLetsGoAndWakeGoesOn has both directions rest between two records, and lose nothing but the key.
func TestRestLetsGoAndWakeGoesOn(t *testing.T) {
	s := suite.ByID(wire.TLS_AES_128_GCM_SHA256)
	sealer, opener := pair(t, s)
	for round := range uint64(3) {
		rec, err := sealer.Seal(nil, wire.ContentApplicationData, []byte("hello"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, content, err := opener.Open(rec); err != nil || string(content) != "hello" {
			t.Fatalf("%q, %v", content, err)
		}
		sealer.Rest()
		opener.Rest()
		if sealer.aead != nil || opener.aead != nil {
			t.Error("the key is still there")
		}
		if _, err := sealer.Seal(nil, wire.ContentApplicationData, nil, 0); !errors.Is(err, ErrWiped) {
			t.Errorf("sealed at rest: %v", err)
		}
		if _, _, err := opener.Open(rec); !errors.Is(err, ErrWiped) {
			t.Errorf("opened at rest: %v", err)
		}
		if err := errors.Join(sealer.Wake(s, secret(s)), opener.Wake(s, secret(s))); err != nil {
			t.Fatal(err)
		}
		if sealer.Sequence() != round+1 || opener.Sequence() != round+1 {
			t.Errorf("after %d records: %d sealed, %d opened", round+1, sealer.Sequence(), opener.Sequence())
		}
	}
}
