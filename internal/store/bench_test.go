//go:build unix

package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// BenchmarkReserveAndRecord is what the records of one certificate cost where many are issued at once.
func BenchmarkReserveAndRecord(b *testing.B) {
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "ca.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	now := time.Now()
	by := By{Actor: "tester", At: now}
	issuer, err := s.Introduce(b.Context(), Issuer{Name: "CN=Test CA", Certificate: []byte("ca")}, by)
	if err != nil {
		b.Fatal(err)
	}
	var count atomic.Int64
	der := make([]byte, 560)
	digest := sha256.Sum256(der)
	b.SetParallelism(128)
	cpu := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	start := cpu()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			serial := make([]byte, 16)
			_, _ = rand.Read(serial)
			serial[0] |= 1
			n := count.Add(1)
			name := fmt.Sprintf("host-%d.bench.test", n)
			id, err := s.Reserve(context.Background(), NewRequest{By: by, Issuer: issuer.ID, Serial: serial, Profile: "server",
				Asked: `{"subject":"CN=host.bench.test","sans":["host.bench.test","www.host.bench.test"],"key":"ECDSA P-256"}`})
			if err == nil {
				err = s.Record(context.Background(), NewCertificate{By: by, ID: id, Issuer: issuer.ID, Profile: "server", Subject: "CN=" + name,
					Names: []string{name, "www." + name}, NotBefore: now, NotAfter: now.Add(time.Hour), DER: der, Digest: digest})
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
}
