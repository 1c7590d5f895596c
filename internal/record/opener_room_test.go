package record

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// TestOpenInto: content comes to the front of room where room has space for all that was sealed, and lies in the record
// otherwise; it is the same either way.
func TestOpenInto(t *testing.T) {
	forEachSuite(t, func(t *testing.T, s *suite.Suite) {
		sealer, opener := pair(t, s)
		content := random(800)
		for _, pad := range []int{0, 33} {
			inner := len(content) + 1 + pad
			for _, room := range [][]byte{nil, make([]byte, inner-1), make([]byte, inner), make([]byte, 2*inner)} {
				rec, err := sealer.Seal(nil, wire.ContentApplicationData, content, pad)
				if err != nil {
					t.Fatal(err)
				}
				before := slices.Clone(rec)
				_, got, err := opener.OpenInto(room, rec)
				if err != nil || !bytes.Equal(got, content) {
					t.Fatalf("pad %d, room %d: %d bytes (%v)", pad, len(room), len(got), err)
				}
				there := len(room) > 0 && &got[0] == &room[0]
				if there != (len(room) >= inner) || there != bytes.Equal(rec, before) {
					t.Errorf("pad %d, room %d for %d: opened there: %v", pad, len(room), inner, there)
				}
			}
		}
		room := make([]byte, 2000)
		rec, err := sealer.Seal(nil, wire.ContentApplicationData, content, 0)
		if err != nil {
			t.Fatal(err)
		}
		rec[len(rec)-1] ^= 1
		if _, got, err := opener.OpenInto(room, rec); err != ErrBadMAC || got != nil || bytes.Contains(room, content[:16]) {
			t.Errorf("forged: %d bytes (%v)", len(got), err)
		}
	})
}
