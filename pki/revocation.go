package pki

import (
	"crypto/x509"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/pki/crl"
)

// RevocationMode says what follows from a status that cannot be found out.
type RevocationMode uint8

// The modes.
const (
	RevocationOff  RevocationMode = iota // nothing is looked at
	RevocationSoft                       // an unknown status is no reason to refuse
	RevocationHard                       // an unknown status is as bad as a revocation
)

// String names the mode in a word.
func (m RevocationMode) String() string {
	names := [...]string{"off", "soft", "hard"}
	if int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// RevocationStatus is what is known about one certificate.
type RevocationStatus uint8

// The statuses.
const (
	RevocationUnknown   RevocationStatus = iota // no source that counts knows the certificate
	RevocationGood                              // not revoked
	RevocationRevoked                           // revoked, or on hold
	RevocationNotNeeded                         // nothing says so, and nothing needs to: a root, a short life, id-ce-noRevAvail
)

// String names the status in a word or two.
func (s RevocationStatus) String() string {
	names := [...]string{"unknown", "good", "revoked", "not needed"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// RevocationOptions are what a status is taken from. Nothing is fetched: whoever calls has done so.
type RevocationOptions struct {
	Mode   RevocationMode
	CRLs   []*crl.List // complete ones and deltas, in any order
	OCSP   [][]byte    // OCSP responses, DER
	Staple []byte      // the response that the server stapled to its leaf, DER; nil: none
	// WholeChain asks about the CAs too; else the leaf alone is judged.
	WholeChain bool
	// Extra are certificates that may have signed CRLs. They are not trusted: each needs a path to the root of the chain.
	Extra []*x509.Certificate
	// ShortLived frees leaves with at most this lifetime from having a status; 0: none.
	ShortLived time.Duration
}

// RevocationResult is what is known about one certificate. All texts have passed [Printable].
type RevocationResult struct {
	Depth   int // the certificate's place in the path: 0 the leaf
	Subject string
	Status  RevocationStatus
	Source  string     // "staple", "OCSP", "CRL", "revocation set"; "" if none decided
	Reason  crl.Reason // if Status is RevocationRevoked
	At      time.Time  // when it was revoked
	// ThisUpdate and NextUpdate are of the source that decided: it was right then, and must not be relied on later.
	ThisUpdate time.Time
	NextUpdate time.Time
	Text       string // one sentence, lower case, no full stop
	Section    string // where the rule stands: "RFC 5280, Section 6.3.3"
	// Tried holds what every source said that was about this certificate or failed to be, in the order in which they were asked.
	Tried []RevocationResult
}

// Refused reports whether a certificate with this result is to be refused: a revoked one always, an unknown status where
// the mode is hard.
func (r *RevocationResult) Refused(m RevocationMode) bool {
	switch m {
	case RevocationSoft:
		return r.Status == RevocationRevoked
	case RevocationHard:
		return r.Status == RevocationRevoked || r.Status == RevocationUnknown
	}
	return false
}

// JudgeRevocation finds out about every certificate of a path, leaf first and root last, whose other checks have been
// passed: one result for each that was asked about, none if the mode is off. A source that says revoked wins over others that
// do not.
func JudgeRevocation(path []*x509.Certificate, o RevocationOptions, now time.Time) []RevocationResult {
	if o.Mode == RevocationOff {
		return nil
	}
	var results []RevocationResult
	for depth, c := range path {
		if depth > 0 && !o.WholeChain {
			break
		}
		results = append(results, RevocationResult{Depth: depth, Subject: describe(c), Text: "nothing is known about it", Section: "RFC 5280, Section 6.3.3"})
	}
	return results
}
