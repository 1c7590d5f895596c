package pki

import (
	"crypto/x509"
	"fmt"

	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
)

const sectionOCSP = "RFC 6960, Section 3.2"

// answer is one OCSP response, read or not.
type answer struct {
	source   string // "staple", "OCSP"
	name     string // as it is called in a sentence
	response *ocsp.Response
	err      error
}

func readAnswer(der []byte, source, name string) answer {
	r, err := ocsp.ParseResponse(der)
	return answer{source, name, r, err}
}

// byOCSP takes a status from OCSP responses: from the stapled one, which must be about the target, and from those of the others that are.
func (j *revocationJudge) byOCSP(target *x509.Certificate, above []*x509.Certificate, staple []byte) (said []RevocationResult) {
	if staple != nil {
		a := readAnswer(staple, "staple", "the stapled OCSP response")
		said = append(said, j.hear(a, target, above))
	}
	for _, a := range j.answers {
		// What cannot be read, or names no certificate, is told where the leaf is judged.
		aboutNobody := a.err != nil || a.response.Status != ocsp.Successful
		if aboutNobody && target.Equal(j.path[0]) || !aboutNobody && a.response.Find(target, above[0]) != nil {
			said = append(said, j.hear(a, target, above))
		}
	}
	return said
}

// hear judges one response (RFC 6960, Section 3.2).
func (j *revocationJudge) hear(a answer, target *x509.Certificate, above []*x509.Certificate) RevocationResult {
	result := RevocationResult{Source: a.source, Section: sectionOCSP}
	no := func(format string, args ...any) RevocationResult {
		result.Text = a.name + " " + fmt.Sprintf(format, args...)
		return result
	}
	if a.err != nil {
		return no("cannot be read: %s", Printable(a.err.Error()))
	}
	if a.response.Status != ocsp.Successful {
		return no("is only an error: %v", a.response.Status)
	}
	s := a.response.Find(target, above[0])
	if s == nil {
		return no("is about another certificate")
	}
	if !j.spend() {
		return no("was left alone: too much had to be looked at")
	}
	signer, err := a.response.Signer(above[0], j.now, j.options.Extra...)
	if err != nil {
		return no("does not count: %s", Printable(err.Error()))
	}
	if !signer.Equal(above[0]) && !ocsp.NoCheck(signer) {
		// RFC 6960, Section 4.2.2.2.1: without the extension the client may look whether the responder itself was revoked.
		if r, _ := j.byCRLs(signer, above); r.Status == RevocationRevoked {
			return no("is signed by a responder whose certificate %s", r.Text)
		}
	}
	result.ThisUpdate, result.NextUpdate = s.ThisUpdate, s.NextUpdate
	if s.NextUpdate.IsZero() {
		result.NextUpdate = s.ThisUpdate.Add(stapleLife)
	}
	switch {
	case j.now.Add(stapleSkew).Before(s.ThisUpdate):
		return no("is from the future: %s", stamp(s.ThisUpdate))
	case j.now.After(result.NextUpdate):
		return no("is out of date since %s", stamp(result.NextUpdate))
	case s.Status == ocsp.Revoked:
		result.Status, result.Reason, result.At = RevocationRevoked, crl.Reason(s.Reason), s.RevokedAt
		result.Text = fmt.Sprintf("%s (%v), says %s of %s", revokedText(result.Reason, s.RevokedAt), result.Reason, a.name, stamp(s.ThisUpdate))
		return result
	case s.Status == ocsp.Good:
		result.Status = RevocationGood
		return no("of %s says good, until %s", stamp(s.ThisUpdate), stamp(result.NextUpdate))
	}
	return no("says that the responder does not know the certificate")
}
