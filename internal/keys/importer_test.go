package keys

import (
	"bytes"
	"crypto"
	"crypto/hkdf"
	"testing"
)

// TestImportIsThatOfTheRFC derives by the letter of RFC 9258, Section 5.1, on crypto/hkdf.
func TestImportIsThatOfTheRFC(t *testing.T) {
	external, identity := bytes.Repeat([]byte("ABCD"), 8), []byte("an ImportedIdentity")
	seen := map[string]bool{}
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		for _, target := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
			secret, err := hkdf.Extract(h.New, external, make([]byte, h.Size()))
			if err != nil {
				t.Fatal(err)
			}
			w := h.New()
			w.Write(identity)
			want := expandLabel(t, h, secret, "derived psk", w.Sum(nil), target.Size())
			if got := Import(h, external, identity, target); !bytes.Equal(got, want) {
				t.Errorf("%v to %v: %x, want %x", h, target, got, want)
			}
			seen[string(want)] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d keys are different, want 4", len(seen))
	}
	early := NewEarly(crypto.SHA256, external)
	macs := map[string]bool{}
	for _, b := range []Binder{early.Binder(false), early.Binder(true), early.ImportedBinder()} {
		macs[string(b.MAC(th(crypto.SHA256, 1)))] = true
	}
	if len(macs) != 3 {
		t.Error("two kinds of PSK have the same binder")
	}
}
