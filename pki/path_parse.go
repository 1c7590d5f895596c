package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki/cert"
)

// parseForPath reads a certificate as crypto/x509 does, and two kinds besides that
// it does not take. Strange is true for these:
//   - a negative serial number, for which RFC 5280, Section 4.1.2.2 asks users to be
//     prepared,
//   - a CRL distribution point whose name is relative to the CRL issuer (RFC 5280,
//     Section 4.2.1.13).
//
// The library gets to see a copy with a positive number of the same length, or with
// the extension under an identifier that it does not know. Everything else stands
// where it stood, and signatures are checked over the true bytes.
func parseForPath(der []byte) (c *x509.Certificate, strange bool, err error) {
	if len(der) > cert.MaxSize {
		return nil, false, fmt.Errorf("the certificate has %d bytes, more than the limit of %d", len(der), cert.MaxSize)
	}
	c, err = cert.ParseX509(der)
	if err == nil {
		return c, false, nil
	}
	view, perr := cert.Parse(der)
	if perr != nil {
		return nil, false, err
	}
	patched := slices.Clone(der)
	if view.Serial[0]&0x80 != 0 {
		patched[offsetIn(der, view.Serial)] = 0x7f
	}
	for _, e := range view.Extensions {
		if e.OID.Equal(oidCRLDistributionPoints) && hasRelativeName(e.Value) {
			patched[offsetIn(der, e.RawOID)+len(e.RawOID)-1] = unknownExtension
		}
	}
	c, again := cert.ParseX509(patched)
	if again != nil {
		return nil, false, err
	}
	c.Raw, c.RawTBSCertificate = der, view.RawTBS
	serial := new(big.Int).SetBytes(view.Serial)
	if view.Serial[0]&0x80 != 0 {
		serial.Sub(serial, new(big.Int).Lsh(big.NewInt(1), uint(8*len(view.Serial))))
	}
	c.SerialNumber = serial
	for i, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, unknownExtension}) {
			c.Extensions[i].Id = slices.Clone(oidCRLDistributionPoints)
		}
	}
	c.UnhandledCriticalExtensions = slices.DeleteFunc(c.UnhandledCriticalExtensions, func(id asn1.ObjectIdentifier) bool {
		return id.Equal(asn1.ObjectIdentifier{2, 5, 29, unknownExtension})
	})
	return c, true, nil
}

var oidCRLDistributionPoints = asn1.ObjectIdentifier{2, 5, 29, 31}

// unknownExtension is the last arc of an extension under 2.5.29 that does not exist.
const unknownExtension = 127

// offsetIn tells where part, which borrows from in, begins: both share their end.
func offsetIn(in, part []byte) int { return cap(in) - cap(part) }

// hasRelativeName reports whether one of the distribution points has a name of the
// form nameRelativeToCRLIssuer.
func hasRelativeName(ext []byte) bool {
	in := cryptobyte.String(ext)
	var points cryptobyte.String
	if !in.ReadASN1(&points, cbasn1.SEQUENCE) || !in.Empty() {
		return false
	}
	for !points.Empty() {
		var point, name cryptobyte.String
		var present bool
		if !points.ReadASN1(&point, cbasn1.SEQUENCE) || !point.ReadOptionalASN1(&name, &present, cbasn1.Tag(0).Constructed().ContextSpecific()) {
			return false
		}
		if present && name.PeekASN1Tag(cbasn1.Tag(1).Constructed().ContextSpecific()) {
			return true
		}
	}
	return false
}

// unreadableCA is a certificate that only the tolerant view reads.
type unreadableCA struct {
	subject []byte
	err     error
}

// newVerification reads what Explain is given.
func newVerification(leaf []byte, o VerifyOptions) (*verification, *VerifyError) {
	if o.Time.IsZero() {
		return nil, &VerifyError{Reason: ReasonMisuse, Depth: -1, Text: "no time was given to judge the certificate for"}
	}
	total := len(leaf)
	for _, der := range o.Intermediates {
		total += len(der)
	}
	if n := 1 + len(o.Intermediates); n > MaxHeapLength || total > MaxHeapBytes {
		return nil, &VerifyError{Reason: ReasonLimit, Depth: -1,
			Text: fmt.Sprintf("%d certificates of %d bytes are more than the limits of %d and %d", n, total, MaxHeapLength, MaxHeapBytes)}
	}
	c, strange, err := parseForPath(leaf)
	if err != nil {
		return nil, unreadable(leaf, err)
	}
	v := &verification{options: o, leaf: c, strange: make(map[string]bool), names: make(map[*x509.Certificate]readNames), comparisons: maxComparisons}
	v.strange[string(c.Raw)] = strange
	for _, der := range o.Intermediates {
		i, strange, err := parseForPath(der)
		if err != nil {
			v.unread++
			if view, perr := cert.Parse(der); perr == nil {
				v.unreadable = append(v.unreadable, unreadableCA{view.RawSubject, err})
			}
			continue
		}
		v.strange[string(i.Raw)] = strange
		v.sent = append(v.sent, i)
	}
	if err := v.checkKeySizes(); err != nil {
		return nil, err.(*VerifyError)
	}
	v.roots = slices.Clone(o.Roots)
	v.discoverRoots()
	return v, nil
}

// discoverRoots finds the system roots that matter here. A pool does not tell what
// is in it; but asked about one certificate without any intermediates, the library
// answers with the root above it, or with the certificate if that is a root itself.
func (v *verification) discoverRoots() {
	if v.options.SystemRoots == nil {
		return
	}
	for _, c := range append([]*x509.Certificate{v.leaf}, v.sent...) {
		plain := *c
		plain.UnhandledCriticalExtensions = nil
		for _, when := range []time.Time{v.options.Time, c.NotAfter} { // a root that has expired is still worth naming
			chains, err := plain.Verify(x509.VerifyOptions{Roots: v.options.SystemRoots, CurrentTime: when,
				Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			if err != nil {
				continue
			}
			for _, chain := range chains {
				v.roots = append(v.roots, chain[len(chain)-1])
			}
			break
		}
	}
}

// isRoot reports whether a certificate is among the trusted ones.
func (v *verification) isRoot(c *x509.Certificate) bool {
	return slices.ContainsFunc(v.roots, func(r *x509.Certificate) bool { return bytes.Equal(r.Raw, c.Raw) })
}
