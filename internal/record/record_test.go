package record

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// secret is some traffic secret for the suite, the same at each call.
func secret(s *suite.Suite) keys.Traffic {
	hash := bytes.Repeat([]byte{1}, s.Hash.Size())
	return keys.NewEarly(s.Hash, nil).Handshake([]byte("shared")).ClientTraffic(hash)
}

// pair is a Sealer and the Opener at the other end.
func pair(t testing.TB, s *suite.Suite) (*Sealer, *Opener) {
	t.Helper()
	sealer, err := NewSealer(s, secret(s))
	if err != nil {
		t.Fatal(err)
	}
	opener, err := NewOpener(s, secret(s))
	if err != nil {
		t.Fatal(err)
	}
	return sealer, opener
}

// forEachSuite runs a test for every cipher suite.
func forEachSuite(t *testing.T, f func(t *testing.T, s *suite.Suite)) {
	t.Helper()
	for _, id := range suite.All() {
		t.Run(id.String(), func(t *testing.T) { f(t, suite.ByID(id)) })
	}
}

// sealInner makes an authentic record around any inner plaintext, also those Seal refuses to make.
func sealInner(s *Sealer, outer wire.ContentType, inner []byte) []byte {
	rec := wire.AppendRecordHeader(nil, wire.RecordHeader{Type: outer, Version: wire.VersionTLS12, Length: len(inner) + s.tagLen})
	rec = s.aead.Seal(rec, s.nextNonce(), inner, rec[:wire.RecordHeaderLen:wire.RecordHeaderLen])
	s.seq++
	return rec
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func TestOpenUndoesSeal(t *testing.T) {
	sizes := []int{0, 1, 2, 15, 16, 17, 100, 255, 256, 1000, 4095, wire.MaxPlaintext - 1, wire.MaxPlaintext}
	forEachSuite(t, func(t *testing.T, s *suite.Suite) {
		sealer, opener := pair(t, s)
		var out []byte
		for _, size := range sizes {
			payload := random(size)
			for _, pad := range sizes {
				if size+pad > wire.MaxPlaintext {
					continue
				}
				var err error
				out = append(out[:0], "before"...)
				if out, err = sealer.Seal(out, wire.ContentApplicationData, payload, pad); err != nil {
					t.Fatal(err)
				}
				rec := out[len("before"):]
				if want := sealer.Overhead() + size + pad; len(rec) != want || string(out[:6]) != "before" {
					t.Fatalf("%d + %d: record of %d bytes, want %d", size, pad, len(rec), want)
				}
				if h, ok := wire.ParseRecordHeader(rec); !ok || h.Type != wire.ContentApplicationData || h.Version != wire.VersionTLS12 {
					t.Fatalf("header %+v", h)
				}
				typ, content, err := opener.Open(rec)
				if err != nil || typ != wire.ContentApplicationData || !bytes.Equal(content, payload) {
					t.Fatalf("%d + %d: %v, %d bytes, %v", size, pad, typ, len(content), err)
				}
			}
		}
		if sealer.Sequence() != opener.Sequence() || sealer.Sequence() == 0 {
			t.Errorf("sequence numbers %d and %d", sealer.Sequence(), opener.Sequence())
		}
	})
}

// The specification written out: RFC 8446, Sections 5.2 and 5.3.
func TestRecordsFollowTheSpecification(t *testing.T) {
	forEachSuite(t, func(t *testing.T, s *suite.Suite) {
		sealer, _ := pair(t, s)
		key, iv := make([]byte, s.KeyLen), make([]byte, nonceLen)
		secret(s).KeysInto(key, iv)
		aead, err := s.NewAEAD(key)
		if err != nil {
			t.Fatal(err)
		}
		for _, seq := range []uint64{0, 1, 255, 256, 1 << 22} {
			sealer.seq = seq
			got, err := sealer.Seal(nil, wire.ContentHandshake, []byte("finished"), 3)
			if err != nil {
				t.Fatal(err)
			}
			nonce := binary.BigEndian.AppendUint64(make([]byte, 4), seq)
			for i := range nonce {
				nonce[i] ^= iv[i]
			}
			header := []byte{23, 3, 3, 0, byte(8 + 1 + 3 + s.TagLen)}
			want := aead.Seal(header, nonce, []byte("finished\x16\x00\x00\x00"), header)
			if !bytes.Equal(got, want) {
				t.Errorf("record %d: got %x, want %x", seq, got, want)
			}
		}
	})
}

func TestPayloadMayLieAnywhereInTheBuffer(t *testing.T) {
	s := suite.ByID(wire.TLS_AES_128_GCM_SHA256)
	for _, at := range []int{0, 3, 4, 5, 6, 20, 90, 150} {
		sealer, opener := pair(t, s)
		buf := make([]byte, 10, 400)
		payload := buf[10 : 10+at+100][at:]
		copy(payload, random(100))
		out, err := sealer.Seal(buf, wire.ContentApplicationData, payload, 7)
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

func TestSealAndOpenDoNotAllocate(t *testing.T) {
	forEachSuite(t, func(t *testing.T, s *suite.Suite) {
		for _, c := range []struct{ size, pad int }{{0, 0}, {1, 0}, {100, 28}, {1000, 15_000}, {wire.MaxPlaintext, 0}} {
			sealer, opener := pair(t, s)
			payload := random(c.size)
			out := make([]byte, 0, wire.RecordHeaderLen+wire.MaxCiphertext13)
			n := testing.AllocsPerRun(100, func() {
				rec, err := sealer.Seal(out, wire.ContentApplicationData, payload, c.pad)
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := opener.Open(rec); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("%d + %d: %v allocations for a record sealed and opened", c.size, c.pad, n)
			}
		}
	})
}

func TestRefusalsDoNotAllocate(t *testing.T) {
	s := suite.ByID(wire.TLS_AES_128_GCM_SHA256)
	_, opener := pair(t, s)
	rec := AppendPlaintext(nil, wire.ContentApplicationData, wire.VersionTLS12, random(100))
	n := testing.AllocsPerRun(100, func() {
		if _, _, err := opener.Open(rec); !errors.Is(err, ErrBadMAC) {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for a forged record", n)
	}
}

func TestOpenWorksInPlace(t *testing.T) {
	s := suite.ByID(wire.TLS_AES_128_GCM_SHA256)
	sealer, opener := pair(t, s)
	rec, err := sealer.Seal(nil, wire.ContentApplicationData, []byte("hello"), 0)
	if err != nil {
		t.Fatal(err)
	}
	_, content, err := opener.Open(rec)
	if err != nil || &content[0] != &rec[wire.RecordHeaderLen] {
		t.Errorf("the content is elsewhere (%v)", err)
	}
}

func TestEveryChangedBitIsFound(t *testing.T) {
	forEachSuite(t, func(t *testing.T, s *suite.Suite) {
		bearing := *s
		bearing.MaxForgeries = 0 // a short tag bears fewer than there are bits
		sealer, opener := pair(t, &bearing)
		rec, err := sealer.Seal(nil, wire.ContentApplicationData, []byte("hello"), 2)
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
		// None of that moved the sequence on.
		if _, content, err := opener.Open(rec); err != nil || string(content) != "hello" {
			t.Errorf("the record itself: %v", err)
		}
	})
}

func TestRecordsOpenInOrderAndOnce(t *testing.T) {
	s := suite.ByID(wire.TLS_CHACHA20_POLY1305_SHA256)
	sealer, opener := pair(t, s)
	var recs [3][]byte
	for i := range recs {
		var err error
		if recs[i], err = sealer.Seal(nil, wire.ContentApplicationData, []byte{byte(i)}, 0); err != nil {
			t.Fatal(err)
		}
	}
	try := func(i int, want error) {
		t.Helper()
		if _, _, err := opener.Open(bytes.Clone(recs[i])); !errors.Is(err, want) {
			t.Errorf("record %d: %v, want %v", i, err, want)
		}
	}
	try(1, ErrBadMAC)
	try(0, nil)
	try(0, ErrBadMAC)
	try(2, ErrBadMAC)
	try(1, nil)
	try(2, nil)
	if opener.Forgeries() != 3 {
		t.Errorf("%d forgeries counted", opener.Forgeries())
	}
}

func TestMalformedRecordsAreRefused(t *testing.T) {
	s := suite.ByID(wire.TLS_AES_128_GCM_SHA256)
	header := func(typ wire.ContentType, length, body int) []byte {
		rec := wire.AppendRecordHeader(nil, wire.RecordHeader{Type: typ, Version: wire.VersionTLS12, Length: length})
		return append(rec, make([]byte, body)...)
	}
	const app = wire.ContentApplicationData
	for name, c := range map[string]struct {
		rec  []byte
		want error
	}{
		"nothing":              {nil, ErrHeader},
		"part of a header":     {header(app, 0, 0)[:4], ErrHeader},
		"body missing":         {header(app, 30, 29), ErrHeader},
		"bytes follow":         {header(app, 30, 31), ErrHeader},
		"empty":                {header(app, 0, 0), ErrBadMAC},
		"shorter than its tag": {header(app, 15, 15), ErrBadMAC},
		"nothing but a tag":    {header(app, 16, 16), ErrBadMAC},
		"longest":              {header(app, wire.MaxCiphertext13, wire.MaxCiphertext13), ErrBadMAC},
		"too long":             {header(app, wire.MaxCiphertext13+1, wire.MaxCiphertext13+1), ErrTooLong},
		"handshake outside":    {header(wire.ContentHandshake, 30, 30), ErrOuterType},
		"alert outside":        {header(wire.ContentAlert, 2, 2), ErrOuterType},
		"change_cipher_spec":   {header(wire.ContentChangeCipherSpec, 1, 1), ErrOuterType},
	} {
		_, opener := pair(t, s)
		if _, content, err := opener.Open(c.rec); !errors.Is(err, c.want) || content != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestInnerPlaintextRules(t *testing.T) {
	const max = wire.MaxPlaintext
	for name, c := range map[string]struct {
		inner []byte
		typ   wire.ContentType
		n     int
		want  error
	}{
		"no bytes at all":            {nil, 0, 0, ErrNoContentType},
		"only padding":               {make([]byte, 100), 0, 0, ErrNoContentType},
		"only padding, longest":      {make([]byte, max+1), 0, 0, ErrNoContentType},
		"empty application data":     {[]byte{23}, wire.ContentApplicationData, 0, nil},
		"empty, padded":              {[]byte{23, 0, 0}, wire.ContentApplicationData, 0, nil},
		"empty handshake":            {[]byte{22}, wire.ContentHandshake, 0, ErrEmpty},
		"empty alert, padded":        {[]byte{21, 0}, wire.ContentAlert, 0, ErrEmpty},
		"zeros in the content":       {[]byte{0, 0, 23, 0}, wire.ContentApplicationData, 2, nil},
		"a type nobody knows":        {[]byte{1, 2, 99}, 99, 2, nil},
		"longest":                    {append(random(max), 23), wire.ContentApplicationData, max, nil},
		"longest with padding":       {append(append(random(max-9), 22), make([]byte, 9)...), wire.ContentHandshake, max - 9, nil},
		"content too long":           {append(random(max+1), 23), 0, 0, ErrTooLong},
		"too long by padding":        {append([]byte{1, 23}, make([]byte, max)...), 0, 0, ErrTooLong},
		"too long and without type":  {make([]byte, max+2), 0, 0, ErrTooLong},
		"as long as the header says": {append(random(max+256-17), 23), 0, 0, ErrTooLong},
	} {
		forEachSuite(t, func(t *testing.T, s *suite.Suite) {
			sealer, opener := pair(t, s)
			typ, content, err := opener.Open(sealInner(sealer, wire.ContentApplicationData, c.inner))
			if !errors.Is(err, c.want) || typ != c.typ || len(content) != c.n {
				t.Errorf("%s: %v, %d bytes, %v; want %v", name, typ, len(content), err, c.want)
			}
		})
	}
}

func TestProtectedRecordsUnderAnotherOuterTypeAreRefused(t *testing.T) {
	sealer, opener := pair(t, suite.ByID(wire.TLS_AES_128_GCM_SHA256))
	if _, _, err := opener.Open(sealInner(sealer, wire.ContentHandshake, []byte{1, 22})); !errors.Is(err, ErrOuterType) {
		t.Errorf("got %v", err)
	}
}

func TestSealRefusesWhatDoesNotFit(t *testing.T) {
	sealer, opener := pair(t, suite.ByID(wire.TLS_AES_128_GCM_SHA256))
	for _, c := range []struct{ size, pad int }{
		{wire.MaxPlaintext + 1, 0}, {wire.MaxPlaintext, 1}, {0, wire.MaxPlaintext + 1}, {1, math.MaxInt}, {1, -1},
	} {
		out, err := sealer.Seal([]byte("before"), wire.ContentApplicationData, make([]byte, c.size), c.pad)
		if !errors.Is(err, ErrTooLong) || string(out) != "before" {
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

func TestKeysEndAtTheirLimit(t *testing.T) {
	forEachSuite(t, func(t *testing.T, s *suite.Suite) {
		sealer, opener := pair(t, s)
		limit := s.MaxRecords
		if limit == 0 {
			limit = math.MaxUint64
		}
		if sealer.KeyUpdateDue() {
			t.Error("a key update is due at once")
		}
		sealer.seq = limit - limit/16 - 1
		if sealer.KeyUpdateDue() {
			t.Error("a key update is due too early")
		}
		sealer.seq++
		if !sealer.KeyUpdateDue() {
			t.Error("no key update is due")
		}
		sealer.seq = limit - 1
		opener.seq = limit - 1
		rec, err := sealer.Seal(nil, wire.ContentApplicationData, []byte("last"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := opener.Open(rec); err != nil {
			t.Errorf("the last record does not open: %v", err)
		}
		if out, err := sealer.Seal([]byte("x"), wire.ContentApplicationData, nil, 0); !errors.Is(err, ErrLimit) || string(out) != "x" {
			t.Errorf("after the last record: %v", err)
		}
		// The sequence number never wraps, whatever the cipher would bear.
		opener.seq = math.MaxUint64
		if _, _, err := opener.Open(bytes.Clone(rec)); !errors.Is(err, ErrLimit) {
			t.Errorf("at the end of the sequence numbers: %v", err)
		}
	})
}

func TestLimitsAreThoseOfTheSpecifications(t *testing.T) {
	gcm := uint64(math.Floor(math.Exp2(24.5)))
	ccmForgeries := uint64(math.Floor(math.Exp2(23.5)))
	for id, want := range map[wire.CipherSuite][2]uint64{
		wire.TLS_AES_128_GCM_SHA256:                        {gcm, 1 << 36},
		wire.TLS_AES_256_GCM_SHA384:                        {gcm, 1 << 36},
		wire.TLS_CHACHA20_POLY1305_SHA256:                  {0, 1 << 36},
		wire.TLS_AES_128_CCM_SHA256:                        {1 << 23, ccmForgeries},
		wire.TLS_AES_128_CCM_8_SHA256:                      {1 << 23, 1 << 7},
		wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:         {gcm, 1 << 36},
		wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: {0, 1 << 36},
		wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM:              {1 << 23, ccmForgeries},
		wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8:            {1 << 23, 1 << 7},
	} {
		s := cmp.Or(suite.ByID(id), suite.ByID12(id))
		if got := [2]uint64{s.MaxRecords, s.MaxForgeries}; got != want {
			t.Errorf("%v: %d records and forgeries, want %d", id, got, want)
		}
	}
}

func TestKeysEndAfterTooManyForgeries(t *testing.T) {
	s := *suite.ByID(wire.TLS_AES_128_GCM_SHA256)
	s.MaxForgeries = 3
	sealer, opener := pair(t, &s)
	rec, err := sealer.Seal(nil, wire.ContentApplicationData, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	forged := AppendPlaintext(nil, wire.ContentApplicationData, wire.VersionTLS12, random(50))
	for range 3 {
		if _, _, err := opener.Open(bytes.Clone(forged)); !errors.Is(err, ErrBadMAC) {
			t.Fatal(err)
		}
	}
	if _, _, err := opener.Open(rec); !errors.Is(err, ErrLimit) {
		t.Errorf("an authentic record after the limit: %v", err)
	}
}

func TestWipedKeysDoNothing(t *testing.T) {
	sealer, opener := pair(t, suite.ByID(wire.TLS_AES_128_GCM_SHA256))
	rec, err := sealer.Seal(nil, wire.ContentApplicationData, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	sealer.Wipe()
	opener.Wipe()
	if _, err := sealer.Seal(nil, wire.ContentApplicationData, nil, 0); !errors.Is(err, ErrWiped) {
		t.Errorf("seal: %v", err)
	}
	if _, _, err := opener.Open(rec); !errors.Is(err, ErrWiped) {
		t.Errorf("open: %v", err)
	}
	if sealer.iv != [nonceLen]byte{} || opener.iv != [nonceLen]byte{} || opener.nonce != [nonceLen]byte{} {
		t.Error("the IV is still there")
	}
}

func TestUnsuitableAEADsAreRefused(t *testing.T) {
	s := *suite.ByID(wire.TLS_AES_128_GCM_SHA256)
	s.TagLen = 12
	if _, err := NewSealer(&s, secret(&s)); err == nil {
		t.Error("a tag of another size")
	}
	s.Cipher = 0
	if _, err := NewOpener(&s, secret(&s)); err == nil {
		t.Error("no AEAD at all")
	}
}

func TestPlaintextRecordsAreCutAtTheirLimit(t *testing.T) {
	for _, size := range []int{0, 1, wire.MaxPlaintext, wire.MaxPlaintext + 1, 3*wire.MaxPlaintext + 5} {
		payload := random(size)
		out := AppendPlaintext([]byte("before"), wire.ContentHandshake, wire.VersionTLS10, payload)
		var got []byte
		records := 0
		for in := out[len("before"):]; len(in) > 0; records++ {
			h, ok := wire.ParseRecordHeader(in)
			if !ok || h.Type != wire.ContentHandshake || h.Version != wire.VersionTLS10 || h.Length > wire.MaxPlaintext {
				t.Fatalf("header %+v", h)
			}
			got = append(got, in[wire.RecordHeaderLen:wire.RecordHeaderLen+h.Length]...)
			in = in[wire.RecordHeaderLen+h.Length:]
		}
		if want := max(1, (size+wire.MaxPlaintext-1)/wire.MaxPlaintext); records != want || !bytes.Equal(got, payload) {
			t.Errorf("%d bytes: %d records, want %d", size, records, want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := suite.ByID(wire.TLS_AES_128_GCM_SHA256)
	sealer, _ := pair(f, s)
	for _, typ := range []wire.ContentType{wire.ContentApplicationData, wire.ContentHandshake, wire.ContentAlert} {
		rec, err := sealer.Seal(nil, typ, []byte("content"), 3)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(rec, []byte("content\x17\x00"))
	}
	f.Add([]byte{23, 3, 3, 0, 0}, []byte{})
	f.Fuzz(func(t *testing.T, rec, inner []byte) {
		sealer, opener := pair(t, s)
		if _, content, err := opener.Open(rec); err == nil && len(content) > wire.MaxPlaintext {
			t.Errorf("%d bytes of content", len(content))
		}
		if len(inner) > wire.MaxCiphertext13-s.TagLen {
			return
		}
		opener.seq = 0
		typ, content, err := opener.Open(sealInner(sealer, wire.ContentApplicationData, inner))
		if err != nil {
			return
		}
		again, err := sealer.Seal(nil, typ, content, len(inner)-len(content)-1)
		if err != nil {
			t.Fatalf("what opens does not seal: %v", err)
		}
		if _, back, err := opener.Open(again); err != nil || !bytes.Equal(back, content) {
			t.Errorf("sealed again it does not open: %v", err)
		}
	})
}

func FuzzSealOpen(f *testing.F) {
	f.Add([]byte("content"), uint16(0), uint8(23), uint8(0))
	f.Fuzz(func(t *testing.T, payload []byte, pad uint16, typ, n uint8) {
		ids := suite.All()
		sealer, opener := pair(t, suite.ByID(ids[int(n)%len(ids)]))
		rec, err := sealer.Seal(nil, wire.ContentType(typ), payload, int(pad))
		if err != nil {
			if len(payload)+int(pad) <= wire.MaxPlaintext {
				t.Errorf("%d + %d: %v", len(payload), pad, err)
			}
			return
		}
		got, content, err := opener.Open(rec)
		if typ == 0 {
			return // a type of 0 is padding
		}
		if empty := len(payload) == 0 && typ != 23; empty != errors.Is(err, ErrEmpty) || (!empty && err != nil) {
			t.Errorf("%d bytes of type %d: %v", len(payload), typ, err)
		}
		if got != wire.ContentType(typ) || !bytes.Equal(content, payload) {
			t.Errorf("type %v, %d bytes", got, len(content))
		}
	})
}

func benchmarkSuites(b *testing.B, f func(b *testing.B, s *suite.Suite)) {
	for _, id := range suite.All() {
		b.Run(id.String(), func(b *testing.B) { f(b, suite.ByID(id)) })
	}
}

// BenchmarkCipherAlone16K is the bound of the two that follow: the AEAD without records.
func BenchmarkCipherAlone16K(b *testing.B) {
	benchmarkSuites(b, func(b *testing.B, s *suite.Suite) {
		sealer, _ := pair(b, s)
		buf := make([]byte, wire.MaxPlaintext+1, wire.MaxCiphertext13)
		header := make([]byte, wire.RecordHeaderLen)
		b.SetBytes(wire.MaxPlaintext)
		b.ReportAllocs()
		for b.Loop() {
			sealer.aead.Seal(buf[:0], sealer.nextNonce(), buf, header)
		}
	})
}

func BenchmarkSealInPlace16K(b *testing.B) {
	benchmarkSuites(b, func(b *testing.B, s *suite.Suite) {
		sealer, _ := pair(b, s)
		out := make([]byte, 0, wire.RecordHeaderLen+wire.MaxCiphertext13)
		payload := out[wire.RecordHeaderLen : wire.RecordHeaderLen+wire.MaxPlaintext]
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

func BenchmarkSeal16K(b *testing.B) {
	benchmarkSuites(b, func(b *testing.B, s *suite.Suite) {
		sealer, _ := pair(b, s)
		out := make([]byte, 0, wire.RecordHeaderLen+wire.MaxCiphertext13)
		payload := make([]byte, wire.MaxPlaintext)
		b.SetBytes(wire.MaxPlaintext)
		b.ReportAllocs()
		for b.Loop() {
			sealer.seq = 0
			if _, err := sealer.Seal(out, wire.ContentApplicationData, payload, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpenInPlace16K(b *testing.B) {
	benchmarkSuites(b, func(b *testing.B, s *suite.Suite) {
		sealer, opener := pair(b, s)
		sealed, err := sealer.Seal(nil, wire.ContentApplicationData, make([]byte, wire.MaxPlaintext), 0)
		if err != nil {
			b.Fatal(err)
		}
		rec := make([]byte, len(sealed))
		b.SetBytes(wire.MaxPlaintext)
		b.ReportAllocs()
		for b.Loop() {
			copy(rec, sealed) // opening overwrites it; about a tenth of what is measured
			opener.seq = 0
			if _, _, err := opener.Open(rec); err != nil {
				b.Fatal(err)
			}
		}
	})
}
