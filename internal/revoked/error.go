package revoked

import (
	"crypto/x509"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// Error is a refusal: a certificate of the chain is revoked, or whether it is had to be known and cannot be found out. All
// strings have passed [pki.Printable].
type Error struct {
	pki.VerifyError
	// Result is what is known about the certificate: whether it is revoked, since when, why and who says so, and what
	// every source said.
	Result pki.RevocationResult
}

// Revoked tells a certificate that was revoked from one whose status is not known.
func (e *Error) Revoked() bool { return e.Result.Status == pki.RevocationRevoked }

// Alert is the alert that goes with the refusal (RFC 8446, Section 6.2): certificate_revoked, or certificate_unknown for
// "some other issue".
func (e *Error) Alert() wire.AlertCode {
	if e.Revoked() {
		return wire.AlertCertificateRevoked
	}
	return wire.AlertCertificateUnknown
}

// Unwrap gives the refusal as a verdict about the chain.
func (e *Error) Unwrap() error { return &e.VerifyError }

// refusal makes an Error of a result that is to be refused.
func refusal(c *x509.Certificate, r pki.RevocationResult) *Error {
	e := &Error{Result: r}
	e.Depth, e.Certificate, e.Subject = r.Depth, c, r.Subject
	if e.Revoked() {
		e.Reason, e.Text, e.Hint = pki.ReasonRevoked, r.Subject+" "+r.Text, "its owner needs a new certificate"
		return e
	}
	e.Reason, e.Text = pki.ReasonStatus, r.Subject+": "+r.Text
	e.Hint = "see to it that the CA's CRL or OCSP responder can be reached, name a current CRL, or let unknown ones in (soft)"
	return e
}
