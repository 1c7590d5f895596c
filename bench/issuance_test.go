package main

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// BenchmarkIssuance runs each way to issue for a profile or a quick look; "go run ./bench" has them in turns.
func BenchmarkIssuance(b *testing.B) {
	is, err := newIssuance(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := is.close(); err != nil {
			b.Error(err)
		}
	}()
	for _, side := range is.sides() {
		b.Run(side.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(side.callers / runtime.GOMAXPROCS(0))
			start := cpuTime()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := side.do(); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64((cpuTime()-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// TestAcceptIssuanceRates prints the table that the milestone asks for, all of it measured in one run.
func TestAcceptIssuanceRates(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip("a minute of issuing: make accept")
	}
	if err := reportIssuance(5, 2*time.Second); err != nil {
		t.Error(err)
	}
}

// TestIssuanceIsMeasured keeps that harness alive; it judges no time.
func TestIssuanceIsMeasured(t *testing.T) {
	if err := reportIssuance(1, time.Millisecond); err != nil {
		t.Error(err)
	}
}
