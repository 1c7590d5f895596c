package pki

import (
	"crypto/x509"
	"fmt"
)

// Check is one of the questions that a verification answers.
type Check uint8

// The seven checks, and an eighth: CheckPolicies is in an [Explanation] if
// policies were asked for or if the path puts constraints on them.
const (
	CheckSignatures  Check = iota // each link: was it signed by the one above
	CheckRoot                     // does the path end at a trusted root
	CheckDates                    // is every certificate valid now
	CheckRevocation               // is none revoked
	CheckName                     // is the leaf for the name that is asked for
	CheckUsage                    // may the leaf, and the CAs above it, be used for this
	CheckConstraints              // CA flags, path lengths, name constraints, critical extensions
	CheckPolicies                 // certificate policies
)

// Checks lists all eight in the order in which they are shown.
func Checks() []Check {
	return []Check{CheckSignatures, CheckRoot, CheckDates, CheckRevocation, CheckName, CheckUsage, CheckConstraints, CheckPolicies}
}

// String names the check for people.
func (c Check) String() string {
	names := [...]string{"signature per link", "root in store", "dates", "revocation", "name", "usage", "constraints", "policies"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("check %d", uint8(c))
}

// Outcome is what a check came to.
type Outcome uint8

// The outcomes.
const (
	Passed    Outcome = iota
	Failed            // the path is not trusted
	NotAsked          // nobody wanted to know, or there is nothing to look at
	Undecided         // could not be found out, and that is no reason to refuse (a soft failure)
)

// String names the outcome in one or two words.
func (o Outcome) String() string {
	names := [...]string{"passed", "failed", "not asked", "undecided"}
	if int(o) < len(names) {
		return names[o]
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// CheckResult is what one check says, in words that can be shown as they are: all
// strings have passed [Printable].
type CheckResult struct {
	Check   Check
	Outcome Outcome
	Depth   int    // the place in [Explanation].Path of the certificate it is about: 0 the leaf; -1: none in particular
	Subject string // names that certificate; "" if Depth is -1
	Text    string // one sentence, lower case, no full stop
	Hint    string // what to do about it; may be ""
	Section string // where the rule stands: "RFC 5280, Section 6.1.3"
	Reason  Reason // of a failure
}

// Explanation is a verdict with everything that led to it.
type Explanation struct {
	Trusted bool
	// Path is the path that was judged, leaf first; with a trusted root at its end if
	// one was found. Of several the best, also when refused. Nil if the leaf cannot be
	// read.
	Path []*x509.Certificate
	// Checks holds each check at least once, in the order of [Checks], with one
	// failure for every certificate at fault.
	Checks []CheckResult
	Err    *VerifyError // the first failure; nil if trusted
	// Library is what crypto/x509 said, nil if it trusts the leaf, too.
	Library error
	// LibraryJudged is false where crypto/x509 cannot process what the path calls for
	// (RFC 5280 and it differ by design), so that it was asked about the rest alone.
	LibraryJudged bool
	Tried         int // paths that were looked at
	// Revocation is what every source said of the path's certificates, as far as they were asked about.
	Revocation []RevocationResult
}

// PolicyOptions are the inputs of policy processing (RFC 5280, Section 6.1.1).
type PolicyOptions struct {
	// Initial are the policies that are acceptable to the user; none: any.
	Initial []x509.OID
	// RequireExplicit demands a path that is valid for at least one of Initial.
	RequireExplicit bool
	InhibitMapping  bool // policies may not be mapped to others
	InhibitAny      bool // anyPolicy stands for nothing
}
