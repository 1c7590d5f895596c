package wire

import (
	"bytes"
	"testing"
)

func TestImportedIdentityIsLossless(t *testing.T) {
	id := ImportedIdentity{External: []byte("psk1"), Context: []byte("context1"), Protocol: VersionTLS13, KDF: KDFHKDFSHA256}
	raw := unhex(t, "0004 70736b31 0008 636f6e7465787431 0304 0001")
	if got := id.Append(nil); !bytes.Equal(got, raw) {
		t.Errorf("encodes to %x", got)
	}
	var back ImportedIdentity
	if err := back.Parse(raw); err != nil || !bytes.Equal(back.External, id.External) || !bytes.Equal(back.Context, id.Context) || back.Protocol != id.Protocol || back.KDF != id.KDF {
		t.Errorf("reads as %+v, %v", back, err)
	}
	for _, bad := range [][]byte{nil, raw[:len(raw)-1], append(bytes.Clone(raw), 0), unhex(t, "0000 0000 0304 0001")} {
		if err := back.Parse(bad); err == nil {
			t.Errorf("%x is taken", bad)
		}
	}
	for kdf, want := range map[KDF]string{KDFHKDFSHA256: "HKDF_SHA256", KDFHKDFSHA384: "HKDF_SHA384", 7: "0x0007"} {
		if kdf.String() != want {
			t.Errorf("%d is %q, want %q", kdf, kdf, want)
		}
	}
}

// FuzzImportedIdentity: what parses re-encodes to the same bytes.
func FuzzImportedIdentity(f *testing.F) {
	f.Add(unhex(f, "0004 70736b31 0008 636f6e7465787431 0304 0001"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var id ImportedIdentity
		if id.Parse(raw) == nil && !bytes.Equal(id.Append(nil), raw) {
			t.Fatalf("encodes to %x", id.Append(nil))
		}
	})
}
