package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
)

// Reason is why a chain is not trusted.
type Reason uint8

// The reasons.
const (
	ReasonMisuse           Reason = iota // the caller's fault: no time given
	ReasonUnknownAuthority               // no path to a trusted root
	ReasonExpired
	ReasonNotYetValid
	ReasonNameMismatch // the leaf is for other names
	ReasonUsage        // the leaf or a CA above it may not be used for this
	ReasonConstraint   // basic constraints, path length, name constraints, policies, critical extensions
	ReasonMalformed    // the leaf cannot be read
	ReasonSignature    // a signature in the chain is wrong or cannot be checked
	ReasonLimit        // the chain is larger than we are willing to look at
	ReasonStaple       // the OCSP response beside the leaf is missing although it must be there, or wrong
	ReasonRevoked      // a valid OCSP response or CRL says so
	ReasonStatus       // whether it is revoked had to be known, and nothing that counts says so
	ReasonPin          // none of the pinned keys and certificates is in the chain
)

// String names the reason in one or two words.
func (r Reason) String() string {
	names := [...]string{"misuse", "unknown authority", "expired", "not yet valid", "name mismatch", "wrong usage",
		"constraint", "malformed", "bad signature", "limit", "staple", "revoked", "unknown status", "pin"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// VerifyError is a refusal in words that can be shown as they are: all strings
// have passed [Printable].
type VerifyError struct {
	Reason Reason
	Text   string // one sentence, lower case, no full stop
	Hint   string // what to do about it; may be ""
	// Subject names the certificate at fault, Certificate is it (nil if it cannot be
	// read) and Depth its place: 0 the leaf, 1 its issuer and so on; -1: none.
	Subject     string
	Certificate *x509.Certificate
	Depth       int
	Err         error // what the library said; nil if it was not asked
}

// Error implements error.
func (e *VerifyError) Error() string { return e.Text }

// Unwrap gives the library's error.
func (e *VerifyError) Unwrap() error { return e.Err }

// fault builds an error about one certificate: "the certificate …" for the leaf,
// `the CA certificate "CN=…" …` for others.
func (v *verification) fault(r Reason, c *x509.Certificate, err error, hint, format string, args ...any) *VerifyError {
	e := &VerifyError{Reason: r, Certificate: c, Subject: describe(c), Err: err, Hint: hint}
	if !bytes.Equal(c.Raw, v.leaf.Raw) {
		e.Depth = 1
		for i, s := range v.sent {
			if bytes.Equal(s.Raw, c.Raw) {
				e.Depth = i + 1
			}
		}
	}
	e.Text = v.who(c) + " " + fmt.Sprintf(format, args...)
	return e
}

// who begins a sentence about a certificate.
func (v *verification) who(c *x509.Certificate) string {
	switch {
	case bytes.Equal(c.Raw, v.leaf.Raw):
		return "the certificate"
	case c.IsCA:
		return fmt.Sprintf("the CA certificate \"%s\"", describe(c))
	}
	return fmt.Sprintf("the issuing certificate \"%s\"", describe(c))
}

// unreadable explains a leaf that crypto/x509 does not parse; the tolerant view
// may know more.
func unreadable(leaf []byte, err error) *VerifyError {
	e := &VerifyError{Reason: ReasonMalformed, Err: err, Text: "the certificate cannot be read: " + Printable(err.Error())}
	if c, perr := cert.Parse(leaf); perr == nil {
		if len(c.Defects) > 0 {
			e.Text += " (" + Printable(c.Defects[0]) + ")"
		} else if c.KeyError != nil {
			e.Text += " (" + Printable(c.KeyError.Error()) + ")"
		}
	}
	return e
}

// stamp writes a time for people: date and minute, UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// distance says how long d is, in the largest unit that is not too coarse: "19
// days".
func distance(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	for _, u := range []struct {
		size time.Duration
		from time.Duration
		name string
	}{{365 * day, 730 * day, "year"}, {day, 2 * day, "day"}, {time.Hour, 2 * time.Hour, "hour"}, {time.Minute, 2 * time.Minute, "minute"}} {
		if d >= u.from {
			return fmt.Sprintf("%d %ss", d/u.size, u.name)
		}
	}
	if n := d / time.Second; n != 1 {
		return fmt.Sprintf("%d seconds", n)
	}
	return "1 second"
}
