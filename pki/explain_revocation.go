package pki

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"slices"

	"github.com/tlswright/tlswright/pki/crl"
)

// maxSoundPaths bounds for how many paths without other fault revocation is judged
// and the library asked: each may cost a signature for every list.
const maxSoundPaths = 8

// judgeRevocation asks about every certificate of a path, if that is wanted.
func (j *judgement) judgeRevocation() {
	o := j.v.options.Revocation
	if o == nil || o.Mode == RevocationOff {
		return
	}
	j.revocationAsked = true
	if slices.ContainsFunc(j.found, func(f finding) bool { return f.Check == CheckSignatures || f.Check == CheckRoot }) {
		return // RFC 5280, Section 6.3: who signed a CRL is judged along the path, and there is none
	}
	path := slices.Clone(j.path)
	for depth, c := range path {
		if depth > 0 && !o.WholeChain || c.SerialNumber.Sign() >= 0 {
			continue
		}
		if e, ok := negativeEntry(o.CRLs, c); ok {
			j.fail(CheckRevocation, depth, "RFC 5280, Section 6.3.3", ReasonRevoked, "", "was revoked on %s (%v)", stamp(e.RevokedAt), e.Reason)
		}
		path[depth] = standIn(c)
	}
	sources := j.withoutNegatives(*o)
	sources.Extra = slices.Concat(o.Extra, j.v.sent)
	j.sources = JudgeRevocation(path, sources, j.v.options.Time)
	for _, r := range j.sources {
		c := j.path[r.Depth]
		switch {
		case r.Status == RevocationRevoked:
			j.note(CheckRevocation, r.Depth, r.Section, j.v.fault(ReasonRevoked, c, nil, "issue a new one", "%s", r.Text))
			continue
		case r.Status == RevocationUnknown && r.Refused(o.Mode):
			e := j.v.fault(ReasonStatus, c, nil, "give a CRL or an OCSP response that speaks of it", "")
			e.Text = j.v.who(c) + ": " + r.Text
			j.note(CheckRevocation, r.Depth, r.Section, e)
			continue
		}
		row := CheckResult{Check: CheckRevocation, Outcome: Passed, Depth: r.Depth, Subject: describe(c), Section: r.Section, Text: j.v.who(c) + " " + r.Text}
		if r.Status == RevocationUnknown {
			row.Outcome, row.Text = Undecided, j.v.who(c)+": "+r.Text
		}
		j.revocation = append(j.revocation, row)
	}
}

// negativeEntry looks for a negative serial number, which CRLs are not searched for
// otherwise. Whichever list has it, and whether that list counts or not: it is too
// strange a number to trust.
func negativeEntry(lists []*crl.List, c *x509.Certificate) (crl.Entry, bool) {
	for _, l := range lists {
		for e, err := range l.All() {
			if err != nil {
				break
			}
			if e.Negative && bytes.Equal(e.Serial, c.SerialNumber.Bytes()) {
				return e, true
			}
		}
	}
	return crl.Entry{}, false
}

// standIn is a copy of a certificate with a serial number that none can have, so
// that a list that counts says that it is not on it.
func standIn(c *x509.Certificate) *x509.Certificate {
	other := *c
	other.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 400) // RFC 5280, Section 4.1.2.2: at most 20 octets
	return &other
}

// withoutNegatives leaves the CRLs alone to judge a path with a stand-in: they are
// searched exactly, other sources were made for serial numbers that exist.
func (j *judgement) withoutNegatives(o RevocationOptions) RevocationOptions {
	if slices.ContainsFunc(j.path, func(c *x509.Certificate) bool { return c.SerialNumber.Sign() < 0 }) {
		o.OCSP, o.Staple = nil, nil
	}
	return o
}

// revocationRows are what is shown where nothing is revoked.
func (j *judgement) revocationRows() []CheckResult {
	r := CheckResult{Check: CheckRevocation, Outcome: NotAsked, Depth: -1, Section: "RFC 5280, Section 6.1.3", Text: "revocation was not asked for"}
	switch {
	case !j.revocationAsked:
	case len(j.revocation) > 0:
		return j.revocation
	default:
		r.Outcome, r.Text = Undecided, "not looked at, since the path is broken"
	}
	return []CheckResult{r}
}
