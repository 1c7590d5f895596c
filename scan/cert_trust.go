package scan

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// verdict is what one store says of a leaf with these certificates beside it.
type verdict struct {
	store   *Store
	found   *pki.Explanation
	trusted bool // apart from name, dates and revocation
	rooted  bool // the path ends at a root of the store
}

// verify asks one store.
func (j *judge) verify(q *chainQuestion, c *judgedChain, s *Store, heap [][]byte) verdict {
	v := verdict{store: s, found: pki.Explain(c.certs[0].der, pki.VerifyOptions{
		Roots: s.Roots, SystemRoots: s.System, Intermediates: heap, Time: q.now, ServerName: q.name,
	})}
	v.trusted, v.rooted = v.found.Path != nil, v.found.Path != nil
	for _, r := range v.found.Checks {
		switch {
		case r.Check == pki.CheckRoot && r.Outcome != pki.Passed:
			v.trusted, v.rooted = false, false
		case r.Check == pki.CheckName, r.Check == pki.CheckDates, r.Check == pki.CheckRevocation:
		case r.Outcome == pki.Failed:
			v.trusted = false
		}
	}
	return v
}

// reason says in a sentence why a store does not trust; "" if it does.
func (v *verdict) reason() string {
	for _, r := range v.found.Checks {
		if r.Outcome == pki.Failed && r.Check != pki.CheckName && r.Check != pki.CheckDates {
			return r.Text
		}
	}
	return ""
}

// judgeTrust asks all stores, puts the chain in order, and finds what is missing in it.
func (j *judge) judgeTrust(ctx context.Context, q chainQuestion, c *judgedChain) {
	if c.certs[0].parsed == nil && !hasNegativeSerial(c.certs[0]) {
		j.judgeUnreadable(q, c)
		return
	}
	var heap [][]byte
	for _, k := range c.certs[1:] {
		heap = append(heap, k.der)
	}
	verdicts := j.askStores(&q, c, heap)
	last := c.order(rootedPath(verdicts))
	switch {
	case rootedPath(verdicts) != nil, last.facts.IsSelfSigned:
		c.facts.Complete = grade.Yes
	case last.parsed != nil:
		more, fetched := j.findMissing(ctx, c, last.parsed)
		if len(more) == 0 {
			break
		}
		again := j.askStores(&q, c, append(heap, more...))
		isWhole := rootedPath(again) != nil
		if isWhole {
			verdicts = again
		}
		if c.facts.Complete == grade.No && j.fetcher != nil {
			c.facts.AIARepairs = grade.AnswerOf(isWhole && fetched)
		}
	}
	c.report(verdicts)
}

// rootedPath is the first path that ends at a root of its store; nil: none does.
func rootedPath(verdicts []verdict) []*x509.Certificate {
	for _, v := range verdicts {
		if v.rooted {
			return v.found.Path
		}
	}
	return nil
}

// hasNegativeSerial: such a certificate is read by package pki though not by the library.
func hasNegativeSerial(k *knownCert) bool {
	return k.view != nil && len(k.view.Serial) > 0 && k.view.Serial[0]&0x80 != 0 && k.view.PublicKey != nil
}

// askStores asks every store. A store that has the root another one's path leads to is not asked again.
func (j *judge) askStores(q *chainQuestion, c *judgedChain, heap [][]byte) []verdict {
	var verdicts []verdict
	for i := range j.stores {
		s := &j.stores[i]
		known := slices.IndexFunc(verdicts, func(v verdict) bool {
			if !v.trusted || len(v.found.Path) == 0 {
				return false
			}
			root := v.found.Path[len(v.found.Path)-1]
			return slices.ContainsFunc(s.Roots, func(r *x509.Certificate) bool { return bytes.Equal(r.Raw, root.Raw) })
		})
		if known >= 0 {
			v := verdicts[known]
			v.store = s
			verdicts = append(verdicts, v)
			continue
		}
		verdicts = append(verdicts, j.verify(q, c, s, heap))
	}
	return verdicts
}

// report writes the verdicts into the facts: the checks are those of the first store that trusts, or else of the one
// whose path came farthest.
func (c *judgedChain) report(verdicts []verdict) {
	f := &c.facts
	if len(verdicts) == 0 {
		return // nobody to ask: it stays unknown
	}
	best := 0
	for i := range verdicts {
		v := &verdicts[i]
		trust := grade.StoreTrust{Store: v.store.Name, Own: v.store.Own, Trusted: v.trusted}
		if !v.trusted {
			trust.Reason = v.reason()
		}
		f.Trust = append(f.Trust, trust)
		if v.trusted && !verdicts[best].trusted || v.rooted && !verdicts[best].rooted && !verdicts[best].trusted {
			best = i
		}
	}
	b := verdicts[best]
	f.Trusted = grade.AnswerOf(b.trusted)
	for _, r := range b.found.Checks {
		row := grade.CertCheck{Check: r.Check.String(), Outcome: r.Outcome.String(), Text: r.Text, Hint: r.Hint, Section: r.Section, Depth: r.Depth}
		if r.Outcome == pki.Failed {
			row.Reason = r.Reason.String()
		}
		f.Checks = append(f.Checks, row)
	}
	for _, p := range b.found.Path {
		f.Path = append(f.Path, pki.Fingerprint(p.Raw))
	}
	if b.rooted {
		c.path = b.found.Path
		c.issuer = c.path[min(1, len(c.path)-1)]
	}
}

// maxIssuersFetched bounds how many missing issuers are looked for, one above the other.
const maxIssuersFetched = 6

// findMissing looks for what a chain lacks above its last certificate: where the certificates say, and among the intermediates of
// the stores. fetched: all of it came from where they say. It says whether the chain is complete: a root may be left out, an
// intermediate may not (RFC 8446, Section 4.4.2).
func (j *judge) findMissing(ctx context.Context, c *judgedChain, last *x509.Certificate) (more [][]byte, fetched bool) {
	fetched = true
	for range maxIssuersFetched {
		issuer := j.fetchIssuer(ctx, c, last)
		if issuer == nil {
			if issuer = j.knownIssuer(last); issuer == nil {
				break
			}
			fetched = false
		}
		isRoot := bytes.Equal(issuer.RawSubject, issuer.RawIssuer)
		if len(more) == 0 {
			// That the first one missing is a root means that nothing need be sent.
			c.facts.Complete = grade.AnswerOf(isRoot)
		}
		more = append(more, issuer.Raw)
		if isRoot {
			break
		}
		last = issuer
	}
	return more, fetched
}

// knownIssuer looks for the issuer of a certificate among the intermediates of the stores.
func (j *judge) knownIssuer(child *x509.Certificate) *x509.Certificate {
	for _, s := range j.stores {
		for _, c := range s.Intermediates {
			if bytes.Equal(c.RawSubject, child.RawIssuer) && cert.CheckSignatureFrom(child, c) == nil {
				return c
			}
		}
	}
	return nil
}

// fetchIssuer asks where a certificate says that its issuer may be had.
func (j *judge) fetchIssuer(ctx context.Context, c *judgedChain, child *x509.Certificate) *x509.Certificate {
	if j.fetcher == nil {
		return nil
	}
	for _, url := range child.IssuingCertificateURL[:min(len(child.IssuingCertificateURL), 3)] {
		found, err := j.fetcher.Issuers(ctx, url)
		if err != nil {
			c.gap("missing issuer", err.Error())
			continue
		}
		for _, issuer := range found {
			if bytes.Equal(issuer.RawSubject, child.RawIssuer) && cert.CheckSignatureFrom(child, issuer) == nil {
				return issuer
			}
		}
	}
	return nil
}

// judgeUnreadable judges a leaf that the library does not read: an unknown curve, a broken frame. Its issuer is asked
// about instead.
func (j *judge) judgeUnreadable(q chainQuestion, c *judgedChain) {
	leaf := c.certs[0]
	f := &c.facts
	if leaf.view == nil {
		f.Trusted = grade.No
		f.Checks = []grade.CertCheck{failedCheck(pki.CheckSignatures, "malformed", "the certificate cannot be read: "+leaf.facts.Unreadable)}
		return
	}
	f.Checks = append(f.Checks, tolerantChecks(leaf, q)...)
	var heap [][]byte
	for _, k := range c.certs[1:] {
		heap = append(heap, k.der)
	}
	last := c.order(nil)
	if last.facts.IsSelfSigned {
		f.Complete = grade.Yes
	}
	for _, k := range c.certs[1:] {
		if k.parsed == nil || !bytes.Equal(k.view.RawSubject, leaf.view.RawIssuer) {
			continue
		}
		signed, known := leaf.signedBy(k)
		if known && !signed {
			continue
		}
		above := &judgedChain{certs: []*knownCert{k}}
		q.name = ""
		var verdicts []verdict
		for s := range j.stores {
			v := j.verifyCA(&q, above, &j.stores[s], heap)
			v.trusted = v.trusted && known
			verdicts = append(verdicts, v)
		}
		if slices.ContainsFunc(verdicts, func(v verdict) bool { return v.rooted }) {
			f.Complete, f.Missing = grade.Yes, nil
		}
		checks := f.Checks
		c.report(verdicts)
		f.Checks = checks
		f.Path = append([]string{leaf.facts.SHA256}, f.Path...)
		c.path, c.issuer = nil, k.parsed
		return
	}
	if len(j.stores) > 0 {
		f.Trusted = grade.No
		for _, s := range j.stores {
			f.Trust = append(f.Trust, grade.StoreTrust{Store: s.Name, Own: s.Own, Reason: "the certificate cannot be read: " + leaf.facts.Unreadable})
		}
	}
}

// verifyCA asks a store about a CA on its own.
func (j *judge) verifyCA(q *chainQuestion, c *judgedChain, s *Store, heap [][]byte) verdict {
	v := verdict{store: s, found: pki.Explain(c.certs[0].der, pki.VerifyOptions{Roots: s.Roots, SystemRoots: s.System, Intermediates: heap, Time: q.now, AnyUsage: true})}
	v.rooted = !slices.ContainsFunc(v.found.Checks, func(r pki.CheckResult) bool { return r.Outcome == pki.Failed && r.Check == pki.CheckRoot })
	v.trusted = v.rooted && v.reason() == ""
	return v
}

func failedCheck(check pki.Check, reason, text string) grade.CertCheck {
	return grade.CertCheck{Check: check.String(), Outcome: pki.Failed.String(), Text: text, Reason: reason}
}

// tolerantChecks are those that can be made without the library: name and dates.
func tolerantChecks(leaf *knownCert, q chainQuestion) []grade.CertCheck {
	passed := func(check pki.Check, text string) grade.CertCheck {
		return grade.CertCheck{Check: check.String(), Outcome: pki.Passed.String(), Text: text, Depth: -1}
	}
	checks := []grade.CertCheck{{Check: pki.CheckSignatures.String(), Outcome: pki.Undecided.String(), Depth: 0,
		Text: "the library that decides about trust does not read this certificate: " + leaf.facts.Unreadable}}
	v := leaf.view
	day := func(t time.Time) string { return t.UTC().Format("2006-01-02") }
	switch {
	case q.now.Before(v.NotBefore):
		checks = append(checks, failedCheck(pki.CheckDates, pki.ReasonNotYetValid.String(), "the certificate is not valid before "+day(v.NotBefore)))
	case q.now.After(v.NotAfter):
		checks = append(checks, failedCheck(pki.CheckDates, pki.ReasonExpired.String(), "the certificate expired on "+day(v.NotAfter)))
	default:
		checks = append(checks, passed(pki.CheckDates, "the certificate is valid at this time, until "+day(v.NotAfter)))
	}
	names, _ := v.AltNames()
	if matchesHost(names, q.name) {
		return append(checks, passed(pki.CheckName, "the certificate is valid for "+pki.Printable(q.name)))
	}
	return append(checks, failedCheck(pki.CheckName, pki.ReasonNameMismatch.String(), "the certificate is not valid for "+pki.Printable(q.name)))
}
