package acmeserver_test

import (
	"fmt"
	"testing"

	"github.com/tlswright/tlswright/acme"
)

// BenchmarkFlow is one order from beginning to end, client, validation and records on disk included, one at a time.
func BenchmarkFlow(b *testing.B) {
	w := newWorld(b, nil)
	c := w.register()
	n := 0
	for b.Loop() {
		n++
		c.obtain(acme.HTTP01, fmt.Sprintf("n%d.test", n))
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "flows/s")
}
