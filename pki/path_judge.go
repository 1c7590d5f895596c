package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/pki/cert"
)

// finding is a failure, as a row and as an error.
type finding struct {
	CheckResult
	cause *VerifyError
}

// judgement is what RFC 5280, Section 6.1 says of one path.
type judgement struct {
	v      *verification
	search *pathSearch
	path   []*x509.Certificate // leaf first
	rooted bool                // whether it ends at a trusted root

	found       []finding
	revocation  []CheckResult // what passed or stays undecided
	constrained bool          // whether a CA of the path constrains names
	policies    []string      // what the path is valid for

	revocationAsked bool
	sources         []RevocationResult // what all of them said
}

// judge looks at everything but revocation.
func (s *pathSearch) judge(path []*x509.Certificate) *judgement {
	j := &judgement{v: s.v, search: s, path: path, rooted: s.v.isRoot(path[len(path)-1])}
	j.judgeSignatures()
	j.judgeDates()
	j.judgeName()
	j.judgeUsage()
	j.judgeConstraints()
	j.judgePolicies()
	return j
}

// fail notes a failure of the certificate at depth; the text goes on after its name.
func (j *judgement) fail(check Check, depth int, section string, r Reason, hint, format string, args ...any) {
	j.note(check, depth, section, j.v.fault(r, j.path[depth], nil, hint, format, args...))
}

func (j *judgement) note(check Check, depth int, section string, e *VerifyError) {
	e.Depth = depth
	j.found = append(j.found, finding{CheckResult{Check: check, Outcome: Failed, Depth: depth, Subject: e.Subject, Text: e.Text,
		Hint: e.Hint, Section: section, Reason: e.Reason}, e})
}

// judgeSignatures looks at every link, and at the end of the path.
func (j *judgement) judgeSignatures() {
	for depth := range len(j.path) - 1 {
		child, parent := j.path[depth], j.path[depth+1]
		if err := j.search.check(child, parent); err != nil {
			j.note(CheckSignatures, depth, "RFC 5280, Section 6.1.3", j.v.explainSignature(child, parent, err, nil))
		}
	}
	if j.rooted {
		return
	}
	depth := len(j.path) - 1
	last := j.path[depth]
	const section = "RFC 5280, Section 6.1.1"
	if !bytes.Equal(last.RawIssuer, last.RawSubject) {
		j.note(CheckRoot, depth, section, j.noIssuer(last))
		return
	}
	if err := cert.CheckSignature(last, last.SignatureAlgorithm, last.RawTBSCertificate, last.Signature); err != nil {
		j.note(CheckSignatures, depth, "RFC 5280, Section 6.1.3", j.v.explainSignature(last, last, err, nil))
	}
	j.note(CheckRoot, depth, section, j.v.explainSelfSigned(last, nil))
}

// noIssuer says why the search went no further than last.
func (j *judgement) noIssuer(last *x509.Certificate) *VerifyError {
	if len(j.path) >= MaxChainLength && j.search.long {
		return j.v.fault(ReasonLimit, last, nil, "", "is the last that is looked at: a path has %d certificates at most", MaxChainLength)
	}
	for _, u := range j.v.unreadable {
		if cert.SameName(u.subject, last.RawIssuer) {
			return j.v.fault(ReasonMalformed, last, nil, "", "has an issuer, \"%s\", whose certificate is here and cannot be read: %s", issuerName(last), Printable(u.err.Error()))
		}
	}
	e := j.v.explainMissing(last, nil)
	if j.search.full {
		e.Hint = "there are more ways through these certificates than are tried: give fewer"
	}
	return e
}

func (j *judgement) judgeDates() {
	for depth, c := range j.path {
		if e := j.v.explainDate(c, nil); e != nil {
			j.note(CheckDates, depth, "RFC 5280, Section 6.1.3", e)
		}
	}
}

func (j *judgement) judgeName() {
	name := j.v.options.ServerName
	if name == "" || matchesName(j.v.leaf, j.v.options) {
		return
	}
	j.note(CheckName, 0, "RFC 9525, Section 6", j.v.explainName(nil))
}

// matchesName compares the leaf's names with the one that is asked for: an e-mail
// address if e-mail is what the certificate is used for, else a host.
func matchesName(c *x509.Certificate, o VerifyOptions) bool {
	local, host, ok := cutMailbox(o.ServerName)
	if o.Usage != UsageEmail || !ok {
		return c.VerifyHostname(hostForLibrary(o.ServerName)) == nil
	}
	for _, e := range c.EmailAddresses {
		// RFC 5280, Section 7.5: the local part is compared exactly, the host is not.
		if l, h, ok := cutMailbox(e); ok && l == local && strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}

func (j *judgement) judgePolicies() {
	var o PolicyOptions
	if j.v.options.Policies != nil {
		o = *j.v.options.Policies
	}
	valid, fault := processPolicies(j.path, o)
	if fault != nil && j.rooted {
		j.fail(CheckPolicies, fault.depth, fault.rule, ReasonConstraint, "", "%s", fault.text)
	}
	j.policies = valid
}

// cost orders paths that fail: what is hardest to mend costs most.
func (j *judgement) cost() int {
	weights := [...]int{CheckSignatures: 16, CheckRoot: 12, CheckDates: 3, CheckRevocation: 4, CheckName: 1, CheckUsage: 4, CheckConstraints: 4, CheckPolicies: 4}
	total := 0
	for _, f := range j.found {
		total += weights[f.Check]
	}
	return total*MaxChainLength + len(j.path)
}

// passed says in a sentence what a check that found no fault has looked at.
func (j *judgement) passed(check Check) CheckResult {
	r := CheckResult{Check: check, Depth: -1}
	say := func(section, format string, args ...any) CheckResult {
		r.Section, r.Text = section, fmt.Sprintf(format, args...)
		return r
	}
	o := &j.v.options
	switch check {
	case CheckSignatures:
		if len(j.path) > 1 {
			return say("RFC 5280, Section 6.1.3", "%s made by the key of the certificate above", countLinks(len(j.path)-1))
		}
		if j.rooted {
			return say("RFC 5280, Section 6.1.3", "the certificate is a trusted root itself, so no signature matters")
		}
		r.Outcome = Undecided
		return say("RFC 5280, Section 6.1.3", "the issuer's certificate is missing, so the signature cannot be checked")
	case CheckRoot:
		return say("RFC 5280, Section 6.1.1", "the path ends at the trusted root \"%s\"", describe(j.path[len(j.path)-1]))
	case CheckDates:
		first := j.path[0]
		for _, c := range j.path {
			if c.NotAfter.Before(first.NotAfter) {
				first = c
			}
		}
		return say("RFC 5280, Section 6.1.3", "all are valid at this time; the first to end is \"%s\" on %s (in %s)",
			describe(first), first.NotAfter.UTC().Format("2006-01-02"), distance(first.NotAfter.Sub(o.Time)))
	case CheckName:
		if o.ServerName == "" {
			r.Outcome = NotAsked
			return say("RFC 9525, Section 6", "no name was asked for")
		}
		return say("RFC 9525, Section 6", "the certificate is valid for %s", Printable(strings.TrimSuffix(o.ServerName, ".")))
	case CheckUsage:
		if o.AnyUsage {
			r.Outcome = NotAsked
			return say("RFC 5280, Section 4.2.1.12", "no usage was asked for")
		}
		return say("RFC 5280, Section 4.2.1.12", "the certificate may be used %s (%v)", o.Usage.purpose(), o.Usage)
	case CheckConstraints:
		if j.constrained {
			return say("RFC 5280, Section 6.1.4", "CA flags, path lengths and name constraints are kept, critical extensions understood")
		}
		return say("RFC 5280, Section 6.1.4", "CA flags and path lengths are kept, critical extensions understood; no CA constrains names")
	}
	if len(j.policies) == 0 {
		return say("RFC 5280, Section 6.1.5", "valid for no policy, and none is demanded")
	}
	return say("RFC 5280, Section 6.1.5", "valid for %s", policyNames(j.policies))
}

func countLinks(n int) string {
	if n == 1 {
		return "the signature was"
	}
	return fmt.Sprintf("all %d signatures were", n)
}
