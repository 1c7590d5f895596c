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
	best := search.best()
	e := &Explanation{Path: best.path, LibraryJudged: true, Tried: max(len(search.complete), 1)}
	_, e.Library = v.leaf.Verify(v.libraryOptions())
	if len(best.found) == 0 {
		v.settle(e, best)
	}
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

// best judges all paths and returns the one to show: one without fault and the
// shortest of these, or else the one that comes nearest to it.
func (s *pathSearch) best() *judgement {
	paths := s.complete
	if len(paths) == 0 {
		paths = [][]*x509.Certificate{s.dead}
	}
	judged := make([]*judgement, 0, len(paths))
	for _, path := range paths {
		judged = append(judged, s.judge(path))
	}
	byCost := func(a, b *judgement) int { return a.cost() - b.cost() }
	slices.SortStableFunc(judged, byCost)
	// What is not asked about revocation is out of the race.
	judged = judged[:min(len(judged), maxRevocationPaths)]
	for i, j := range judged {
		if i > 0 && len(j.found) > 0 {
			judged = judged[:i] // faulty for other reasons, as are all after it
			break
		}
		if j.judgeRevocation(); len(j.found) == 0 {
			return j
		}
	}
	slices.SortStableFunc(judged, byCost)
	return judged[0]
}

// settle is about a path without fault: the library must agree as far as it goes.
func (v *verification) settle(e *Explanation, j *judgement) {
	if copies := v.beyondLibrary(j.path); e.Library != nil && copies != nil {
		e.LibraryJudged = false
		if err := v.askAgain(copies); err != nil {
			e.Library = err
		} else {
			e.Trusted = true
			return
		}
	}
	if e.Library == nil {
		e.Trusted = true
		e.LibraryJudged = !slices.ContainsFunc(j.path, func(c *x509.Certificate) bool { return v.strange[string(c.Raw)] })
		return
	}
	err := v.explain(e.Library)
	j.note(checkOf(err.Reason), max(slices.IndexFunc(j.path, func(c *x509.Certificate) bool { return c == err.Certificate }), 0), "RFC 5280, Section 6.1", err)
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
