package pki

import (
	"crypto/x509"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/revset"
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
	OCSP   [][]byte    // OCSP responses, DER; at most 100 are looked at
	Staple []byte      // the response that the server stapled to its leaf, DER; nil: none
	// Sets are packed sets of revocations. A signed one counts if a CA above the certificate signed it; one without a
	// signature counts as it is, so whoever hands it in must trust where it came from.
	Sets []*revset.Set
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
	if o.Mode == RevocationOff || len(path) == 0 {
		return nil
	}
	j := newRevocationJudge(path, o, now)
	var results []RevocationResult
	for depth, c := range path {
		if depth > 0 && !o.WholeChain {
			break
		}
		j.open = path[: depth+1 : depth+1]
		var staple []byte
		if depth == 0 {
			staple = o.Staple
		}
		r := j.status(c, path[depth+1:], staple)
		r.Depth, r.Subject = depth, describe(c)
		for i := range r.Tried {
			r.Tried[i].Depth, r.Tried[i].Subject = depth, r.Subject
		}
		results = append(results, r)
	}
	return results
}

// status asks all sources about one certificate; above are its issuers, the root last.
func (j *revocationJudge) status(c *x509.Certificate, above []*x509.Certificate, staple []byte) RevocationResult {
	if len(above) == 0 {
		// RFC 5280, Section 6.1: the trust anchor is not part of the path that is validated.
		return RevocationResult{Status: RevocationNotNeeded, Text: "is trusted itself: who does not trust it any more takes it out of the roots", Section: "RFC 5280, Section 6.1"}
	}
	said := j.byOCSP(c, above, staple)
	r, tried := j.byCRLs(c, above)
	said = append(said, tried...)
	if r.Text != "" {
		said = append(said, r)
	}
	said = append(said, j.bySets(c, above)...)
	return verdict(c, said, j.options.ShortLived)
}

// verdict makes one result of what all sources said.
func verdict(c *x509.Certificate, said []RevocationResult, shortLived time.Duration) RevocationResult {
	for _, wanted := range [...]RevocationStatus{RevocationRevoked, RevocationGood} {
		for _, r := range said {
			if r.Status == wanted {
				r.Tried = said
				return r
			}
		}
	}
	r := RevocationResult{Tried: said, Text: "nothing at hand says whether it is revoked", Section: sectionCRL}
	if why, section := needsNoStatus(c, shortLived); why != "" {
		r.Status, r.Text, r.Section = RevocationNotNeeded, why, section
	} else if len(said) > 0 {
		last := said[len(said)-1]
		r.Text, r.Section = "its status is not known: "+last.Text, last.Section
	}
	return r
}

// oidNoRevAvail is id-ce-noRevAvail (RFC 9608, Section 2).
const oidNoRevAvail = "2.5.29.56"

// needsNoStatus says why a certificate is good without one; "" if it is not.
func needsNoStatus(c *x509.Certificate, shortLived time.Duration) (why, section string) {
	if c.IsCA {
		return "", ""
	}
	// RFC 9608, Section 2: a certificate with the extension MUST NOT say where its status could be asked.
	asks := len(c.OCSPServer) > 0
	marked := false
	for _, e := range c.Extensions {
		switch e.Id.String() {
		case oidNoRevAvail:
			marked = true
		case cert.OIDCRLDistribution, "2.5.29.46":
			asks = true
		}
	}
	// RFC 5280, Section 4.1.2.5: both ends of the validity are part of it.
	life := c.NotAfter.Sub(c.NotBefore) + time.Second
	switch {
	case marked && !asks:
		return "says that its issuer tells nobody about revocations", "RFC 9608, Section 4"
	case life <= shortLived:
		return fmt.Sprintf("lives only %s, so it expires before a revocation would be heard of", distance(life)), "CA/Browser Forum Baseline Requirements, 4.9.1.1"
	}
	return "", ""
}
