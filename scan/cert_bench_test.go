package scan

import (
	"fmt"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
)

// BenchmarkChain judges leaves that are all different, below one CA: what a fleet costs beside its handshakes.
func BenchmarkChain(b *testing.B) {
	const leaves = 100
	for _, k := range []pkitest.KeyType{pkitest.RSA2048, pkitest.P256, pkitest.P384} {
		ca := pkitest.New(b, k)
		var chains [][][]byte
		for range leaves {
			chains = append(chains, ca.Server(pkitest.P256, "lab.test").Chain)
		}
		for _, quick := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/quick=%v", k, quick), func(b *testing.B) {
				o := Options{Offline: true, Quick: quick, Stores: []Store{{Name: "own CA", Roots: ca.Roots()}}}.filled()
				var j *judge
				for n := 0; b.Loop(); n++ {
					if n%leaves == 0 {
						j = newJudge(&o)
					}
					j.chain(b.Context(), chainQuestion{sent: &sentChain{DER: chains[n%leaves]}, name: "lab.test", now: ca.Now})
				}
			})
		}
	}
}
