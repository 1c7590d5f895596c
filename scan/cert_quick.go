package scan

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// anchor is a CA below which many leaves of a fleet stand, verified once for all of them.
type anchor struct {
	verdicts []grade.StoreTrust
	path     []*x509.Certificate // from the CA up to a root
}

// anchorKey names a CA with what was sent beside it, for one minute.
func anchorKey(certs []*knownCert, now time.Time) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte(now.UTC().Format("200601021504")))
	for _, k := range certs {
		h.Write(k.sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// trustQuickly judges a leaf in two steps, both of them the library's: its issuer up to the root, once for the whole fleet, and
// the leaf below its issuer. It is for quick scans, where the signatures of the CAs would cost more than all else. It gives
// up, with false, wherever a CA has a say in what stands below its issuer, and wherever the leaf is not trusted: then
// all is done as usual.
func (j *judge) trustQuickly(q *chainQuestion, c *judgedChain) bool {
	if len(c.certs) < 2 || len(j.stores) == 0 {
		return false
	}
	leaf, issuer := c.certs[0], c.certs[1]
	if leaf.parsed == nil || !isPlain(leaf.parsed) || issuer.parsed == nil || !issuer.parsed.IsCA || !bytes.Equal(leaf.parsed.RawIssuer, issuer.parsed.RawSubject) {
		return false
	}
	key := anchorKey(c.certs[1:], q.now)
	a, ok := j.anchors.recall(key)
	if !ok {
		a = j.anchorOf(q, c)
		j.anchors.remember(key, a)
	}
	if a == nil {
		return false
	}
	if _, err := pki.Verify(leaf.der, pki.VerifyOptions{Roots: []*x509.Certificate{issuer.parsed}, Time: q.now}); err != nil {
		return false
	}
	f := &c.facts
	f.Trust = a.verdicts
	f.Trusted, f.Complete = grade.Yes, grade.Yes
	c.path = append([]*x509.Certificate{leaf.parsed}, a.path...)
	for _, p := range c.path {
		f.Path = append(f.Path, pki.Fingerprint(p.Raw))
	}
	c.order(c.path)
	f.Checks = quickChecks(f, pki.Printable(q.name))
	return true
}

// isPlain reports whether a leaf is one that nothing but its signature, dates and purposes can be held against. The library
// does not look at the rest.
func isPlain(c *x509.Certificate) bool {
	const useful = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	switch c.PublicKeyAlgorithm {
	case x509.RSA, x509.ECDSA, x509.Ed25519:
		return !c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&useful != 0)
	}
	return false
}

// anchorOf verifies the issuer of a leaf; nil: no store trusts it, or a CA above it has a say in what stands below.
func (j *judge) anchorOf(q *chainQuestion, c *judgedChain) *anchor {
	issuer := &judgedChain{certs: c.certs[1:]}
	var heap [][]byte
	for _, k := range c.certs[2:] {
		heap = append(heap, k.der)
	}
	a := new(anchor)
	for i := range j.stores {
		v := j.verifyCA(q, issuer, &j.stores[i], heap)
		trust := grade.StoreTrust{Store: v.store.Name, Own: v.store.Own, Trusted: v.trusted && v.found.Trusted}
		if !trust.Trusted {
			trust.Reason = v.reason()
		} else if a.path == nil {
			a.path = v.found.Path
		}
		a.verdicts = append(a.verdicts, trust)
	}
	if a.path == nil {
		return nil
	}
	for below, ca := range a.path {
		if below > 0 && rules(ca, below) {
			return nil
		}
	}
	return a
}

// rules reports whether a CA limits what stands below the CAs that are below it, other than by being valid.
func rules(ca *x509.Certificate, below int) bool {
	if ca.MaxPathLen >= 0 && ca.MaxPathLen < below && (ca.MaxPathLen > 0 || ca.MaxPathLenZero) {
		return true
	}
	for _, e := range ca.Extensions {
		switch e.Id.String() {
		case cert.OIDNameConstraints, cert.OIDExtendedKeyUsage, "2.5.29.36", "2.5.29.54", "2.5.29.33": // policy constraints, inhibitAnyPolicy, policy mappings
			return true
		}
	}
	return false
}

// quickChecks are the rows of a leaf that is trusted.
func quickChecks(f *grade.Chain, name string) []grade.CertCheck {
	passed := func(check pki.Check, text string) grade.CertCheck {
		return grade.CertCheck{Check: check.String(), Outcome: pki.Passed.String(), Text: text, Depth: -1}
	}
	checks := []grade.CertCheck{
		passed(pki.CheckSignatures, "all signatures were made by the key of the certificate above"),
		passed(pki.CheckRoot, "the path ends at a trusted root"),
		passed(pki.CheckDates, "all are valid at this time"),
		{Check: pki.CheckRevocation.String(), Outcome: pki.NotAsked.String(), Depth: -1, Text: "a quick look does not ask"},
	}
	if f.NameMatches == grade.Yes {
		checks = append(checks, passed(pki.CheckName, "the certificate is valid for "+name))
	} else {
		checks = append(checks, failedCheck(pki.CheckName, pki.ReasonNameMismatch.String(), "the certificate is not valid for "+name))
	}
	return append(checks, passed(pki.CheckUsage, "the certificate may be used to prove a server"), passed(pki.CheckConstraints, "no CA of the path limits it"))
}
