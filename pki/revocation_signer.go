package pki

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki/crl"
)

// Bounds on the work for one path.
const (
	maxRevocationWork  = 200000  // names compared, answers and sets looked at
	maxSignerDepth     = 4       // signers of CRLs about signers of CRLs …
	maxSignerChains    = 4       // paths of one signer
	maxCRLSignatures   = 500     // signatures of CRLs checked
	maxSignedBytes     = 4 << 30 // of those signatures
	maxSignersVerified = 50      // signers whose path was looked for
	maxAnswers         = 100     // OCSP responses beside the stapled one
)

// revocationJudge is one run of [JudgeRevocation].
type revocationJudge struct {
	path    []*x509.Certificate
	options RevocationOptions
	now     time.Time
	answers []answer // the OCSP responses but the stapled one
	// candidates are all that may have signed a list, each once: the path above the leaf and the extra ones.
	candidates []*x509.Certificate

	work       int
	hashed     int
	names      map[string]string // in comparable form
	signatures map[signedBy]error
	chains     map[*x509.Certificate][][]*x509.Certificate
	open       []*x509.Certificate // whose status is being looked for, and those below them: they cannot vouch for themselves
	depth      int                 // of signers that are being vouched for
}

func newRevocationJudge(path []*x509.Certificate, o RevocationOptions, now time.Time) *revocationJudge {
	j := &revocationJudge{path: path, options: o, now: now, names: make(map[string]string), signatures: make(map[signedBy]error), chains: make(map[*x509.Certificate][][]*x509.Certificate)}
	for _, c := range slices.Concat(path[1:], o.Extra) {
		if !seenBefore(j.candidates, c) {
			j.candidates = append(j.candidates, c)
		}
	}
	for _, der := range o.OCSP[:min(len(o.OCSP), maxAnswers)] {
		j.answers = append(j.answers, readAnswer(der, "OCSP", "the OCSP response"))
	}
	return j
}

// signedBy is a question that has one answer.
type signedBy struct {
	list   *crl.List
	signer *x509.Certificate
}

// spend takes a step off the budget.
func (j *revocationJudge) spend() bool {
	j.work++
	return j.work <= maxRevocationWork
}

var errTooManySignatures = errors.New("too many signatures would have to be checked")

// signature checks a list's signature once per list and signer.
func (j *revocationJudge) signature(l *crl.List, signer *x509.Certificate) error {
	key := signedBy{l, signer}
	if err, ok := j.signatures[key]; ok {
		return err
	}
	if j.hashed += len(l.RawTBS); len(j.signatures) >= maxCRLSignatures || j.hashed > maxSignedBytes {
		return errTooManySignatures
	}
	err := l.CheckSignature(signer)
	j.signatures[key] = err
	return err
}

// signerOf finds who signed a list: a certificate of the path above the target, or one of the extra ones with a path of its
// own to the same root (RFC 5280, Section 6.3.3 (f) and (g)). Nil: nobody who counts, and why. The target itself counts only
// where its issuer has said so by naming it as its own certificate's CRL issuer.
func (j *revocationJudge) signerOf(l *crl.List, target *x509.Certificate, above []*x509.Certificate, selfAllowed bool) (signer *x509.Certificate, why string) {
	candidates := j.candidates
	if selfAllowed && !seenBefore(candidates, target) {
		candidates = append(slices.Clone(candidates), target)
	}
	wrong := ""
	for _, byKeyID := range [...]bool{true, false} { // the likely signer comes first, and so does what is wrong with it
		for _, c := range candidates {
			if likely(l, c) != byKeyID || !j.sameName(c.RawSubject, l.RawIssuer) || c.Equal(target) && !selfAllowed {
				continue
			}
			if err := j.signature(l, c); err != nil {
				wrong = cmp.Or(wrong, "does not count: "+Printable(err.Error()))
				continue
			}
			if seenBefore(above, c) || c.Equal(target) {
				return c, "" // part of a path that has been validated, or is being
			}
			problem := j.untrusted(c)
			if problem == "" {
				return c, ""
			}
			why = cmp.Or(why, "is signed with a key whose certificate "+problem)
		}
	}
	return nil, cmp.Or(why, wrong, "is from an issuer whose certificate is not at hand")
}

// likely reports whether key identifiers say that a certificate signed a list.
func likely(l *crl.List, c *x509.Certificate) bool {
	return len(l.AuthorityKeyID) > 0 && bytes.Equal(l.AuthorityKeyID, c.SubjectKeyId)
}

func seenBefore(list []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(list, c.Equal)
}

// untrusted says what is wrong with a signer that is not part of the path; "" if nothing.
//
// RFC 5280, Section 6.3.3 (f): obtain and validate the certification path for the issuer of the complete CRL. The trust
// anchor for the certification path MUST be the same as the trust anchor used to validate the target certificate.
func (j *revocationJudge) untrusted(c *x509.Certificate) string {
	if j.depth >= maxSignerDepth {
		return "is vouched for by too many others"
	}
	j.depth++
	defer func() { j.depth-- }()
	why := "has no valid path to the same root"
	for _, chain := range j.chainsOf(c) {
		if why = j.distrusted(chain); why == "" {
			return ""
		}
	}
	return why
}

// distrusted says which certificate of a signer's path takes its worth; "" if none.
func (j *revocationJudge) distrusted(chain []*x509.Certificate) string {
	for _, c := range chain[:len(chain)-1] {
		// A CA that was revoked could otherwise make a signer below itself that knows nothing of it.
		if seenBefore(j.open, c) {
			return "rests on the very certificate that it speaks of"
		}
	}
	for i, c := range chain[:len(chain)-1] {
		if seenBefore(j.path, c) {
			continue // above the one whose status is looked for; its own is asked for by itself
		}
		j.open = append(j.open, c)
		r := j.status(c, chain[i+1:], nil)
		j.open = j.open[:len(j.open)-1]
		switch {
		case r.Status == RevocationRevoked:
			return "was revoked itself, or one above it was"
		case r.Status == RevocationUnknown && j.options.WholeChain && j.options.Mode == RevocationHard:
			return "has no status that could be found out"
		}
	}
	return ""
}

// chainsOf gives paths of a signer to the root of the judged path.
func (j *revocationJudge) chainsOf(c *x509.Certificate) [][]*x509.Certificate {
	if chains, ok := j.chains[c]; ok {
		return chains
	}
	if len(j.chains) >= maxSignersVerified || tooLargeRSA(c) {
		return nil
	}
	between := slices.DeleteFunc(slices.Concat(j.path[1:], j.options.Extra), func(i *x509.Certificate) bool { return !i.IsCA || tooLargeRSA(i) })
	chains, err := libraryChains(c, between, j.path[len(j.path)-1:], func(between, roots []*x509.Certificate) x509.VerifyOptions {
		return x509.VerifyOptions{Roots: poolOf(roots), Intermediates: poolOf(between), CurrentTime: j.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	})
	if err != nil {
		chains = nil
	}
	chains = chains[:min(len(chains), maxSignerChains)]
	j.chains[c] = chains
	return chains
}

func poolOf(list []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range list {
		pool.AddCert(c)
	}
	return pool
}

// tooLargeRSA keeps huge keys away from the library.
func tooLargeRSA(c *x509.Certificate) bool {
	k, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && k.N.BitLen() > MaxRSABits
}
