package pkcs12

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	other "software.sslmate.com/src/go-pkcs12"

	"github.com/tlswright/tlswright/internal/pkitest"
)

// The vectors of RFC 2268, Section 5.
func TestRC2GivesThePublishedBlocks(t *testing.T) {
	for _, v := range []struct {
		key       string
		effective int
		plain     string
		want      string
	}{
		{"0000000000000000", 63, "0000000000000000", "ebb773f993278eff"},
		{"ffffffffffffffff", 64, "ffffffffffffffff", "278b27e42e2f0d49"},
		{"3000000000000000", 64, "1000000000000001", "30649edf9be7d2c2"},
		{"88", 64, "0000000000000000", "61a8a244adacccf0"},
		{"88bca90e90875a", 64, "0000000000000000", "6ccf4308974c267f"},
		{"88bca90e90875a7f0f79c384627bafb2", 64, "0000000000000000", "1a807d272bbe5db1"},
		{"88bca90e90875a7f0f79c384627bafb2", 128, "0000000000000000", "2269552ab0f85ca6"},
		{"88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e", 129, "0000000000000000", "5b78d3a43dfff1f1"},
	} {
		key, plain, want := unhex(t, v.key), unhex(t, v.plain), unhex(t, v.want)
		c, err := newRC2(key, v.effective)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 8)
		c.Encrypt(got, plain)
		if !bytes.Equal(got, want) {
			t.Errorf("%s/%d: %x, not %x", v.key, v.effective, got, want)
		}
		c.Decrypt(got, got)
		if !bytes.Equal(got, plain) {
			t.Errorf("%s/%d: decrypts to %x", v.key, v.effective, got)
		}
	}
	if _, err := newRC2(nil, 40); err == nil {
		t.Error("an empty key was taken")
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOldCiphersUndoThemselves(t *testing.T) {
	pass, err := newPassword([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range oldCiphers {
		for n := range 20 {
			plain := make([]byte, n)
			_, _ = rand.Read(plain)
			data, err := c.encrypt(plain, []byte("salt"), pass.bmp, 3)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.decrypt(data, []byte("salt"), pass.bmp, 3)
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s, %d bytes: %v", c.oid, n, err)
			}
		}
	}
}

// file is a file without MAC of one container.
func file(t *testing.T, kind asn1.ObjectIdentifier, content func(*cryptobyte.Builder)) []byte {
	t.Helper()
	var safe, whole cryptobyte.Builder
	safe.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(kind)
			b.AddASN1(tag0.explicit, content)
		})
	})
	whole.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		addData(b, safe.BytesOrPanic())
	})
	return whole.BytesOrPanic()
}

// costly is an AlgorithmIdentifier of 3DES with so many iterations.
func costly(b *cryptobyte.Builder, iterations int64) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oldCiphers[0].oid)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString([]byte("salt"))
			b.AddASN1Int64(iterations)
		})
	})
}

// shroudedKeys is SafeContents of one encrypted key.
func shroudedKey(iterations int64) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidShroudedKeyBag())
			b.AddASN1(tag0.explicit, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					costly(b, iterations)
					b.AddASN1OctetString(make([]byte, 16))
				})
			})
		})
	})
	return b.BytesOrPanic()
}

func TestCostlyFilesAreRefusedAtEveryLevel(t *testing.T) {
	pass, err := newPassword(nil)
	if err != nil {
		t.Fatal(err)
	}
	encryptedWith := func(iterations int64, data []byte) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidData())
					costly(b, iterations)
					b.AddASN1(tag0.implicit, func(b *cryptobyte.Builder) { b.AddBytes(data) })
				})
			})
		}
	}
	// A costly key may hide in a container that is cheap to open.
	hidden, err := oldCiphers[0].encrypt(shroudedKey(maxWork+1), []byte("salt"), pass.bmp, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"container":     file(t, oidEncryptedData(), encryptedWith(maxWork+1, make([]byte, 8))),
		"in all":        file(t, oidEncryptedData(), encryptedWith(maxWork/3+1, make([]byte, 8))),
		"none":          file(t, oidEncryptedData(), encryptedWith(0, make([]byte, 8))),
		"negative":      file(t, oidEncryptedData(), encryptedWith(-1, make([]byte, 8))),
		"key":           file(t, oidData(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(shroudedKey(maxWork + 1)) }),
		"hidden key":    file(t, oidEncryptedData(), encryptedWith(1, hidden)),
		"MAC":           withMAC(t, maxWork+1),
		"MAC, negative": withMAC(t, -1),
	} {
		if _, err := Decode(data, nil); err == nil || !strings.Contains(err.Error(), "iterations") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// withMAC is an otherwise empty file whose MAC demands so many iterations.
func withMAC(t *testing.T, iterations int64) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		addData(b, []byte{0x30, 0})
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(hashes[0].oid) })
				b.AddASN1OctetString(make([]byte, 20))
			})
			b.AddASN1OctetString([]byte("salt"))
			b.AddASN1Int64(iterations)
		})
	})
	return b.BytesOrPanic()
}

func TestCrowdedFilesAreRefused(t *testing.T) {
	secretBag := func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 5})
			b.AddASN1(tag0.explicit, func(b *cryptobyte.Builder) { b.AddASN1NULL() })
		})
	}
	var bags cryptobyte.Builder
	bags.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for range maxBags + 1 {
			secretBag(b)
		}
	})
	data := file(t, oidData(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(bags.BytesOrPanic()) })
	if _, err := Decode(data, nil); err == nil || !strings.Contains(err.Error(), "bags") {
		t.Errorf("%v", err)
	}
	if _, err := Decode(file(t, oidEnvelopedData(), secretBag), nil); err == nil || !strings.Contains(err.Error(), "public key") {
		t.Errorf("%v", err)
	}
	if _, err := Decode(make([]byte, maxFile+1), nil); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("%v", err)
	}
	deep := bytes.Repeat([]byte{0x30, 0x80}, 1<<20)
	if _, err := Decode(deep, nil); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Errorf("%v", err)
	}
}

func TestKeysOfOddLengthAreDerived(t *testing.T) {
	// 24 bytes take two rounds with SHA-1, and the rounds carry over between blocks.
	pass, err := newPassword([]byte(strings.Repeat("päss", 20)))
	if err != nil {
		t.Fatal(err)
	}
	long := derive(crypto.SHA1, []byte("0123456789"), pass.bmp, 5, forKey, 64)
	for n := 1; n <= len(long); n++ {
		if got := derive(crypto.SHA1, []byte("0123456789"), pass.bmp, 5, forKey, n); !bytes.Equal(got, long[:n]) {
			t.Fatalf("%d bytes are not the beginning of 64", n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	ca := pkitest.New(f, pkitest.P256)
	l := ca.Server(pkitest.P256)
	for e, secret := range map[*other.Encoder]string{
		other.LegacyRC2.WithIterations(2): "x", other.LegacyDES.WithIterations(1): "x", other.Modern2023.WithIterations(3): "x",
		other.Modern2026.WithIterations(1): "x", other.Passwordless: "", other.LegacyDES.WithIterations(2): "",
	} {
		der, err := e.Encode(l.Key, l.Certificate, []*x509.Certificate{ca.Intermediate}, secret)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der, secret)
	}
	der, err := Encode(Bundle{Trusted: ca.Roots(), Chain: ca.Roots(), FriendlyName: "cake"}, nil, Modern)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der, "")
	f.Fuzz(func(t *testing.T, data []byte, secret string) {
		got, err := decode(data, []byte(secret), 1000)
		if err != nil {
			return
		}
		again, err := Encode(got, []byte(secret+"x"), Legacy)
		if err != nil {
			return // a key without its certificate, for one
		}
		back, err := Decode(again, []byte(secret+"x"))
		if err != nil || len(back.Chain) != len(got.Chain) || len(back.Trusted) != len(got.Trusted) {
			t.Fatalf("written and read again: %v", err)
		}
	})
}
