package tlsnet

import (
	"crypto/x509"
	"encoding/binary"
	"testing"
	"time"
)

func memoCertificate(from, until time.Time) *x509.Certificate {
	return &x509.Certificate{NotBefore: from, NotAfter: until}
}

func TestMemoHoldsOnlyWhileEveryCertificateIsValid(t *testing.T) {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(n int) time.Time { return day.AddDate(0, 0, n) }
	for _, c := range []struct {
		name        string
		certs       []*x509.Certificate
		first, last int // days on which it holds
	}{
		{"leaf shortest", []*x509.Certificate{memoCertificate(at(3), at(5)), memoCertificate(at(1), at(9)), memoCertificate(at(0), at(20))}, 3, 5},
		{"intermediate ends first", []*x509.Certificate{memoCertificate(at(3), at(15)), memoCertificate(at(1), at(9)), memoCertificate(at(0), at(20))}, 3, 9},
		{"intermediate begins last", []*x509.Certificate{memoCertificate(at(3), at(15)), memoCertificate(at(6), at(19)), memoCertificate(at(0), at(20))}, 6, 15},
		{"root ends first", []*x509.Certificate{memoCertificate(at(3), at(15)), memoCertificate(at(0), at(8))}, 3, 8},
		{"leaf alone", []*x509.Certificate{memoCertificate(at(3), at(15))}, 3, 15},
	} {
		var m chainMemo
		key, _ := memoKeyOf("", [][]byte{[]byte(c.name)})
		m.put(key, c.certs)
		for now, want := range map[time.Time]bool{
			at(c.first).Add(-1): false, at(c.first): true, at(c.last): true, at(c.last).Add(1): false,
		} {
			if got := m.get(key, now) != nil; got != want {
				t.Errorf("%s: at %v: %v, want %v", c.name, now, got, want)
			}
		}
	}
}

func TestMemoTellsChainsApart(t *testing.T) {
	seen := map[memoKey]string{}
	for name, chain := range map[string][][]byte{
		"one": {[]byte("ab")}, "two": {[]byte("a"), []byte("b")}, "other border": {[]byte("ab"), nil}, "front": {nil, []byte("ab")},
		"turned": {[]byte("b"), []byte("a")}, "more": {[]byte("a"), []byte("b"), []byte("c")},
	} {
		key, ok := memoKeyOf("", chain)
		if !ok {
			t.Errorf("%s: too long", name)
		}
		if other, twice := seen[key]; twice {
			t.Errorf("%q and %q are the same to a memo", name, other)
		}
		seen[key] = name
	}
	if _, ok := memoKeyOf("", [][]byte{make([]byte, memoChainBytes), {1}}); ok {
		t.Error("a long chain is remembered")
	}
}

func TestMemoIsBounded(t *testing.T) {
	var m chainMemo
	now := time.Now()
	certs := []*x509.Certificate{memoCertificate(now.Add(-time.Hour), now.Add(time.Hour))}
	hot, _ := memoKeyOf("", [][]byte{[]byte("comes often")})
	m.put(hot, certs)
	for i := range 20 * memoGeneration {
		key, _ := memoKeyOf("", [][]byte{binary.BigEndian.AppendUint64(nil, uint64(i))})
		m.put(key, certs)
		if i%100 == 0 && m.get(hot, now) == nil {
			t.Fatalf("what comes often was forgotten after %d others", i)
		}
	}
	if n := len(m.young) + len(m.old); n > 2*memoGeneration {
		t.Errorf("%d chains are remembered", n)
	}
}

func TestMemoGivesEveryoneTheirOwnSlice(t *testing.T) {
	var m chainMemo
	now := time.Now()
	certs := []*x509.Certificate{memoCertificate(now.Add(-time.Hour), now.Add(time.Hour))}
	m.put(memoKey{}, certs)
	certs[0] = nil
	m.get(memoKey{}, now)[0] = nil
	if m.get(memoKey{}, now)[0] == nil {
		t.Error("somebody else has changed what is remembered")
	}
}
