package crl_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"iter"
	"math/big"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/crl"
)

// serial is the n-th serial number of 16 octets.
func serial(n int) []byte {
	b := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	b[0] = b[0]&0x7f | 1
	return b[:16]
}

// many are entries as a CA has them, with a reason in every other one.
func many(n int) iter.Seq[crl.Entry] {
	return func(yield func(crl.Entry) bool) {
		for i := range n {
			e := crl.Entry{Serial: serial(i), RevokedAt: now()}
			if i%2 == 0 {
				e.Reason = crl.Superseded
			}
			if !yield(e) {
				return
			}
		}
	}
}

// large makes a list with so many entries.
func large(b testing.TB, ca *pkitest.CA, n int) []byte {
	tm := template()
	tm.Entries = many(n)
	der, err := crl.Create(tm, ca.Intermediate, ca.Key)
	if err != nil {
		b.Fatal(err)
	}
	return der
}

func BenchmarkCreate(b *testing.B) {
	ca := pkitest.New(b, pkitest.P256)
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("%d/ours", n), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(len(large(b, ca, n))), "bytes")
			}
		})
		b.Run(fmt.Sprintf("%d/crypto/x509", n), func(b *testing.B) {
			for b.Loop() {
				tm := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: now(), NextUpdate: now().AddDate(0, 0, 1)}
				for e := range many(n) {
					tm.RevokedCertificateEntries = append(tm.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: new(big.Int).SetBytes(e.Serial), RevocationTime: e.RevokedAt, ReasonCode: int(e.Reason)})
				}
				if _, err := x509.CreateRevocationList(rand.Reader, tm, ca.Intermediate, ca.Key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	ca := pkitest.New(b, pkitest.P256)
	const n = 1_000_000
	der := large(b, ca, n)
	l, err := crl.Parse(der)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := crl.Parse(der); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse, crypto/x509", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := x509.ParseRevocationList(der); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check signature", func(b *testing.B) {
		for b.Loop() {
			if err := l.CheckSignature(ca.Intermediate); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first search", func(b *testing.B) {
		for b.Loop() {
			l, err := crl.Parse(der)
			if err != nil {
				b.Fatal(err)
			}
			l.Find(serial(n-1), nil)
		}
	})
	b.Run("second search", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l, err := crl.Parse(der)
			if err != nil {
				b.Fatal(err)
			}
			l.Find(serial(0), nil)
			l.Find(serial(0), nil)
		}
	})
	b.Run("later searches", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, ok := l.Find(serial(i%(2*n)), nil); ok != (i%(2*n) < n) {
				b.Fatal(i)
			}
			i++
		}
	})
}
