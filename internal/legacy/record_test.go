package legacy

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

func versions() []wire.Version {
	return []wire.Version{wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12}
}

// pairOf makes the two ends of one direction.
func pairOf(t testing.TB, s *Suite, v wire.Version, etm bool) (sealer, opener *Cipher) {
	t.Helper()
	k := s.Keys(v, bytes.Repeat([]byte{9}, MasterLen), testRandoms())
	sealer, err := NewCipher(s, v, k.Client, etm, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	opener, err = NewCipher(s, v, k.Client, etm, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sealer, opener
}

func TestEverySuiteOpensWhatItSealed(t *testing.T) {
	count := 0
	for id := range wire.CipherSuites() {
		s, ok := ByID(id)
		if !ok {
			continue
		}
		count++
		for _, v := range versions() {
			if v < s.Since() {
				continue
			}
			for _, etm := range []bool{false, true} {
				sealer, opener := pairOf(t, s, v, etm && v > wire.VersionSSL30)
				for n := range 40 {
					content := bytes.Repeat([]byte{byte(n)}, n)
					rec, err := sealer.Seal(nil, wire.ContentApplicationData, content)
					if err != nil {
						t.Fatalf("%v in %v: %v", id, v, err)
					}
					typ, got, err := opener.Open(rec)
					if err != nil || typ != wire.ContentApplicationData || !bytes.Equal(got, content) {
						t.Fatalf("%v in %v, etm %t: %d bytes: %v, %x, %v", id, v, etm, n, typ, got, err)
					}
				}
				rec, _ := sealer.Seal(nil, wire.ContentHandshake, []byte("content"))
				rec[len(rec)-1] ^= 1
				if _, _, err := opener.Open(rec); err == nil {
					t.Errorf("%v in %v, etm %t: opens a damaged record", id, v, etm)
				}
			}
		}
	}
	if count < 130 {
		t.Errorf("only %d suites", count)
	}
}

func TestWhatNeedsNoFinishedHandshakeIsNotASuite(t *testing.T) {
	for _, id := range []wire.CipherSuite{wire.TLS_NULL_WITH_NULL_NULL, wire.TLS_AES_128_GCM_SHA256, wire.TLS_PSK_WITH_AES_128_CBC_SHA, wire.TLS_DH_RSA_WITH_AES_128_CBC_SHA,
		wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV, wire.TLS_FALLBACK_SCSV, wire.TLS_KRB5_WITH_DES_CBC_SHA, 0x0a0a, 0xfff0} {
		if s, ok := ByID(id); ok {
			t.Errorf("%v: %+v", id, s)
		}
	}
}

// damage seals a record with a hand in it and tells what the other end sees.
func damage(t *testing.T, v wire.Version, content []byte, craft func(*Parts)) (Opened, error) {
	t.Helper()
	s, _ := ByID(wire.TLS_RSA_WITH_AES_128_CBC_SHA)
	sealer, opener := pairOf(t, s, v, false)
	rec, err := sealer.SealCrafted(nil, wire.ContentApplicationData, content, craft)
	if err != nil {
		t.Fatal(err)
	}
	o, err := opener.Inspect(rec)
	if err != nil {
		t.Fatal(err)
	}
	_, opener = pairOf(t, s, v, false)
	_, _, err = opener.Open(rec)
	return o, err
}

func TestDamageIsSeenForWhatItIs(t *testing.T) {
	lengthen := func(p *Parts) {
		n := len(p.Padding) + 32
		p.Padding = bytes.Repeat([]byte{byte(n - 1)}, n)
	}
	for _, v := range versions()[1:] {
		if o, err := damage(t, v, []byte("content"), lengthen); err != nil || !o.MACOK || !o.PaddingOK {
			t.Errorf("%v: long padding: %+v, %v", v, o, err)
		}
		if o, err := damage(t, v, []byte("content"), func(p *Parts) { lengthen(p); p.Padding[0] ^= 1 }); !errors.Is(err, ErrPadding) || !o.MACOK || o.PaddingOK {
			t.Errorf("%v: wrong padding: %+v, %v", v, o, err)
		}
		if o, err := damage(t, v, []byte("content"), func(p *Parts) { p.MAC[0] ^= 1 }); !errors.Is(err, ErrMAC) || o.MACOK || !o.PaddingOK {
			t.Errorf("%v: wrong MAC: %+v, %v", v, o, err)
		}
		if o, err := damage(t, v, nil, func(p *Parts) {
			p.MAC, p.Padding = nil, bytes.Repeat([]byte{255}, 64)
		}); !errors.Is(err, ErrPadding) || !o.NoRoom {
			t.Errorf("%v: nothing but padding: %+v, %v", v, o, err)
		}
	}
	if o, err := damage(t, wire.VersionSSL30, []byte("content"), func(p *Parts) { p.Padding[0] ^= 1 }); err != nil || !o.MACOK {
		t.Errorf("SSL 3.0 looks at the content of its padding: %+v, %v", o, err)
	}
	s, _ := ByID(wire.TLS_RSA_WITH_AES_128_CBC_SHA)
	sealer, _ := pairOf(t, s, wire.VersionTLS12, false)
	if _, err := sealer.SealCrafted(nil, wire.ContentApplicationData, nil, func(p *Parts) { p.Padding = nil }); !errors.Is(err, ErrParts) {
		t.Errorf("half a block: %v", err)
	}
}

func TestOurPlainCCMAgreesWithThatOfTheCore(t *testing.T) {
	for _, id := range []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8} {
		theirs := suite.ByID12(id)
		key, nonce, additional := make([]byte, theirs.KeyLen), make([]byte, 12), []byte("additional data")
		want, err := theirs.NewAEAD(key)
		if err != nil {
			t.Fatal(err)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		var ours cipher.AEAD = &ccm{block, theirs.TagLen}
		for n := range 70 {
			plain := bytes.Repeat([]byte{byte(n)}, n)
			sealed := ours.Seal(nil, nonce, plain, additional[:n%len(additional)])
			if !bytes.Equal(sealed, want.Seal(nil, nonce, plain, additional[:n%len(additional)])) {
				t.Fatalf("%v: %d bytes differ", id, n)
			}
			if got, err := ours.Open(nil, nonce, sealed, additional[:n%len(additional)]); err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%v: %d bytes: %x, %v", id, n, got, err)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	s, _ := ByID(wire.TLS_RSA_WITH_AES_128_CBC_SHA)
	sealer, _ := pairOf(f, s, wire.VersionTLS10, false)
	rec, err := sealer.Seal(nil, wire.ContentHandshake, []byte("a message"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0x002f), uint8(1), false, rec)
	f.Add(uint16(0xc02f), uint8(3), false, []byte{23, 3, 3, 0, 0})
	f.Add(uint16(0x0005), uint8(0), false, []byte{23, 3, 0, 0, 3, 1, 2, 3})
	f.Add(uint16(0x0041), uint8(2), true, bytes.Repeat([]byte{23}, 90))
	f.Fuzz(func(t *testing.T, id uint16, version uint8, etm bool, rec []byte) {
		s, ok := ByID(wire.CipherSuite(id))
		if !ok {
			return
		}
		_, opener := pairOf(t, s, versions()[version%4], etm)
		o, err := opener.Inspect(rec)
		if err == nil && len(o.Content) > len(rec) {
			t.Errorf("%d bytes came out of %d", len(o.Content), len(rec))
		}
	})
}

func FuzzBlockCiphers(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef"), []byte("fedcba9876543210"))
	f.Fuzz(func(t *testing.T, key, block []byte) {
		for name, make := range map[string]func([]byte) (cipher.Block, error){"RC2": newRC2, "IDEA": newIDEA, "SEED": newSEED, "Camellia": newCamellia, "ARIA": newARIA} {
			c, err := make(key)
			if err != nil || len(block) < c.BlockSize() {
				continue
			}
			out := append([]byte(nil), block[:c.BlockSize()]...)
			c.Encrypt(out, out)
			c.Decrypt(out, out)
			if !bytes.Equal(out, block[:c.BlockSize()]) {
				t.Errorf("%s under %x: %x becomes %x", name, key, block[:c.BlockSize()], out)
			}
		}
	})
}
