package pki

import "errors"

// Explain decides whether a leaf (DER) is trusted as [Verify] does, and says of
// each check how it went.
func Explain(leaf []byte, o VerifyOptions) *Explanation {
	e := &Explanation{LibraryJudged: true, Tried: 1}
	chain, err := Verify(leaf, o)
	if err == nil {
		e.Trusted, e.Path = true, chain.Certificates
	}
	errors.As(err, &e.Err)
	for _, c := range Checks() {
		e.Checks = append(e.Checks, CheckResult{Check: c, Outcome: NotAsked, Depth: -1})
	}
	return e
}
