package pki_test

import (
	"testing"

	"github.com/tlswright/tlswright/pki"
)

// Whatever is handed in, the explanation is whole, and trust is never ours alone
// where the library can judge.
func FuzzExplain(f *testing.F) {
	cases, files := readPKITS(f)
	_, base := cases[0].options(f, files)
	for _, c := range cases {
		if len(c.Certs) == 3 {
			f.Add(files[c.Certs[2]+".crt"], files[c.Certs[1]+".crt"])
		}
	}
	f.Fuzz(func(t *testing.T, leaf, intermediate []byte) {
		o := pki.VerifyOptions{Roots: base.Roots, Intermediates: [][]byte{intermediate}, Time: base.Time, AnyUsage: true, Policies: new(pki.PolicyOptions)}
		e := pki.Explain(leaf, o)
		wellFormed(t, "fuzzed", e)
		if e.Trusted && e.LibraryJudged {
			if _, err := pki.Verify(leaf, o); err != nil {
				t.Errorf("trusted, and refused by the library: %v", err)
			}
		}
	})
}
