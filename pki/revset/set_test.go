package revset_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/revset"
)

func options() revset.Options {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return revset.Options{Created: at, Covers: at.Add(-time.Hour), Expires: at.Add(24 * time.Hour)}
}

// issuer is the key hash of the n-th CA.
func issuer(n int) [32]byte { return sha256.Sum256([]byte{1, byte(n)}) }

// serial is the n-th serial number of a CA, 16 octets without zeros in front.
func serial(ca, n int) []byte {
	b := sha256.Sum256(binary.BigEndian.AppendUint64([]byte{2, byte(ca)}, uint64(n)))
	b[0] |= 1
	return b[:16]
}

// keys are those from one number up to another.
func keys(ca, from, to int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for n := from; n < to; n++ {
			if !yield(revset.Key(issuer(ca), serial(ca, n))) {
				return
			}
		}
	}
}

func both(a, b iter.Seq[[]byte]) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for k := range a {
			if !yield(k) {
				return
			}
		}
		b(yield)
	}
}

func build(t testing.TB, revoked, valid iter.Seq[[]byte]) *revset.Set {
	t.Helper()
	s, err := revset.Build(revoked, valid, options())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check asks about every certificate of a CA, the first ones revoked.
func check(t *testing.T, s *revset.Set, ca, revoked, all int) {
	t.Helper()
	wrong := 0
	for n := range all {
		if got, known := s.Revoked(issuer(ca), serial(ca, n)); !known || got != (n < revoked) {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("CA %d with %d of %d revoked: %d wrong answers", ca, revoked, all, wrong)
	}
}

func TestNoAnswerIsWrong(t *testing.T) {
	for _, c := range [][2]int{{0, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 3}, {1, 1000}, {999, 1000}, {500, 1000}, {3, 64}, {5, 65}, {10, 10}, {0, 1000}, {17, 5000}, {1000, 20000}, {10000, 20000}, {19990, 20000}} {
		s := build(t, keys(1, 0, c[0]), keys(1, c[0], c[1]))
		if c[1] == 0 {
			if _, known := s.Revoked(issuer(1), serial(1, 0)); known {
				t.Error("an empty set knows somebody")
			}
			continue
		}
		check(t, s, 1, c[0], c[1])
		again, err := revset.Parse(s.Marshal())
		if err != nil {
			t.Fatal(c, err)
		}
		check(t, again, 1, c[0], c[1])
		if !bytes.Equal(again.Marshal(), s.Marshal()) || s.Size() != len(s.Marshal()) {
			t.Errorf("%v: written otherwise than read, or of %d bytes, not %d", c, len(s.Marshal()), s.Size())
		}
	}
}

func TestManyIssuersShareASet(t *testing.T) {
	revoked, valid := keys(0, 0, 10), keys(0, 10, 100)
	for ca := 1; ca < 20; ca++ {
		revoked, valid = both(revoked, keys(ca, 0, ca)), both(valid, keys(ca, ca, 50*ca))
	}
	s := build(t, revoked, valid)
	check(t, s, 0, 10, 100)
	for ca := 1; ca < 20; ca++ {
		check(t, s, ca, ca, 50*ca)
	}
	if _, known := s.Revoked(issuer(20), serial(20, 1)); known {
		t.Error("knows a CA that is not in it")
	}
	total := 0
	for _, i := range s.Issuers() {
		total += i.Size
	}
	if len(s.Issuers()) != 20 || total >= s.Size() {
		t.Errorf("%d issuers, %d of %d bytes", len(s.Issuers()), total, s.Size())
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	var revoked, valid [][]byte
	revoked = slices.AppendSeq(revoked, both(keys(1, 0, 100), keys(2, 0, 7)))
	valid = slices.AppendSeq(valid, both(keys(1, 100, 2000), keys(2, 7, 900)))
	one := build(t, slices.Values(revoked), slices.Values(valid)).Marshal()
	slices.Reverse(revoked)
	slices.Reverse(valid)
	// The revoked ones again among all that was issued, and some twice.
	valid = append(valid, revoked...)
	revoked = append(revoked, revoked[3])
	if two := build(t, slices.Values(revoked), slices.Values(valid)).Marshal(); !bytes.Equal(one, two) {
		t.Error("the order of the keys changes the set")
	}
}

func TestZerosInFrontDoNotMatter(t *testing.T) {
	s := build(t, slices.Values([][]byte{revset.Key(issuer(1), []byte{0, 0, 5})}), keys(1, 0, 100))
	for _, n := range [][]byte{{5}, {0, 5}, {0, 0, 0, 5}} {
		if revoked, known := s.Revoked(issuer(1), n); !revoked || !known {
			t.Errorf("%x: %v, %v", n, revoked, known)
		}
	}
}

func TestImpossibleSetsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*revset.Options){
		"never expires":     func(o *revset.Options) { o.Expires = time.Time{} },
		"expires at once":   func(o *revset.Options) { o.Expires = o.Created },
		"covers the future": func(o *revset.Options) { o.Covers = o.Created.Add(time.Hour) },
		"before 1970":       func(o *revset.Options) { o.Created, o.Covers = time.Unix(-5, 0), time.Unix(-5, 0) },
	} {
		o := options()
		change(&o)
		if _, err := revset.Build(keys(1, 0, 1), keys(1, 1, 5), o); err == nil {
			t.Errorf("%s: built", name)
		}
	}
	for _, k := range [][]byte{nil, make([]byte, 31), make([]byte, 32+revset.MaxSerial+1)} {
		if _, err := revset.Build(slices.Values([][]byte{k}), nil, options()); err == nil {
			t.Errorf("a key of %d octets was taken", len(k))
		}
	}
}

func TestSignaturesAreChecked(t *testing.T) {
	for _, k := range pkitest.CAKeyTypes() {
		ca, other := pkitest.New(t, k), pkitest.New(t, k)
		s := build(t, keys(1, 0, 10), keys(1, 10, 100))
		if s.Signed() || s.CheckSignature(ca.Intermediate) == nil {
			t.Errorf("%s: signed by nobody, and taken", k)
		}
		if err := s.Sign(ca.Key); err != nil {
			t.Fatal(err)
		}
		data := s.Marshal()
		if s.Size() != len(data) {
			t.Errorf("%s: %d bytes, not %d", k, len(data), s.Size())
		}
		again, err := revset.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.CheckSignature(ca.Intermediate); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		if k != pkitest.RSA2048 && again.CheckSignature(other.Intermediate) == nil {
			t.Errorf("%s: taken as another's", k)
		}
		if again.CheckSignature(ca.Server(pkitest.P256).Certificate) == nil {
			t.Errorf("%s: taken as a leaf's", k)
		}
		data[20] ^= 1
		if changed, err := revset.Parse(data); err == nil && changed.CheckSignature(ca.Intermediate) == nil {
			t.Errorf("%s: a changed set was taken", k)
		}
	}
}

func TestBrokenSetsAreRefused(t *testing.T) {
	good := build(t, keys(1, 0, 10), keys(1, 10, 100)).Marshal()
	for n := range good {
		if _, err := revset.Parse(good[:n]); err == nil {
			t.Fatalf("%d of %d bytes were taken", n, len(good))
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"bytes after it":    func(b []byte) []byte { return append(b, 0) },
		"another version":   func(b []byte) []byte { b[4] = 2; return b },
		"late time":         func(b []byte) []byte { b[5] = 0x80; return b },
		"covers the future": func(b []byte) []byte { copy(b[13:21], b[21:29]); return b },
		"more revoked":      func(b []byte) []byte { b[33+32] = 0xff; return b },
		"none revoked":      func(b []byte) []byte { copy(b[33+32:], []byte{0, 0, 0, 0}); return b },
		"many columns":      func(b []byte) []byte { b[33+40] = 33; return b },
		"no columns":        func(b []byte) []byte { b[33+40] = 0; return b },
		"huge column":       func(b []byte) []byte { b[33+41] = 0xff; return b },
		"tiny column":       func(b []byte) []byte { copy(b[33+41:], []byte{0, 0, 0, 5}); return b },
		"half signature":    func(b []byte) []byte { b[len(b)-1] = 1; return append(b, 7) },
		"too large":         func(b []byte) []byte { return append(b, make([]byte, revset.MaxSize)...) },
	} {
		if _, err := revset.Parse(change(slices.Clone(good))); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	twice := slices.Concat(good[:29], []byte{0, 0, 0, 2}, good[33:len(good)-4], good[33:])
	if _, err := revset.Parse(twice); err == nil {
		t.Error("one issuer twice: taken")
	}
}

func TestTheSetIsSmall(t *testing.T) {
	// In a CRL a revoked certificate with a serial number of 16 octets takes 300 bits or more.
	for _, c := range []struct{ revoked, all, bits int }{{50, 1000, 23}, {500, 50000, 11}, {10000, 20000, 3}, {5000, 100000, 7}, {20000, 400000, 7}} {
		s := build(t, keys(1, 0, c.revoked), keys(1, c.revoked, c.all))
		bits := 8 * float64(s.Size()) / float64(c.revoked)
		t.Logf("%d of %d revoked: %d bytes, %.2f bits for each revoked one", c.revoked, c.all, s.Size(), bits)
		if bits > float64(c.bits) {
			t.Errorf("%d of %d revoked: %.2f bits for each, more than %d", c.revoked, c.all, bits, c.bits)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(build(f, keys(1, 0, 5), keys(1, 5, 40)).Marshal())
	f.Add(build(f, both(keys(1, 0, 3), keys(2, 0, 4)), keys(1, 3, 9)).Marshal())
	f.Add(build(f, nil, keys(1, 0, 3)).Marshal())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := revset.Parse(data)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Marshal(), data) {
			t.Error("written otherwise than read")
		}
		for _, i := range s.Issuers() {
			s.Revoked(i.KeyHash, []byte{1})
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		build(b, keys(1, 0, 5000), keys(1, 5000, 100000))
	}
}

func BenchmarkRevoked(b *testing.B) {
	s := build(b, keys(1, 0, 5000), keys(1, 5000, 100000))
	ca, n := issuer(1), serial(1, 77)
	b.ReportMetric(float64(s.Size()), "bytes")
	for b.Loop() {
		s.Revoked(ca, n)
	}
}
