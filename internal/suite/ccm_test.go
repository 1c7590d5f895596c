package suite

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

func decodeHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// random gives bytes that are the same for the same numbers.
func random(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16), seed}).Read(b)
	return b
}

// forEachCCM runs a test for both sizes of the tag and of the key.
func forEachCCM(t *testing.T, f func(t *testing.T, aead cipher.AEAD, key []byte)) {
	t.Helper()
	for _, tag := range []int{ccmTagLen, ccmShortTagLen} {
		for _, keyLen := range []int{16, 32} {
			key := random(keyLen, byte(tag))
			aead, err := newCCM(key, tag)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(fmt.Sprintf("AES-%d, %d-byte tag", 8*keyLen, tag), func(t *testing.T) { f(t, aead, key) })
		}
	}
}

// NIST SP 800-38C, Appendix C.3, is the one example there with a 12-byte nonce.
func TestCCMGivesTheExampleOfItsSpecification(t *testing.T) {
	aead, err := newCCM(decodeHex(t, "404142434445464748494a4b4c4d4e4f"), ccmShortTagLen)
	if err != nil {
		t.Fatal(err)
	}
	got := aead.Seal(nil, decodeHex(t, "101112131415161718191a1b"),
		decodeHex(t, "202122232425262728292a2b2c2d2e2f3031323334353637"),
		decodeHex(t, "000102030405060708090a0b0c0d0e0f10111213"))
	if want := decodeHex(t, "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951"); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// referenceCCM is RFC 3610, Section 2, written down a second time with the modes of the standard library.
func referenceCCM(t testing.TB, key []byte, tagLen int, nonce, plaintext, additional []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	pad := func(b []byte) []byte { return append(b, make([]byte, (16-len(b)%16)%16)...) }
	n := len(plaintext)
	input := slices.Concat([]byte{byte(8*((tagLen-2)/2) + 2)}, nonce, []byte{byte(n >> 16), byte(n >> 8), byte(n)})
	if len(additional) > 0 {
		input[0] += 64
		length := binary.BigEndian.AppendUint16(nil, uint16(len(additional)))
		if len(additional) >= 0xff00 {
			length = binary.BigEndian.AppendUint32([]byte{0xff, 0xfe}, uint32(len(additional)))
		}
		input = pad(slices.Concat(input, length, additional))
	}
	input = pad(append(input, plaintext...))
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(input, input)
	// The tag takes the first block of the key stream and the plaintext the rest.
	out := append(bytes.Clone(input[len(input)-16:]), plaintext...)
	cipher.NewCTR(block, slices.Concat([]byte{2}, nonce, []byte{0, 0, 0})).XORKeyStream(out, out)
	return append(out[16:], out[:tagLen]...)
}

func TestCCMAgreesWithASecondWriting(t *testing.T) {
	forEachCCM(t, func(t *testing.T, aead cipher.AEAD, key []byte) {
		nonce := random(12, 1)
		check := func(n, a int) {
			t.Helper()
			plaintext, additional := random(n, 2), random(a, 3)
			want := referenceCCM(t, key, aead.Overhead(), nonce, plaintext, additional)
			if got := aead.Seal(nil, nonce, plaintext, additional); !bytes.Equal(got, want) {
				t.Fatalf("%d bytes, %d additional: sealed differently", n, a)
			}
			if got, err := aead.Open(nil, nonce, want, additional); err != nil || !bytes.Equal(got, plaintext) {
				t.Fatalf("%d bytes, %d additional: %v", n, a, err)
			}
		}
		for n := range 70 {
			for a := range 70 {
				check(n, a)
			}
		}
		// The length of the additional data changes its form at 0xff00.
		for _, a := range []int{1000, 0xfeff, 0xff00, 0xff01, 0xffff, 0x10000, 0x20000} {
			check(13, a)
		}
		for _, n := range []int{1 << 12, 1<<14 - 1, 1 << 14, 1<<14 + 1, 1<<20 + 5} {
			check(n, 5)
		}
	})
}

func TestCCMCountsThroughItsWholeCounter(t *testing.T) {
	aead, err := newCCM(random(16, 0), ccmTagLen)
	if err != nil {
		t.Fatal(err)
	}
	plaintext := make([]byte, ccmMaxPlaintext)
	// The bytes behind the counter are those of the nonce: a carry would show.
	nonce := bytes.Repeat([]byte{0xff}, 12)
	got := aead.Seal(nil, nonce, plaintext, nil)
	if want := referenceCCM(t, random(16, 0), 16, nonce, plaintext, nil); !bytes.Equal(got, want) {
		t.Error("the longest plaintext is sealed differently")
	}
	mustPanic(t, "a plaintext of 2^24 bytes", func() { aead.Seal(nil, nonce, make([]byte, ccmMaxPlaintext+1), nil) })
	if _, err := aead.Open(nil, nonce, make([]byte, ccmMaxPlaintext+1+16), nil); err == nil {
		t.Error("2^24 bytes open")
	}
}

func TestCCMFindsEveryChangedBit(t *testing.T) {
	forEachCCM(t, func(t *testing.T, aead cipher.AEAD, _ []byte) {
		nonce, additional := random(12, 1), random(20, 2)
		sealed := aead.Seal(nil, nonce, random(21, 3), additional)
		for _, b := range [][]byte{sealed, nonce, additional} {
			for i := range 8 * len(b) {
				b[i/8] ^= 1 << (i % 8)
				if out, err := aead.Open(nil, nonce, sealed, additional); !errors.Is(err, errCCM) || out != nil {
					t.Errorf("bit %d of %d bytes changed: %v", i, len(b), err)
				}
				b[i/8] ^= 1 << (i % 8)
			}
		}
		for n := range sealed {
			if _, err := aead.Open(nil, nonce, sealed[:n], additional); err == nil {
				t.Errorf("the first %d of %d bytes open", n, len(sealed))
			}
		}
		for _, a := range [][]byte{nil, additional[1:], append(bytes.Clone(additional), 0)} {
			if _, err := aead.Open(nil, nonce, sealed, a); err == nil {
				t.Errorf("opens with %d bytes of additional data", len(a))
			}
		}
		if _, err := aead.Open(nil, nonce, sealed, additional); err != nil {
			t.Error(err)
		}
	})
}

func TestCCMLeavesNothingOfAForgery(t *testing.T) {
	aead, err := newCCM(random(16, 0), ccmTagLen)
	if err != nil {
		t.Fatal(err)
	}
	nonce := random(12, 1)
	sealed := aead.Seal(nil, nonce, []byte("not yet known to be authentic"), nil)
	sealed[0] ^= 1
	buf := make([]byte, 4, 100)
	copy(buf, "keep")
	if _, err := aead.Open(buf, nonce, sealed, nil); err == nil {
		t.Fatal("opened")
	}
	if rest := buf[:29+4][4:]; string(buf) != "keep" || !bytes.Equal(rest, make([]byte, 29)) {
		t.Errorf("left in the buffer: %q %q", buf, rest)
	}
}

func TestCCMWorksInPlaceAndAppends(t *testing.T) {
	forEachCCM(t, func(t *testing.T, aead cipher.AEAD, _ []byte) {
		nonce, plaintext := random(12, 1), random(37, 2)
		want := aead.Seal(nil, nonce, plaintext, nil)
		buf := make([]byte, 6+len(plaintext), 100)
		copy(buf, "before")
		copy(buf[6:], plaintext)
		out := aead.Seal(buf[:6], nonce, buf[6:], []byte(nil))
		if string(out[:6]) != "before" || !bytes.Equal(out[6:], want) || &out[0] != &buf[0] {
			t.Error("sealing in place")
		}
		out, err := aead.Open(out[:6], nonce, out[6:], nil)
		if err != nil || !bytes.Equal(out[6:], plaintext) || &out[0] != &buf[0] {
			t.Errorf("opening in place: %v", err)
		}
		// Without room a new array is made and the old one left alone.
		small := buf[:6:6]
		if out := aead.Seal(small, nonce, plaintext, nil); string(out[:6]) != "before" || !bytes.Equal(out[6:], want) {
			t.Error("sealing into a slice without room")
		}
		if !bytes.Equal(buf[6:], plaintext) {
			t.Error("something was written behind the slice")
		}
	})
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s is accepted", what)
		}
	}()
	f()
}

// The rules are those of cipher.AEAD, so the standard library's must break in the same places.
func TestCCMRefusesWrongUseAsGCMDoes(t *testing.T) {
	gcm, err := newGCM(random(16, 0))
	if err != nil {
		t.Fatal(err)
	}
	ccm, err := newCCM(random(16, 0), ccmTagLen)
	if err != nil {
		t.Fatal(err)
	}
	for name, aead := range map[string]cipher.AEAD{"GCM": gcm, "CCM": ccm} {
		nonce, buf := make([]byte, 12), make([]byte, 200)
		seal := func(dst, in, additional []byte) func() {
			return func() { aead.Seal(dst, nonce, in, additional) }
		}
		open := func(dst, in, additional []byte) func() {
			return func() { _, _ = aead.Open(dst, nonce, in, additional) }
		}
		for what, f := range map[string]func(){
			"a short nonce to seal":        func() { aead.Seal(nil, nonce[1:], nil, nil) },
			"a short nonce to open":        func() { _, _ = aead.Open(nil, nonce[1:], buf, nil) },
			"sealing one byte ahead":       seal(buf[:0], buf[1:30], nil),
			"sealing one byte behind":      seal(buf[:1], buf[0:30], nil),
			"opening one byte ahead":       open(buf[:0], buf[1:50], nil),
			"opening one byte behind":      open(buf[:1], buf[:50], nil),
			"sealing over additional data": seal(buf[:0], buf[:30], buf[45:50]),
			"opening over additional data": open(buf[:0], buf[:50], buf[33:50]),
		} {
			mustPanic(t, name+": "+what, f)
		}
		for _, f := range []func(){
			seal(buf[:0], buf[:30], buf[46:50]), seal(buf[:0], buf[46:60], nil), seal(buf[50:50], buf[:50], nil),
			open(buf[:0], buf[:50], buf[34:50]), open(buf[:0], nil, nil), seal(buf[:0], nil, nil),
		} {
			f()
		}
	}
}

func TestCCMDoesNotAllocate(t *testing.T) {
	forEachCCM(t, func(t *testing.T, aead cipher.AEAD, _ []byte) {
		nonce, additional, plaintext := random(12, 1), random(13, 2), random(1000, 3)
		buf := make([]byte, 0, 1100)
		n := testing.AllocsPerRun(100, func() {
			sealed := aead.Seal(buf, nonce, plaintext, additional)
			if _, err := aead.Open(sealed[:0], nonce, sealed, additional); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func TestCCMMayBeSharedByGoroutines(t *testing.T) {
	aead, err := newCCM(random(16, 0), ccmTagLen)
	if err != nil {
		t.Fatal(err)
	}
	nonce, plaintext := random(12, 1), random(100, 2)
	want := aead.Seal(nil, nonce, plaintext, nil)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				if got := aead.Seal(nil, nonce, plaintext, nil); !bytes.Equal(got, want) {
					t.Error("sealed differently")
					return
				}
			}
		})
	}
	all.Wait()
}

// FuzzCCM: both writings agree, and a change of anything is found.
func FuzzCCM(f *testing.F) {
	f.Add([]byte("plaintext"), []byte("additional"), uint16(3))
	f.Add([]byte{}, []byte{}, uint16(0))
	key, nonce := random(16, 0), random(12, 1)
	f.Fuzz(func(t *testing.T, plaintext, additional []byte, at uint16) {
		for _, tag := range []int{ccmTagLen, ccmShortTagLen} {
			aead, err := newCCM(key, tag)
			if err != nil {
				t.Fatal(err)
			}
			sealed := aead.Seal(nil, nonce, plaintext, additional)
			if want := referenceCCM(t, key, tag, nonce, plaintext, additional); !bytes.Equal(sealed, want) {
				t.Fatalf("got %x, want %x", sealed, want)
			}
			if opened, err := aead.Open(nil, nonce, sealed, additional); err != nil || !bytes.Equal(opened, plaintext) {
				t.Fatal(err)
			}
			sealed[int(at)%len(sealed)] ^= 1
			if _, err := aead.Open(nil, nonce, sealed, additional); err == nil {
				t.Fatal("a forgery opens")
			}
		}
	})
}

func BenchmarkCCM(b *testing.B) {
	aead, err := newCCM(random(16, 0), ccmTagLen)
	if err != nil {
		b.Fatal(err)
	}
	nonce, additional, buf := random(12, 1), random(13, 2), make([]byte, 1<<14, 1<<14+16)
	b.SetBytes(1 << 14)
	b.ReportAllocs()
	for b.Loop() {
		aead.Seal(buf[:0], nonce, buf, additional)
	}
}
