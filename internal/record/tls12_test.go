package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// keys12 are some key and IV for the suite, the same at each call.
func keys12(s *suite.Suite) (key, iv []byte) {
	return random(s.KeyLen), random(s.IVLen + 100)[:s.IVLen]
}

// pair12 is a Sealer of TLS 1.2 and the Opener at the other end.
func pair12(t testing.TB, s *suite.Suite) (*Sealer, *Opener) {
	t.Helper()
	key, iv := keys12(s)
	sealer, err := NewSealer12(s, key, iv)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := NewOpener12(s, key, iv)
	if err != nil {
		t.Fatal(err)
	}
	clear(key)
	clear(iv) // neither keeps the slices
	return sealer, opener
}

func forEachSuite12(t *testing.T, f func(t *testing.T, s *suite.Suite)) {
	t.Helper()
	for _, id := range suite.All12() {
		t.Run(id.String(), func(t *testing.T) { f(t, suite.ByID12(id)) })
	}
}

// seal12 makes a record as RFC 5246, Section 6.2.3.3, RFC 5288, Section 3, and RFC 7905, Section 2, say: with any
// explicit nonce and any version.
func seal12(t testing.TB, s *suite.Suite, seq, explicit uint64, typ wire.ContentType, version wire.Version, payload []byte) []byte {
	t.Helper()
	key, iv := keys12(s)
	aead, err := s.NewAEAD(key)
	if err != nil {
		t.Fatal(err)
	}
	nonce, sent := binary.BigEndian.AppendUint64(slices.Clone(iv), explicit), binary.BigEndian.AppendUint64(nil, explicit)
	if s.ExplicitLen == 0 {
		nonce, sent = binary.BigEndian.AppendUint64(make([]byte, 4), seq), nil
		for i := range nonce {
			nonce[i] ^= iv[i]
		}
	}
	additional := binary.BigEndian.AppendUint64(nil, seq)
	additional = append(additional, byte(typ))
	additional = binary.BigEndian.AppendUint16(additional, uint16(version))
	additional = binary.BigEndian.AppendUint16(additional, uint16(len(payload)))
	fragment := aead.Seal(sent, nonce, payload, additional)
	rec := wire.AppendRecordHeader(nil, wire.RecordHeader{Type: typ, Version: version, Length: len(fragment)})
	return append(rec, fragment...)
}

func TestRecordsOfTLS12FollowTheSpecifications(t *testing.T) {
	forEachSuite12(t, func(t *testing.T, s *suite.Suite) {
		sealer, opener := pair12(t, s)
		for _, seq := range []uint64{0, 1, 255, 256, 1 << 22} {
			sealer.seq, opener.seq = seq, seq
			got, err := sealer.Seal([]byte("before"), wire.ContentHandshake, []byte("finished"), 0)
			if err != nil {
				t.Fatal(err)
			}
			want := seal12(t, s, seq, seq, wire.ContentHandshake, wire.VersionTLS12, []byte("finished"))
			if !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Errorf("record %d: got %x, want %x", seq, got, want)
			}
			// A peer may count its explicit nonces in another way, or not at all.
			other := seal12(t, s, seq, 0xfedcba9876543210, wire.ContentAlert, wire.VersionTLS12, []byte{1, 0})
			typ, content, err := opener.Open(other)
			if err != nil || typ != wire.ContentAlert || !bytes.Equal(content, []byte{1, 0}) {
				t.Errorf("record %d: %v %x, %v", seq, typ, content, err)
			}
		}
	})
}

func TestOpenUndoesSealInTLS12(t *testing.T) {
	forEachSuite12(t, func(t *testing.T, s *suite.Suite) {
		sealer, opener := pair12(t, s)
		for _, size := range []int{0, 1, 15, 16, 17, 1000, wire.MaxPlaintext - 1, wire.MaxPlaintext} {
			payload := random(size)
			rec, err := sealer.Seal(nil, wire.ContentApplicationData, payload, 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(rec) != sealer.Overhead()+size || sealer.Overhead() != sealer.Prefix()+s.TagLen || sealer.Prefix() != 5+s.ExplicitLen {
				t.Errorf("%d bytes: record of %d, overhead %d, prefix %d", size, len(rec), sealer.Overhead(), sealer.Prefix())
			}
			typ, content, err := opener.Open(rec)
			if err != nil || typ != wire.ContentApplicationData || !bytes.Equal(content, payload) {
				t.Errorf("%d bytes: %v, %d bytes, %v", size, typ, len(content), err)
			}
			if size > 0 && &content[0] != &rec[sealer.Prefix()] {
				t.Errorf("%d bytes: not opened in place", size)
			}
		}
		if sealer.Sequence() != opener.Sequence() || sealer.Sequence() == 0 {
			t.Errorf("sequence numbers %d and %d", sealer.Sequence(), opener.Sequence())
		}
	})
}

func TestPayloadOfTLS12MayLieAnywhereInTheBuffer(t *testing.T) {
	s := suite.ByID12(wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM)
	for _, at := range []int{0, 4, 5, 6, 12, 13, 14, 20, 90, 150} {
		sealer, opener := pair12(t, s)
		buf := make([]byte, 10, 400)
		payload := buf[10 : 10+at+100][at:]
		copy(payload, random(100))
		out, err := sealer.Seal(buf, wire.ContentApplicationData, payload, 0)
		if err != nil {
			t.Fatal(err)
		}
		if &out[0] != &buf[0] {
			t.Error("the buffer was left although there was room")
		}
		if _, content, err := opener.Open(out[10:]); err != nil || !bytes.Equal(content, random(100)) {
			t.Errorf("payload %d bytes into the spare room: %v", at, err)
		}
	}
}

func TestTLS12DoesNotAllocate(t *testing.T) {
	forEachSuite12(t, func(t *testing.T, s *suite.Suite) {
		for _, size := range []int{0, 1, 1000, wire.MaxPlaintext} {
			sealer, opener := pair12(t, s)
			payload, out := random(size), make([]byte, 0, wire.RecordHeaderLen+wire.MaxCiphertext12)
			n := testing.AllocsPerRun(100, func() {
				rec, err := sealer.Seal(out, wire.ContentApplicationData, payload, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := opener.Open(rec); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("%d bytes: %v allocations for a record sealed and opened", size, n)
			}
		}
	})
}

func TestEveryChangedBitIsFoundInTLS12(t *testing.T) {
	forEachSuite12(t, func(t *testing.T, s *suite.Suite) {
		bearing := *s
		bearing.MaxForgeries = 0 // a short tag bears fewer than there are bits
		sealer, opener := pair12(t, &bearing)
		rec, err := sealer.Seal(nil, wire.ContentApplicationData, []byte("hello"), 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 * len(rec) {
			bad := bytes.Clone(rec)
			bad[i/8] ^= 1 << (i % 8)
			if _, _, err := opener.Open(bad); err == nil {
				t.Errorf("bit %d changed and not found", i)
			}
		}
		if _, content, err := opener.Open(bytes.Clone(rec)); err != nil || string(content) != "hello" {
			t.Errorf("the record itself: %v", err)
		}
		if _, _, err := opener.Open(rec); !errors.Is(err, ErrBadMAC) {
			t.Errorf("opened a second time: %v", err)
		}
	})
}

func TestMalformedRecordsOfTLS12AreRefused(t *testing.T) {
	const app = wire.ContentApplicationData
	forEachSuite12(t, func(t *testing.T, s *suite.Suite) {
		least := s.ExplicitLen + s.TagLen
		zeros := func(n int) []byte { return AppendPlaintext(nil, app, wire.VersionTLS12, make([]byte, n)) }
		tooLong := func(n int) []byte {
			rec := wire.AppendRecordHeader(nil, wire.RecordHeader{Type: app, Version: wire.VersionTLS12, Length: n})
			return append(rec, make([]byte, n)...)
		}
		sealed := func(typ wire.ContentType, n int) []byte {
			return seal12(t, s, 0, 7, typ, wire.VersionTLS12, make([]byte, n))
		}
		for name, c := range map[string]struct {
			rec  []byte
			want error
		}{
			"nothing":                  {nil, ErrHeader},
			"body missing":             {zeros(40)[:44], ErrHeader},
			"bytes follow":             {append(zeros(40), 0), ErrHeader},
			"empty":                    {zeros(0), ErrBadMAC},
			"shorter than nonce":       {zeros(s.ExplicitLen / 2), ErrBadMAC},
			"shorter than its tag":     {zeros(least - 1), ErrBadMAC},
			"nothing but a tag":        {zeros(least), ErrBadMAC},
			"longest":                  {tooLong(wire.MaxCiphertext12), ErrBadMAC},
			"too long":                 {tooLong(wire.MaxCiphertext12 + 1), ErrTooLong},
			"plaintext longest":        {sealed(app, wire.MaxPlaintext), nil},
			"plaintext too long":       {sealed(app, wire.MaxPlaintext+1), ErrTooLong},
			"empty application data":   {sealed(app, 0), nil},
			"empty handshake":          {sealed(wire.ContentHandshake, 0), ErrEmpty},
			"empty alert":              {sealed(wire.ContentAlert, 0), ErrEmpty},
			"a type nobody knows":      {sealed(99, 3), nil},
			"change_cipher_spec again": {sealed(wire.ContentChangeCipherSpec, 1), nil},
		} {
			_, opener := pair12(t, s)
			if _, _, err := opener.Open(c.rec); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		// Type and version are authenticated as they stand.
		_, opener := pair12(t, s)
		rec := seal12(t, s, 0, 7, wire.ContentHandshake, wire.VersionTLS11, []byte("x"))
		if typ, content, err := opener.Open(rec); err != nil || typ != wire.ContentHandshake || string(content) != "x" {
			t.Errorf("another version, sealed as such: %v", err)
		}
	})
}

func TestSealOfTLS12RefusesWhatDoesNotFit(t *testing.T) {
	sealer, opener := pair12(t, suite.ByID12(wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256))
	for _, c := range []struct {
		size, pad int
		want      error
	}{
		{wire.MaxPlaintext + 1, 0, ErrTooLong}, {1, 1, ErrPadding}, {1, -1, ErrPadding}, {0, math.MaxInt, ErrPadding},
	} {
		out, err := sealer.Seal([]byte("before"), wire.ContentApplicationData, make([]byte, c.size), c.pad)
		if !errors.Is(err, c.want) || string(out) != "before" {
			t.Errorf("%d + %d: %d bytes, %v", c.size, c.pad, len(out), err)
		}
	}
	rec, err := sealer.Seal(nil, wire.ContentApplicationData, []byte("still in step"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := opener.Open(rec); err != nil {
		t.Errorf("a refusal used up a sequence number: %v", err)
	}
}

func TestKeysOfTLS12EndAtTheirLimit(t *testing.T) {
	forEachSuite12(t, func(t *testing.T, s *suite.Suite) {
		sealer, opener := pair12(t, s)
		limit := s.MaxRecords
		if limit == 0 {
			limit = math.MaxUint64
		}
		sealer.seq, opener.seq = limit-1, limit-1
		rec, err := sealer.Seal(nil, wire.ContentApplicationData, []byte("last"), 0)
		if err != nil || !sealer.KeyUpdateDue() {
			t.Fatal(err, sealer.KeyUpdateDue())
		}
		if _, _, err := opener.Open(rec); err != nil {
			t.Errorf("the last record does not open: %v", err)
		}
		if out, err := sealer.Seal([]byte("x"), wire.ContentApplicationData, nil, 0); !errors.Is(err, ErrLimit) || string(out) != "x" {
			t.Errorf("after the last record: %v", err)
		}
		opener.seq = math.MaxUint64
		if _, _, err := opener.Open(rec); !errors.Is(err, ErrLimit) {
			t.Errorf("at the end of the sequence numbers: %v", err)
		}
		sealer.Wipe()
		opener.Wipe()
		if _, err := sealer.Seal(nil, wire.ContentAlert, nil, 0); !errors.Is(err, ErrWiped) {
			t.Errorf("seal after Wipe: %v", err)
		}
		if _, _, err := opener.Open(rec); !errors.Is(err, ErrWiped) || opener.iv != [nonceLen]byte{} {
			t.Errorf("open after Wipe: %v", err)
		}
	})
}

func TestSuitesStayInTheirVersion(t *testing.T) {
	s13, s12 := suite.ByID(wire.TLS_AES_128_GCM_SHA256), suite.ByID12(wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
	_, errSealer := NewSealer(s12, secret(s12))
	_, errOpener := NewOpener(s12, secret(s12))
	_, errSealer12 := NewSealer12(s13, make([]byte, 16), make([]byte, 12))
	_, errOpener12 := NewOpener12(s13, make([]byte, 16), make([]byte, 12))
	for _, err := range []error{errSealer, errOpener, errSealer12, errOpener12} {
		if err == nil {
			t.Error("a suite of another version is accepted")
		}
	}
	for _, c := range []struct{ key, iv int }{{16, 3}, {16, 12}, {16, 0}, {15, 4}, {24, 4}, {32, 4}} {
		if _, err := NewSealer12(s12, make([]byte, c.key), make([]byte, c.iv)); err == nil {
			t.Errorf("a key of %d bytes and an IV of %d are accepted", c.key, c.iv)
		}
		if _, err := NewOpener12(s12, make([]byte, c.key), make([]byte, c.iv)); err == nil {
			t.Errorf("a key of %d bytes and an IV of %d are accepted", c.key, c.iv)
		}
	}
}

// FuzzOpen12: nothing but what was sealed opens, and what was sealed with any type and explicit nonce opens.
func FuzzOpen12(f *testing.F) {
	for i, id := range suite.All12() {
		f.Add(seal12(f, suite.ByID12(id), 0, 1, wire.ContentHandshake, wire.VersionTLS12, []byte("x")), []byte("content"), uint8(23), uint64(5), uint8(i))
	}
	f.Fuzz(func(t *testing.T, rec, payload []byte, typ uint8, explicit uint64, n uint8) {
		ids := suite.All12()
		s := suite.ByID12(ids[int(n)%len(ids)])
		_, opener := pair12(t, s)
		if _, content, err := opener.Open(rec); err == nil && len(content) > wire.MaxPlaintext {
			t.Errorf("%d bytes of content", len(content))
		}
		if len(payload) > wire.MaxPlaintext {
			return
		}
		opener.seq = 9
		good := seal12(t, s, 9, explicit, wire.ContentType(typ), wire.VersionTLS12, payload)
		got, content, err := opener.Open(good)
		if empty := len(payload) == 0 && typ != 23; empty != errors.Is(err, ErrEmpty) || (!empty && err != nil) {
			t.Fatalf("%d bytes of type %d: %v", len(payload), typ, err)
		}
		if got != wire.ContentType(typ) || !bytes.Equal(content, payload) {
			t.Errorf("type %v, %d bytes", got, len(content))
		}
	})
}

func BenchmarkSealInPlace16K12(b *testing.B) {
	for _, id := range suite.All12() {
		b.Run(id.String(), func(b *testing.B) {
			sealer, _ := pair12(b, suite.ByID12(id))
			out := make([]byte, 0, wire.RecordHeaderLen+wire.MaxCiphertext12)
			payload := out[sealer.Prefix() : sealer.Prefix()+wire.MaxPlaintext]
			b.SetBytes(wire.MaxPlaintext)
			b.ReportAllocs()
			for b.Loop() {
				sealer.seq = 0 // the limit would end the benchmark
				if _, err := sealer.Seal(out, wire.ContentApplicationData, payload, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
