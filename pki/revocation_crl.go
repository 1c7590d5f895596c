package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki/crl"
)

const sectionCRL = "RFC 5280, Section 6.3.3"

// maxTried bounds what is told about lists that do not count: a CA may have a thousand partitions.
const maxTried = 16

// crlSearch is the state of RFC 5280, Section 6.3.2 for one certificate.
type crlSearch struct {
	j       *revocationJudge
	target  *x509.Certificate
	above   []*x509.Certificate // the target's issuers, the root last
	covered crl.ReasonSet       // reasons_mask
	result  RevocationResult    // the verdict so far; RevocationUnknown: UNREVOKED
	used    []*crl.List         // lists that counted, to be used once
	tried   []RevocationResult
	// outdated is what a list that is out of date says about a revocation: see [crlSearch.keepOutdated].
	outdated *RevocationResult
}

// byCRLs takes a status from the lists (RFC 5280, Section 6.3.3). tried holds why lists of the right issuer did not count;
// the status is RevocationUnknown with no text if there were none at all.
func (j *revocationJudge) byCRLs(target *x509.Certificate, above []*x509.Certificate) (result RevocationResult, tried []RevocationResult) {
	s := crlSearch{j: j, target: target, above: above}
	for _, p := range pointsOf(target) {
		for _, l := range j.options.CRLs {
			if l.Base != nil || !j.isOurs(l, target, &p) {
				continue
			}
			s.apply(l, &p)
			if s.result.Status == RevocationRevoked {
				return s.result, s.tried
			}
			if s.covered == crl.AllReasons {
				return s.good(), s.tried
			}
		}
	}
	if s.outdated != nil {
		return *s.outdated, s.tried
	}
	if s.covered != 0 {
		s.result.Text = fmt.Sprintf("the CRLs at hand speak of some reasons only: %v", s.covered)
		s.result.Section = sectionCRL
	} else if len(s.tried) == 0 && s.hasOnlyDeltas() {
		s.result.Text, s.result.Section = "there is a delta CRL, and no complete CRL that it could be put on", "RFC 5280, Section 5.2.4"
	}
	return s.result, s.tried
}

func (s *crlSearch) hasOnlyDeltas() bool {
	for _, l := range s.j.options.CRLs {
		if bytes.Equal(l.RawIssuer, s.target.RawIssuer) {
			return true // complete ones have been tried
		}
	}
	return false
}

// good is the verdict when every reason has been covered.
func (s *crlSearch) good() RevocationResult {
	r := RevocationResult{Status: RevocationGood, Source: "CRL", Section: sectionCRL}
	for _, l := range s.used {
		if r.ThisUpdate.IsZero() || l.ThisUpdate.Before(r.ThisUpdate) {
			r.ThisUpdate = l.ThisUpdate
		}
		if r.NextUpdate.IsZero() || l.NextUpdate.Before(r.NextUpdate) {
			r.NextUpdate = l.NextUpdate
		}
	}
	r.Text = fmt.Sprintf("is not on the CRL of %s, which is good until %s", stamp(r.ThisUpdate), stamp(r.NextUpdate))
	return r
}

// reject notes why a list of the right issuer does not count.
func (s *crlSearch) reject(l *crl.List, section, format string, args ...any) {
	r := RevocationResult{Source: "CRL", ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, Text: describeList(l) + " " + fmt.Sprintf(format, args...), Section: section}
	known := slices.ContainsFunc(s.tried, func(t RevocationResult) bool { return t.Text == r.Text })
	if !known && len(s.tried) < maxTried {
		s.tried = append(s.tried, r)
	}
}

// describeList names a list: "the CRL number 7 of 2026-05-04 03:02 UTC".
func describeList(l *crl.List) string {
	kind := "CRL"
	if l.Base != nil {
		kind = "delta CRL"
	}
	if l.Number == nil {
		return fmt.Sprintf("the %s of %s", kind, stamp(l.ThisUpdate))
	}
	return fmt.Sprintf("the %s number %v of %s", kind, l.Number, stamp(l.ThisUpdate))
}

// apply takes one complete list of the point's issuer into account (RFC 5280, Section 6.3.3 (b) to (l)).
func (s *crlSearch) apply(l *crl.List, p *crl.Point) {
	interim := p.Reasons.Effective() // (d)
	if l.IDP != nil {
		interim &= l.IDP.OnlySomeReasons.Effective()
	}
	if interim&^s.covered == 0 { // (e)
		return
	}
	if why := outOfScope(l, s.target, p); why != "" {
		s.reject(l, sectionCRL, "%s", why)
		return
	}
	if why, section := unusable(l, s.j.now); why != "" {
		s.reject(l, section, "%s", why)
		return
	}
	signer, why := s.j.signerOf(l, s.target, s.above, p.HasIssuer)
	if signer == nil {
		s.reject(l, sectionCRL, "%s", why)
		return
	}
	delta := s.deltaFor(l, signer)
	if delta == nil && s.j.now.After(l.NextUpdate) {
		s.reject(l, sectionNextUpdate, "%s", outOfDate(l))
		s.keepOutdated(l)
		return
	}
	s.used = append(s.used, l)
	entry, found := crl.Entry{}, false
	from := l
	if delta != nil { // (i)
		if entry, found = delta.FindNumber(s.target.SerialNumber, s.target.RawIssuer); found {
			from = delta
		}
		s.used[len(s.used)-1] = delta // its dates are those that count
	}
	if !found { // (j)
		entry, found = l.FindNumber(s.target.SerialNumber, s.target.RawIssuer)
	}
	if found && entry.Reason != crl.RemoveFromCRL { // (k)
		s.result = revokedBy(from, &entry)
		return
	}
	s.covered |= interim // (l)
}

func revokedBy(l *crl.List, e *crl.Entry) RevocationResult {
	return RevocationResult{
		Status: RevocationRevoked, Source: "CRL", Reason: e.Reason, At: e.RevokedAt, ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate,
		Text: fmt.Sprintf("%s (%v), says %s", revokedText(e.Reason, e.RevokedAt), e.Reason, describeList(l)), Section: sectionCRL,
	}
}

// keepOutdated looks the certificate up in a list that is good but for its age. Nobody comes back from a revocation but those
// on hold: should no current list say otherwise, this one's word is better than none.
func (s *crlSearch) keepOutdated(l *crl.List) {
	e, found := l.FindNumber(s.target.SerialNumber, s.target.RawIssuer)
	if found && e.Reason != crl.CertificateHold && e.Reason != crl.RemoveFromCRL {
		r := revokedBy(l, &e)
		r.Text += ", which " + outOfDate(l)
		s.outdated = &r
	}
}

const sectionNextUpdate = "RFC 5280, Section 5.1.2.5"

// outOfDate says so.
func outOfDate(l *crl.List) string {
	if l.NextUpdate.IsZero() {
		// Without an end it would be good for ever: an old list could hide every later revocation.
		return "does not say when the next one comes"
	}
	return "is out of date since " + stamp(l.NextUpdate)
}

// revokedText says since when, and that a certificate on hold may come back.
func revokedText(r crl.Reason, at time.Time) string {
	if r == crl.CertificateHold {
		return "is on hold since " + stamp(at)
	}
	return "was revoked on " + stamp(at)
}

// unusable says what makes a list useless whatever the certificate; "" if nothing.
func unusable(l *crl.List, now time.Time) (why, section string) {
	switch {
	case len(l.UnknownCritical) > 0:
		// RFC 5280, Section 5.2: if a CRL contains a critical extension that the application cannot process, then the
		// application MUST NOT use that CRL to determine the status of certificates.
		return fmt.Sprintf("has the critical extension %s, which is not understood", Printable(l.UnknownCritical[0])), "RFC 5280, Section 5.2"
	case now.Add(stapleSkew).Before(l.ThisUpdate):
		return "is from the future", "RFC 5280, Section 5.1.2.4"
	}
	return "", ""
}

// deltaFor finds the newest delta that can be put on a complete list, signed with the same key; nil if there is none.
func (s *crlSearch) deltaFor(l *crl.List, signer *x509.Certificate) *crl.List {
	var best *crl.List
	for _, d := range s.j.options.CRLs {
		if d.Base == nil || !s.j.sameName(d.RawIssuer, l.RawIssuer) {
			continue
		}
		if why := deltaFits(d, l); why != "" {
			s.reject(d, "RFC 5280, Section 5.2.4", "%s", why)
			continue
		}
		if why, section := unusable(d, s.j.now); why != "" {
			s.reject(d, section, "%s", why)
			continue
		}
		if s.j.now.After(d.NextUpdate) { // or there is none, which is zero
			s.reject(d, sectionNextUpdate, "%s", outOfDate(d))
			continue
		}
		if best != nil && best.Number.Cmp(d.Number) >= 0 {
			continue
		}
		if err := s.j.signature(d, signer); err != nil { // (h)
			s.reject(d, sectionCRL, "is not signed as the complete CRL is: %s", Printable(err.Error()))
			continue
		}
		best = d
	}
	return best
}
