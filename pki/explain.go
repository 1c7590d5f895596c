package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/pki/cert"
)

// maxNamesShown keeps a certificate with a thousand names from filling a screen.
const maxNamesShown = 5

// explainDate says what is wrong with a certificate's dates, nil if nothing.
func (v *verification) explainDate(c *x509.Certificate, err error) *VerifyError {
	now := v.options.Time
	switch {
	case now.Before(c.NotBefore):
		return v.fault(ReasonNotYetValid, c, err, "check the clocks of both machines",
			"is not valid before %s (in %s)", stamp(c.NotBefore), distance(c.NotBefore.Sub(now)))
	case now.After(c.NotAfter):
		return v.fault(ReasonExpired, c, err, "renew it, and check the clock of this machine if that date is not past",
			"expired on %s (%s ago)", c.NotAfter.UTC().Format("2006-01-02"), distance(now.Sub(c.NotAfter)))
	}
	return nil
}

func (v *verification) explainName(err error) *VerifyError {
	want := Printable(v.options.ServerName)
	names := certificateNames(v.leaf)
	if len(names) == 0 {
		if cn := v.leaf.Subject.CommonName; cn != "" {
			// RFC 9525, Section 2: the common name is not a name to match against.
			return v.fault(ReasonNameMismatch, v.leaf, err, "issue it again with the name as a subject alternative name",
				"has no subject alternative names, so it is not valid for %s (its common name \"%s\" does not count)", want, Printable(cn))
		}
		return v.fault(ReasonNameMismatch, v.leaf, err, "issue it again with a subject alternative name",
			"names no host at all, so it is not valid for %s", want)
	}
	more := ""
	if len(names) > maxNamesShown {
		more = fmt.Sprintf(" and %d more names", len(names)-maxNamesShown)
		names = names[:maxNamesShown]
	}
	for i, n := range names {
		names[i] = Printable(n)
	}
	return v.fault(ReasonNameMismatch, v.leaf, err, "connect by a name of the certificate, or give that name with --servername",
		"is valid for %s%s, not %s", strings.Join(names, ", "), more, want)
}

func (v *verification) explainInvalid(invalid x509.CertificateInvalidError, err error) *VerifyError {
	c := invalid.Cert
	if c == nil {
		c = v.leaf
	}
	switch invalid.Reason {
	case x509.Expired:
		if e := v.explainDate(c, err); e != nil {
			return e
		}
	case x509.NotAuthorizedToSign:
		return v.fault(ReasonConstraint, c, err, "", "is not a CA certificate, so what it signed counts for nothing")
	case x509.TooManyIntermediates:
		return v.fault(ReasonConstraint, c, err, "", "allows at most %d CAs below it, and the chain has more", c.MaxPathLen)
	case x509.IncompatibleUsage, x509.CANotAuthorizedForExtKeyUsage:
		return v.explainUsage(err)
	case x509.CANotAuthorizedForThisName, x509.NameConstraintsWithoutSANs, x509.UnconstrainedName:
		return v.fault(ReasonConstraint, c, err, "", "carries a name that a CA above it may not certify: %s", Printable(invalid.Detail))
	case x509.TooManyConstraints:
		return v.fault(ReasonLimit, c, err, "", "needs too many name constraint checks")
	case x509.NoValidChains:
		return v.fault(ReasonConstraint, c, err, "", "has no valid chain: %s", Printable(invalid.Detail))
	}
	return v.fault(ReasonConstraint, c, err, "", "was refused: %s", Printable(err.Error()))
}

// explainUsage finds who in the chain does not allow the usage.
func (v *verification) explainUsage(err error) *VerifyError {
	wanted, purpose, hint := v.options.Usage.extended(), v.options.Usage.purpose(), v.options.Usage.profileHint()
	for _, c := range append([]*x509.Certificate{v.leaf}, v.sent...) {
		listed := len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0
		if !listed || slices.Contains(c.ExtKeyUsage, wanted) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) {
			continue
		}
		return v.fault(ReasonUsage, c, err, hint,
			"may be used for %s only, not %s (%v)", usageNames(c), purpose, v.options.Usage)
	}
	return v.fault(ReasonUsage, v.leaf, err, "", "may not be used %s (%v): a CA above it forbids it", purpose, v.options.Usage)
}

// purpose says in words what a leaf of this usage is for.
func (u Usage) purpose() string {
	switch u {
	case UsageClient:
		return "to prove a client"
	case UsageCode:
		return "to sign code"
	case UsageEmail:
		return "to protect e-mail"
	case UsageTime:
		return "to stamp times"
	case UsageOCSP:
		return "to sign OCSP responses"
	}
	return "to prove a server"
}

func (u Usage) profileHint() string {
	switch u {
	case UsageServer:
		return "issue one of profile server or peer"
	case UsageClient:
		return "issue one of profile client or peer"
	}
	return "issue one whose extended key usage has " + u.String()
}

func usageNames(c *x509.Certificate) string {
	var names []string
	for _, u := range c.ExtKeyUsage {
		names = append(names, extKeyUsageName(u))
	}
	for _, oid := range c.UnknownExtKeyUsage {
		names = append(names, oid.String())
	}
	return strings.Join(names, ", ")
}

// extKeyUsageName gives the names of RFC 5280, Section 4.2.1.12.
func extKeyUsageName(u x509.ExtKeyUsage) string {
	switch u {
	case x509.ExtKeyUsageAny:
		return "anyExtendedKeyUsage"
	case x509.ExtKeyUsageServerAuth:
		return "serverAuth"
	case x509.ExtKeyUsageClientAuth:
		return "clientAuth"
	case x509.ExtKeyUsageCodeSigning:
		return "codeSigning"
	case x509.ExtKeyUsageEmailProtection:
		return "emailProtection"
	case x509.ExtKeyUsageTimeStamping:
		return "timeStamping"
	case x509.ExtKeyUsageOCSPSigning:
		return "OCSPSigning"
	}
	return fmt.Sprintf("usage %d", int(u))
}

// explainUnknown walks up from the leaf as the library did and tells at which
// step no issuer was found, or which issuer was refused for what.
func (v *verification) explainUnknown(err error) *VerifyError {
	known := append(slices.Clone(v.sent), v.options.Roots...)
	cur := v.leaf
	for range MaxChainLength {
		if bytes.Equal(cur.RawIssuer, cur.RawSubject) {
			return v.explainSelfSigned(cur, err)
		}
		var next *x509.Certificate
		var refused *VerifyError
		for _, p := range known {
			if !bytes.Equal(p.RawSubject, cur.RawIssuer) || bytes.Equal(p.Raw, cur.Raw) {
				continue
			}
			switch e := v.refusal(cur, p, err); {
			case e == nil:
				next = p
			case refused == nil || refused.Reason == ReasonUnknownAuthority:
				refused = e
			}
			if next != nil {
				break
			}
		}
		switch {
		case next == nil && refused != nil:
			return refused
		case next == nil:
			return v.explainMissing(cur, err)
		}
		cur = next
	}
	return v.explainMissing(v.leaf, err)
}

// explainMissing is the case of an issuer nobody presented.
func (v *verification) explainMissing(c *x509.Certificate, err error) *VerifyError {
	e := v.fault(ReasonUnknownAuthority, c, err, v.trustHint(), "is signed by unknown authority \"%s\"", issuerName(c))
	if len(v.sent) == 0 && len(v.options.Roots) > 0 {
		e.Hint += "; if that is an intermediate, the peer must send it after its own certificate"
	}
	if v.unread > 0 {
		e.Text += fmt.Sprintf(" (%d further certificates the peer sent cannot be read)", v.unread)
	}
	return e
}

func (v *verification) explainSelfSigned(c *x509.Certificate, err error) *VerifyError {
	if bytes.Equal(c.Raw, v.leaf.Raw) {
		return v.fault(ReasonUnknownAuthority, c, err, v.trustHint(), "is self-signed and not among the trusted roots")
	}
	return v.fault(ReasonUnknownAuthority, c, err, v.trustHint(), "is the self-signed end of the chain and not among the trusted roots: unknown authority \"%s\"", describe(c))
}

func (v *verification) trustHint() string {
	if v.options.Usage == UsageClient {
		return "pass its root with --client-ca"
	}
	return "pass its root with --ca"
}

// refusal says why parent, which has the right name, does not stand behind
// child; nil: as far as signature, dates and constraints go it does.
func (v *verification) refusal(child, parent *x509.Certificate, err error) *VerifyError {
	if serr := cert.CheckSignatureFrom(child, parent); serr != nil {
		return v.explainSignature(child, parent, serr, err)
	}
	if e := v.explainDate(parent, err); e != nil {
		return e
	}
	if !parent.BasicConstraintsValid || !parent.IsCA {
		return v.fault(ReasonConstraint, parent, err, "", "is not a CA certificate, so what it signed counts for nothing")
	}
	return nil
}

// explainSignature tells a broken signature from another CA of the same name and
// from signatures that are not even tried.
func (v *verification) explainSignature(child, parent *x509.Certificate, serr, err error) *VerifyError {
	var constraint x509.ConstraintViolationError
	var insecure x509.InsecureAlgorithmError
	switch {
	case errors.As(serr, &constraint) && !parent.IsCA:
		return v.fault(ReasonConstraint, parent, err, "", "is not a CA certificate, so what it signed counts for nothing")
	case errors.As(serr, &constraint):
		return v.fault(ReasonConstraint, parent, err, "", "signed another one, but may not sign certificates")
	case errors.As(serr, &insecure):
		return v.fault(ReasonSignature, child, err, "have it issued again with SHA-256", "is signed with %v, which can be forged", cert.AlgorithmName(child.SignatureAlgorithm))
	case errors.Is(serr, x509.ErrUnsupportedAlgorithm):
		return v.fault(ReasonSignature, child, err, "", "has a signature by \"%s\" that cannot be checked (%v)", describe(parent), cert.AlgorithmName(child.SignatureAlgorithm))
	}
	if a, s := child.AuthorityKeyId, parent.SubjectKeyId; len(a) > 0 && len(s) > 0 && !bytes.Equal(a, s) {
		if v.strange != nil && !v.isRoot(parent) { // Explain, which knows all roots
			return v.fault(ReasonSignature, child, err, "give the certificate of the CA that signed it", "was not signed by the \"%s\" that is given: that CA has another key", describe(parent))
		}
		return v.fault(ReasonUnknownAuthority, child, err, "was the CA made anew? "+v.trustHint(),
			"is signed by unknown authority \"%s\": a trusted CA has this name, but another key", issuerName(child))
	}
	return v.fault(ReasonSignature, child, err, "", "has a signature that was not made by \"%s\"", describe(parent))
}
