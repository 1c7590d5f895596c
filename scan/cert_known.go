package scan

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"sync"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// knownCert is a certificate as a server sent it, read once.
type knownCert struct {
	der    []byte
	sum    [sha256.Size]byte
	view   *cert.Certificate // nil: not a certificate at all
	parsed *x509.Certificate // nil: the library does not read it
	err    error             // why it does not
	facts  grade.Certificate
}

// Bounds on what is kept of a certificate in facts.
const (
	maxNamesKept = 300  // subject alternative names
	maxURLsKept  = 8    // of OCSP responders, CRLs and issuers each
	maxText      = 1000 // bytes of one text
)

// shortened makes a peer's text fit to show, and bounds it.
func shortened(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return pki.Printable(s)
}

// Describe gives what facts hold of a certificate, whatever it is: of what cannot be read, its fingerprint and why.
func Describe(der []byte) grade.Certificate { return newKnownCert(der).facts }

// newKnownCert reads a certificate, whatever it is.
func newKnownCert(der []byte) *knownCert {
	k := &knownCert{der: der, sum: sha256.Sum256(der)}
	k.view, k.err = cert.Parse(der)
	if k.err == nil {
		k.parsed, k.err = cert.ParseX509(der)
	}
	k.describe()
	return k
}

// describe fills the facts.
func (k *knownCert) describe() {
	f := &k.facts
	f.SHA256 = hex.EncodeToString(k.sum[:])
	f.DER = k.der
	if k.err != nil {
		f.Unreadable = shortened(k.err.Error(), maxText)
	}
	v := k.view
	if v == nil {
		return
	}
	f.Subject, f.Issuer = nameOf(v.RawSubject), nameOf(v.RawIssuer)
	f.Serial = serialOf(v.Serial)
	f.NotBefore, f.NotAfter = v.NotBefore, v.NotAfter
	pin := sha256.Sum256(v.RawSPKI)
	f.SPKI = "sha256/" + base64.StdEncoding.EncodeToString(pin[:])
	key := keyOf(v)
	f.Key, f.KeyBits, f.KeyStrength = key.name, key.bits, key.strength
	if key.exponent != nil {
		f.Exponent = key.exponent.String()
	}
	f.WeakKey = key.weakness()
	f.Signature = signatureOf(v)
	names, _ := v.AltNames() // an extension that cannot be read is a lint's business
	f.Names = namesOf(names)
	for _, n := range names.DNS {
		if len(n) > 2 && n[:2] == "*." && len(f.Wildcard) < maxNamesKept {
			f.Wildcard = append(f.Wildcard, shortened(n, maxText))
		}
	}
	k.describeExtensions()
	f.IsSelfSigned = k.isSelfSigned()
}

// describeExtensions fills what stands in extensions other than the names.
func (k *knownCert) describeExtensions() {
	f := &k.facts
	for _, e := range k.view.Extensions {
		switch e.ID() {
		case cert.OIDBasicConstraints:
			f.IsCA, _, _ = cert.ReadBasicConstraints(e.Value)
		case cert.OIDTLSFeature:
			features, err := cert.ReadFeatures(e.Value)
			f.MustStaple = err != nil // what cannot be read counts as a demand, as in pki.MustStaple
			for _, n := range features {
				f.MustStaple = f.MustStaple || n == statusRequestFeature
			}
		case cert.OIDAuthorityInfo:
			ways, _ := cert.ReadAccess(e.Value)
			for _, w := range ways {
				if w.Method == oidAccessOCSP && w.Location.Kind == cert.NameURI && len(f.OCSP) < maxURLsKept {
					f.OCSP = append(f.OCSP, shortened(w.Location.Text, maxText))
				}
			}
		case cert.OIDCRLDistribution:
			points, _ := cert.ReadDistributionPoints(e.Value)
			for _, p := range points {
				for _, n := range p.Names {
					if n.Kind == cert.NameURI && len(f.CRL) < maxURLsKept {
						f.CRL = append(f.CRL, shortened(n.Text, maxText))
					}
				}
			}
		case cert.OIDCertificatePolicy:
			policies, _ := cert.ReadPolicies(e.Value)
			for _, p := range policies {
				f.EV = f.EV || p.ID == oidPolicyEV
			}
		}
	}
}

const (
	statusRequestFeature = 5                    // RFC 7633, Section 6: the number of the TLS extension
	oidAccessOCSP        = "1.3.6.1.5.5.7.48.1" // id-ad-ocsp (RFC 5280, Section 4.2.2.1)
	oidPolicyEV          = "2.23.140.1.1"       // extended validation, by the CA/Browser Forum
)

// certificates remembers certificates that were read, across hosts: in a fleet the same intermediates come again and again.
// The zero value is ready. It holds two generations, so that what is used stays and what is not goes.
type certificates struct {
	mu       sync.Mutex
	new, old map[[sha256.Size]byte]*knownCert
}

// of reads a certificate, or remembers it. The bytes are copied.
func (c *certificates) of(der []byte) *knownCert {
	sum := sha256.Sum256(der)
	c.mu.Lock()
	k := c.new[sum]
	if k == nil {
		if k = c.old[sum]; k != nil {
			c.keep(k)
		}
	}
	c.mu.Unlock()
	if k != nil {
		return k
	}
	k = newKnownCert(bytes.Clone(der)) // what it is part of may be large
	if len(der) > maxCertKept {
		return k
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(k)
	return k
}

// keep puts a certificate into the new generation. The caller holds the lock.
func (c *certificates) keep(k *knownCert) {
	if c.new == nil || len(c.new) >= maxKnown {
		c.old, c.new = c.new, make(map[[sha256.Size]byte]*knownCert)
	}
	c.new[k.sum] = k
}
