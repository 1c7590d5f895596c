package pki

import (
	"crypto/x509"
	"slices"
)

// Explain decides whether a leaf (DER) is trusted, and says of each check how it
// went. It follows every path from the leaf to a root, within bounds, and runs the
// validation of RFC 5280, Section 6.1 over it. The leaf is trusted if crypto/x509
// says so and one of these paths passes; where crypto/x509 differs from the RFC by
// design, it is asked about the rest, and the RFC decides.
//
// Other than [Verify] it reads up to [MaxHeapLength] certificates of [MaxHeapBytes].
func Explain(leaf []byte, o VerifyOptions) *Explanation {
	v, verr := newVerification(leaf, o)
	if verr != nil {
		return unexplained(verr)
	}
	search := v.findPaths()
	if len(search.complete) == 0 {
		search.force()
	}
	e := &Explanation{LibraryJudged: true, Tried: max(len(search.complete), 1)}
	chains, err := v.askLibrary()
	e.Library = err
	best := v.decide(e, search.judgeAll(), chains)
	e.Path, e.Revocation = best.path, best.sources
	e.report(best, o.Policies != nil || constrainsPolicies(best.path))
	return e
}

// unexplained is the answer where nothing could be looked at.
func unexplained(err *VerifyError) *Explanation {
	e := &Explanation{Err: err, LibraryJudged: err.Err != nil, Library: err.Err}
	for _, c := range Checks()[:CheckPolicies] {
		r := CheckResult{Check: c, Outcome: NotAsked, Depth: -1, Text: "nothing was looked at", Section: "RFC 5280, Section 6.1"}
		if c == CheckSignatures {
			r.Outcome, r.Text, r.Hint, r.Reason = Failed, err.Text, err.Hint, err.Reason
		}
		e.Checks = append(e.Checks, r)
	}
	return e
}

// judgeAll judges all paths, or else the one that came farthest. The first is one
// without fault and the shortest of these, or that which comes nearest to it.
func (s *pathSearch) judgeAll() []*judgement {
	paths := s.complete
	if len(paths) == 0 {
		paths = [][]*x509.Certificate{s.dead}
	}
	judged := make([]*judgement, 0, len(paths))
	for _, path := range paths {
		judged = append(judged, s.judge(path))
	}
	slices.SortStableFunc(judged, byCost)
	return judged
}

func byCost(a, b *judgement) int { return a.cost() - b.cost() }

// decide looks for a path that has no fault, that nobody revoked anything of and that
// the library agrees about. Without one it returns the path that comes nearest.
func (v *verification) decide(e *Explanation, judged []*judgement, chains [][]*x509.Certificate) *judgement {
	// What is not asked about revocation is out of the race.
	judged = judged[:min(len(judged), maxSoundPaths)]
	for i, j := range judged {
		if i > 0 && len(j.found) > 0 {
			judged = judged[:i] // faulty for other reasons, as are all after it
			break
		}
		if j.judgeRevocation(); len(j.found) > 0 {
			continue
		}
		if v.agreed(e, j, chains) {
			e.Trusted = true
			return j
		}
	}
	slices.SortStableFunc(judged, byCost)
	return judged[0]
}

// agreed reports whether the library trusts this very path, as far as it can judge;
// if not, it becomes a fault of the path.
func (v *verification) agreed(e *Explanation, j *judgement, chains [][]*x509.Certificate) bool {
	same := func(chain []*x509.Certificate) bool {
		return slices.EqualFunc(chain, j.path, (*x509.Certificate).Equal)
	}
	var err error
	if !slices.ContainsFunc(chains, same) {
		err = v.askAbout(j.path)
	}
	if err == nil {
		e.LibraryJudged = !slices.ContainsFunc(j.path, func(c *x509.Certificate) bool { return v.strange[string(c.Raw)] })
		return true
	}
	if copies := v.beyondLibrary(j.path); copies != nil {
		if err = v.askAbout(copies); err == nil {
			e.LibraryJudged = false
			return true
		}
	}
	e.Library = err
	refused := v.explain(err)
	depth := slices.IndexFunc(j.path, func(c *x509.Certificate) bool { return c == refused.Certificate })
	j.note(checkOf(refused.Reason), max(depth, 0), "RFC 5280, Section 6.1", refused)
	return false
}

// checkOf is the check that a reason belongs to.
func checkOf(r Reason) Check {
	switch r {
	case ReasonUnknownAuthority:
		return CheckRoot
	case ReasonExpired, ReasonNotYetValid:
		return CheckDates
	case ReasonNameMismatch:
		return CheckName
	case ReasonUsage:
		return CheckUsage
	case ReasonSignature:
		return CheckSignatures
	case ReasonStaple, ReasonRevoked:
		return CheckRevocation
	}
	return CheckConstraints
}

// report writes the rows.
func (e *Explanation) report(j *judgement, policies bool) {
	for _, check := range Checks() {
		failed := false
		for _, f := range j.found {
			if f.Check != check {
				continue
			}
			if e.Err == nil {
				e.Err = f.cause
				e.Err.Err = e.Library
			}
			failed = true
			e.Checks = append(e.Checks, f.CheckResult)
		}
		switch {
		case check == CheckRevocation:
			if !failed || len(j.revocation) > 0 {
				e.Checks = append(e.Checks, j.revocationRows()...)
			}
		case !failed && (check != CheckPolicies || policies):
			e.Checks = append(e.Checks, j.passed(check))
		}
	}
}
