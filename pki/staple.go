package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki/ocsp"
)

// oidTLSFeature is id-pe-tlsfeature (RFC 7633, Section 6).
func oidTLSFeature() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}
}

// featureStatusRequest is the number of status_request in the TLS feature extension: its extension type.
const featureStatusRequest = 5

// MustStaple reports whether a certificate demands that its server staples an OCSP response (RFC 7633, Section 4.2.3.1:
// status_request among the TLS features). An extension that cannot be read counts as a demand.
func MustStaple(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidTLSFeature()) {
			continue
		}
		var features []int
		rest, err := asn1.Unmarshal(e.Value, &features)
		return err != nil || len(rest) > 0 || slices.Contains(features, featureStatusRequest)
	}
	return false
}

// Staple is what a valid OCSP response says about one certificate (RFC 6960, Section 2.2).
type Staple struct {
	Revoked    bool
	RevokedAt  time.Time // if Revoked
	ThisUpdate time.Time // the status was right then
	NextUpdate time.Time // the response must not be relied on later
}

const (
	stapleSkew = 5 * time.Minute // how far in the future ThisUpdate may be
	stapleLife = 24 * time.Hour  // of a response without nextUpdate
)

// CheckStaple reads the OCSP response, DER, that a server stapled to its leaf: it must be about the leaf, signed by the
// leaf's issuer or by a responder that the issuer delegated this to, and in force at now. The error is a *[VerifyError]
// with ReasonStaple that says what is wrong.
func CheckStaple(der []byte, leaf, issuer *x509.Certificate, now time.Time) (*Staple, error) {
	bad := func(format string, args ...any) error {
		return &VerifyError{Reason: ReasonStaple, Text: "the stapled OCSP response " + fmt.Sprintf(format, args...), Certificate: leaf, Subject: describe(leaf)}
	}
	r, err := ocsp.ParseResponse(der)
	if err != nil {
		return nil, bad("is not valid: %s", Printable(err.Error()))
	}
	if r.Status != ocsp.Successful {
		return nil, bad("is not valid: it is only an error, %v", r.Status)
	}
	single := r.Find(leaf, issuer)
	if single == nil {
		return nil, bad("is about another certificate")
	}
	if err := r.Verify(issuer, now); err != nil {
		return nil, bad("is not valid: %s", Printable(err.Error()))
	}
	s := &Staple{Revoked: single.Status == ocsp.Revoked, RevokedAt: single.RevokedAt, ThisUpdate: single.ThisUpdate, NextUpdate: single.NextUpdate}
	if s.NextUpdate.IsZero() {
		s.NextUpdate = s.ThisUpdate.Add(stapleLife)
	}
	switch {
	case single.Status == ocsp.Unknown:
		return nil, bad("says that the certificate is not known")
	case now.Add(stapleSkew).Before(s.ThisUpdate):
		return nil, bad("is from the future: %s", stamp(s.ThisUpdate))
	case now.After(s.NextUpdate):
		return nil, bad("is out of date since %s", stamp(s.NextUpdate))
	}
	return s, nil
}

// StapleDemanded reports whether the leaf of a chain, root last, has to come with an OCSP response: because it says so
// itself, or because a CA above it does.
//
// RFC 7633, Section 4.2.2: a certificate that is signed by a Certificate Signing Certificate with a TLS feature extension
// MUST offer the same features or more. That of a CA is thus about what it signs, down to the leaf, and not about a staple
// for the CA itself.
func StapleDemanded(chain []*x509.Certificate) bool { return slices.ContainsFunc(chain, MustStaple) }

// VerifyStaple judges the OCSP response that a server stapled to its leaf, DER or nil, by its verified chain, leaf first.
// The error is a *[VerifyError]: ReasonRevoked where a valid response says so, ReasonStaple where one is demanded and
// there is none that is valid (RFC 7633, Section 4.2.2: a client MAY end the connection then; we do). A response that is
// not valid and not demanded is as good as none: nil, nil.
func VerifyStaple(chain []*x509.Certificate, staple []byte, now time.Time) (*Staple, error) {
	return verifyStaple(chain, 0, staple, StapleDemanded(chain), now)
}

// VerifyStaples judges the OCSP responses that came with the certificates of a verified chain, leaf first and root last:
// each that is there for the certificate of its place, DER (RFC 8446, Section 4.4.2.1). It returns what the valid ones say,
// as many as there are certificates, nil for the others; nil: none says anything. Only the leaf's can be demanded. The error
// is a *[VerifyError] as of [VerifyStaple], with the Depth of the certificate that was revoked.
func VerifyStaples(chain []*x509.Certificate, staples [][]byte, demanded bool, now time.Time) ([]*Staple, error) {
	var said []*Staple
	for depth := range chain {
		var der []byte
		if depth < len(staples) {
			der = staples[depth]
		}
		s, err := verifyStaple(chain, depth, der, demanded && depth == 0, now)
		if err != nil {
			return nil, err
		}
		if s != nil && said == nil {
			said = make([]*Staple, len(chain))
		}
		if s != nil {
			said[depth] = s
		}
	}
	return said, nil
}

// verifyStaple judges the response for one certificate of a chain.
func verifyStaple(chain []*x509.Certificate, depth int, staple []byte, demanded bool, now time.Time) (*Staple, error) {
	c, issuer := chain[depth], chain[min(depth+1, len(chain)-1)]
	if len(staple) == 0 {
		if demanded {
			return nil, &VerifyError{Reason: ReasonStaple, Text: "the certificate demands a stapled OCSP response, and there is none",
				Certificate: c, Subject: describe(c), Hint: "the server must staple an OCSP response (RFC 7633)"}
		}
		return nil, nil
	}
	s, err := CheckStaple(staple, c, issuer, now)
	switch {
	case err != nil && demanded:
		return nil, err
	case err != nil:
		return nil, nil
	case s.Revoked:
		text := "the certificate was revoked at " + stamp(s.RevokedAt)
		if depth > 0 {
			text = fmt.Sprintf("the CA certificate %q was revoked at %s", describe(c), stamp(s.RevokedAt))
		}
		return nil, &VerifyError{Reason: ReasonRevoked, Text: text, Certificate: c, Subject: describe(c), Depth: depth}
	}
	return s, nil
}
