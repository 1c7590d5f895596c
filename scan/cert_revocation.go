package scan

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
)

const (
	maxResponders = 2 // of a certificate that are asked
	maxListsRead  = 3 // CRLs of a certificate that are fetched
)

// judgeRevocation asks for every certificate of a trusted path whether it was revoked: by the staple, the OCSP responder, and
// where that does not tell by the CRL.
func (j *judge) judgeRevocation(ctx context.Context, q chainQuestion, c *judgedChain) {
	if len(c.path) < 2 || c.facts.Trusted != grade.Yes {
		return
	}
	o := pki.RevocationOptions{Mode: pki.RevocationSoft, Staple: q.sent.Staple, WholeChain: j.fetcher != nil}
	if j.fetcher != nil {
		for i := range c.path[:len(c.path)-1] {
			j.fetchStatus(ctx, c, c.path[i:], &o, q.now)
		}
	} else if len(o.Staple) == 0 {
		return // nobody was asked
	}
	results := pki.JudgeRevocation(c.path, o, q.now)
	f := &c.facts
	leaf := c.path[0]
	if len(leaf.OCSPServer)+len(leaf.CRLDistributionPoints)+len(o.Staple) > 0 {
		f.Revoked = grade.Unknown // else there is nobody to ask, and no gap in what is known
	}
	for _, r := range results {
		if r.Depth < len(c.path)-1 { // of a root nobody asks
			f.Revocation = append(f.Revocation, revocationText(&r, c.path[r.Depth]))
		}
		switch {
		case r.Status == pki.RevocationRevoked:
			f.Revoked = grade.Yes
		case r.Depth == 0 && f.Revoked == grade.Unknown && r.Status != pki.RevocationUnknown:
			f.Revoked = grade.No
		}
	}
	f.Checks = withRevocation(f.Checks, results)
	if f.Revoked == grade.Unasked {
		f.Checks = withRow(f.Checks, grade.CertCheck{Check: pki.CheckRevocation.String(), Outcome: pki.NotAsked.String(), Section: "RFC 5280, Section 4.2.1.13",
			Text: "the certificate names no OCSP responder and no CRL, so there is nobody to ask"})
	}
}

// revocationText says in a line what is known about one certificate.
func revocationText(r *pki.RevocationResult, c *x509.Certificate) string {
	if r.Status == pki.RevocationUnknown && len(c.OCSPServer)+len(c.CRLDistributionPoints) == 0 && len(r.Tried) == 0 {
		return shortened(r.Subject+": names no OCSP responder and no CRL", maxText)
	}
	text := r.Subject + ": " + r.Status.String()
	if r.Source != "" {
		text += " (" + r.Source + ")"
	}
	if r.Text != "" {
		text += ", " + r.Text
	}
	return shortened(text, maxText)
}

// withRevocation puts the results into the row of their check.
func withRevocation(checks []grade.CertCheck, results []pki.RevocationResult) []grade.CertCheck {
	row := grade.CertCheck{Check: pki.CheckRevocation.String(), Outcome: pki.Passed.String(), Depth: -1, Section: "RFC 5280, Section 6.3", Text: "no certificate of the path was revoked"}
	for _, r := range results {
		switch {
		case r.Status == pki.RevocationRevoked:
			row = grade.CertCheck{Check: row.Check, Outcome: pki.Failed.String(), Depth: r.Depth, Section: r.Section, Text: "the certificate " + r.Text,
				Reason: pki.ReasonRevoked.String(), Hint: "have a new one issued, with a new key"}
		case r.Status == pki.RevocationUnknown && row.Outcome == pki.Passed.String():
			row.Outcome, row.Depth, row.Section, row.Text = pki.Undecided.String(), r.Depth, r.Section, r.Text
		}
		if row.Outcome == pki.Failed.String() {
			break
		}
	}
	return withRow(checks, row)
}

// withRow puts a row in the place of the one about the same check.
func withRow(checks []grade.CertCheck, row grade.CertCheck) []grade.CertCheck {
	for i := range checks {
		if checks[i].Check == row.Check {
			checks[i] = row
			return checks
		}
	}
	return append(checks, row)
}

// fetchStatus gets what says whether the first certificate of a path was revoked.
func (j *judge) fetchStatus(ctx context.Context, c *judgedChain, path []*x509.Certificate, o *pki.RevocationOptions, now time.Time) {
	child, issuer := path[0], path[1]
	probe := "revocation of " + shortened(pki.Name(child.Subject), 100)
	for _, url := range child.OCSPServer[:min(len(child.OCSPServer), maxResponders)] {
		der, err := j.askResponder(ctx, url, child, issuer)
		if err != nil {
			c.gap(probe, err.Error())
			continue
		}
		o.OCSP = append(o.OCSP, der)
		results := pki.JudgeRevocation(path, pki.RevocationOptions{Mode: pki.RevocationSoft, OCSP: [][]byte{der}}, now)
		if len(results) > 0 && (results[0].Status == pki.RevocationGood || results[0].Status == pki.RevocationRevoked) {
			return
		}
	}
	for _, url := range child.CRLDistributionPoints[:min(len(child.CRLDistributionPoints), maxListsRead)] {
		if !strings.HasPrefix(url, "http") {
			continue
		}
		list, err := j.fetchList(ctx, url, now)
		if err != nil {
			c.gap(probe, err.Error())
			continue
		}
		o.CRLs = append(o.CRLs, list)
	}
}

// askResponder asks an OCSP responder about one certificate, by the names of SHA-1 that all of them know (RFC 5019, Section 2.1.1).
func (j *judge) askResponder(ctx context.Context, url string, child, issuer *x509.Certificate) ([]byte, error) {
	id, err := ocsp.NewCertID(child.SerialNumber.Bytes(), issuer, crypto.SHA1)
	if err != nil {
		return nil, err
	}
	request, err := ocsp.CreateRequest([]ocsp.CertID{id}, nil)
	if err != nil {
		return nil, err
	}
	return j.fetcher.OCSP(ctx, url, request)
}

// fetchList fetches a CRL, or remembers it while it is in force.
func (j *judge) fetchList(ctx context.Context, url string, now time.Time) (*crl.List, error) {
	if l, ok := j.lists.recall(url); ok && now.Before(l.NextUpdate) {
		return l, nil
	}
	der, err := j.fetcher.CRL(ctx, url)
	if err != nil {
		return nil, err
	}
	l, err := crl.Parse(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shortened(url, maxText), err)
	}
	if len(der) <= maxListKept {
		j.lists.remember(url, l)
	}
	return l, nil
}
