package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxAncestors bounds Issuer.Chain.
const maxAncestors = 10

// ancestors are the issuer and its own issuers, nearest first.
func (i Issuer) ancestors() []*x509.Certificate {
	return append([]*x509.Certificate{i.Certificate}, i.Chain...)
}

// checkIssuer refuses to sign with what is not a CA at this time.
func (i Issuer) checkIssuer(now time.Time) error {
	if i.Certificate == nil {
		return errors.New("the issuer lacks its certificate")
	}
	if i.Key != nil && !SameKey(i.Certificate.PublicKey, i.Key.Public()) {
		return refuse("give the key and the certificate of one CA", "the issuer's key does not belong to its certificate %q", describe(i.Certificate))
	}
	if len(i.Chain) > maxAncestors {
		return fmt.Errorf("%d CAs above the issuer, more than %d", len(i.Chain), maxAncestors)
	}
	for n, c := range i.ancestors() {
		switch {
		case c == nil:
			return errors.New("the issuer's chain has a gap")
		case n > 0 && string(i.ancestors()[n-1].RawIssuer) != string(c.RawSubject):
			return refuse("list the issuer's own issuers, nearest first", "%q did not issue %q", describe(c), describe(i.ancestors()[n-1]))
		case !c.BasicConstraintsValid || !c.IsCA:
			return refuse("sign with a root or an intermediate", "%q is not a CA certificate", describe(c))
		case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
			return refuse("sign with a CA whose key usage has keyCertSign", "%q may not sign certificates by its key usage", describe(c))
		case now.Before(c.NotBefore):
			return refuse("check the clock of this machine", "the issuer %q is not valid before %s", describe(c), stamp(c.NotBefore))
		case now.After(c.NotAfter):
			return refuse("renew the issuer first", "the issuer %q expired on %s", describe(c), stamp(c.NotAfter))
		case len(c.RawSubject) <= 2:
			return refuse("sign with a CA that has a name", "the issuer has an empty name")
		}
	}
	return nil
}

// fit cuts the default validity to the issuer's and refuses what the issuer, or
// one above it, may not have below it.
func (i Issuer) fit(t *x509.Certificate, req Request) error {
	if c := i.Certificate; t.NotBefore.Before(c.NotBefore) {
		if !req.NotBefore.IsZero() {
			return refuse("leave the start out, or take a later one", "validity would start on %s, before that of the issuer %q (%s)", stamp(t.NotBefore), describe(c), stamp(c.NotBefore))
		}
		t.NotBefore = c.NotBefore
	}
	below := 0 // CAs in the path between the ancestor and an end entity below the subject
	if t.IsCA {
		below = 1
	}
	for _, c := range i.ancestors() {
		if err := fitBelow(t, c, below, req.Lifetime != 0); err != nil {
			return err
		}
		// RFC 5280, Section 4.2.1.9: self-issued certificates do not count.
		if string(c.RawSubject) != string(c.RawIssuer) {
			below++
		}
	}
	if !t.NotAfter.After(t.NotBefore) {
		return refuse("renew the issuer first", "nothing is left of the issuer's validity (%s)", stamp(t.NotAfter))
	}
	if !t.IsCA && SameKey(t.PublicKey, i.Certificate.PublicKey) {
		return refuse("make a key of its own for the certificate", "the key to certify is the issuer's own key")
	}
	return nil
}

// fitBelow holds the template against one CA above it.
func fitBelow(t, c *x509.Certificate, below int, exact bool) error {
	if t.NotAfter.After(c.NotAfter) {
		if exact {
			days := int((c.NotAfter.Sub(t.NotBefore) + time.Second) / day)
			return refuse(fmt.Sprintf("ask for at most %d days or renew the issuer", days),
				"validity would end on %s, after that of the issuer %q (%s)", stamp(t.NotAfter), describe(c), stamp(c.NotAfter))
		}
		t.NotAfter = c.NotAfter
	}
	if c.MaxPathLen > 0 || c.MaxPathLenZero {
		switch {
		case below > c.MaxPathLen && t.IsCA:
			return refuse("issue it from a CA nearer to the root", "the path length of %q allows no further CA below it", describe(c))
		case below > c.MaxPathLen:
			return refuse("issue it from a CA nearer to the root", "the path length of %q is exceeded already by the CAs below it", describe(c))
		case t.IsCA && (t.MaxPathLen < 0 || t.MaxPathLen > c.MaxPathLen-below):
			return refuse(fmt.Sprintf("ask for a path length of %d", c.MaxPathLen-below), "a path length below %d is needed under %q", c.MaxPathLen-below+1, describe(c))
		}
	}
	return fitPurposes(t, c)
}

// fitPurposes refuses purposes that a CA limited to others cannot give: path
// validation takes the intersection, as is common practice beyond RFC 5280. OCSP
// signing is exempt (every CA may delegate its own answers).
func fitPurposes(t, c *x509.Certificate) error {
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return nil
	}
	for _, u := range t.ExtKeyUsage {
		if u != x509.ExtKeyUsageOCSPSigning && !slices.Contains(c.ExtKeyUsage, u) {
			return refuse("issue it from another CA", "%q is limited to other purposes than %s", describe(c), PurposeName(u))
		}
	}
	for _, u := range t.UnknownExtKeyUsage {
		if !slices.ContainsFunc(c.UnknownExtKeyUsage, u.Equal) {
			return refuse("issue it from another CA", "%q is limited to other purposes than %v", describe(c), u)
		}
	}
	return nil
}

// PurposeName names a purpose of extended key usage as RFC 5280, Section 4.2.1.12
// does: "serverAuth"; one it does not know by its number.
func PurposeName(u x509.ExtKeyUsage) string {
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
	if u > 0 && u <= x509.ExtKeyUsageMicrosoftKernelCodeSigning {
		return u.OID().String()
	}
	return fmt.Sprintf("purpose %d", u)
}

// checkNames refuses names that one of the CAs above does not allow: path
// validation would (RFC 5280, Section 6.1.3).
func (i Issuer) checkNames(c *x509.Certificate) error {
	for _, ca := range i.ancestors() {
		constraints, err := constraintsOf(ca)
		if err != nil {
			return refuse("renew the issuer", "the issuer %q: %v", describe(ca), err)
		}
		if constraints == nil {
			continue
		}
		constraints = widened(constraints)
		err = constraints.Check(c)
		if err == nil {
			err = constraints.Check(nameless(c))
		}
		if err != nil {
			return refuse("take a name within the constraints, or another CA", "%v, by the name constraints of %q", err, describe(ca))
		}
	}
	return nil
}

// widened excludes with a host of e-mail addresses or URIs what is below it, too.
// RFC 5280, Section 4.2.1.10 does not mean that, but crypto/x509 takes it so, and
// what is issued shall verify everywhere.
func widened(n *NameConstraints) *NameConstraints {
	w := *n
	below := func(list []string) []string {
		wide := slices.Clone(list)
		for _, host := range list {
			if host != "" && !strings.HasPrefix(host, ".") && !strings.Contains(host, "@") {
				wide = append(wide, "."+host)
			}
		}
		return wide
	}
	w.ExcludedEmail, w.ExcludedURI = below(n.ExcludedEmail), below(n.ExcludedURI)
	return &w
}

// constraintsOf reads the name constraints of a CA; nil: it has none.
func constraintsOf(ca *x509.Certificate) (*NameConstraints, error) {
	for _, e := range ca.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 30}) {
			return ParseNameConstraints(e.Value)
		}
	}
	return nil, nil
}

// nameless takes the common name of a leaf without DNS names for one where it has
// the form of one, as OpenSSL does when it applies constraints.
func nameless(c *x509.Certificate) *x509.Certificate {
	var t x509.Certificate
	if cn := c.Subject.CommonName; !c.IsCA && len(c.DNSNames) == 0 && strings.Contains(cn, ".") && checkDNS(cn, true) == "" {
		t.DNSNames = []string{cn}
	}
	return &t
}
