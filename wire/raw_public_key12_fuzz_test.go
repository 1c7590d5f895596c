package wire

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzRawPublicKey12 is apart from the other messages: nothing in the bytes tells that a Certificate has this form.
func FuzzRawPublicKey12(f *testing.F) {
	f.Add([]byte{11, 0, 0, 3, 0, 0, 0})
	f.Add([]byte{11, 0, 0, 5, 0, 0, 2, 0x30, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m RawPublicKey12
		err := m.Parse(raw)
		var located *ParseError
		if err != nil && (!errors.As(err, &located) || located.Path == "" || located.Offset > len(raw)) {
			t.Fatalf("error %#v", err)
		}
		if err == nil {
			if got := AppendMessage(nil, &m); !bytes.Equal(got, raw) {
				t.Fatalf("encodes to %x", got)
			}
		}
	})
}
