package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
)

// pointNames are the names of a distribution point, relative ones made whole.
type pointNames struct {
	uris        []string
	directories [][]byte // Names, DER
	others      [][]byte // whole GeneralNames, DER
}

func namesOfPoint(uris []string, full [][]byte, relative, to []byte) pointNames {
	n := pointNames{uris: uris}
	for _, g := range full {
		if d, ok := crl.DirectoryName(g); ok {
			n.directories = append(n.directories, d)
		} else {
			n.others = append(n.others, g)
		}
	}
	if relative != nil && to != nil {
		n.directories = append(n.directories, below(to, relative))
	}
	return n
}

// below makes the Name of an entry below another from the content of the SET that comes last; nil if the other is no Name.
func below(parent, last []byte) []byte {
	in := cryptobyte.String(parent)
	var sets cryptobyte.String
	if !in.ReadASN1(&sets, cbasn1.SEQUENCE) || !in.Empty() {
		return nil
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(sets)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(last) })
	})
	return b.BytesOrPanic()
}

// directoryGeneralName makes a GeneralName of a Name.
func directoryGeneralName(name []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(name) })
	return b.BytesOrPanic()
}

// meets reports whether two points share a name.
func (n pointNames) meets(o pointNames) bool {
	for _, u := range n.uris {
		if slices.Contains(o.uris, u) {
			return true
		}
	}
	for _, a := range n.directories {
		if slices.ContainsFunc(o.directories, func(b []byte) bool { return cert.SameName(a, b) }) {
			return true
		}
	}
	for _, a := range n.others {
		if slices.ContainsFunc(o.others, func(b []byte) bool { return bytes.Equal(a, b) }) {
			return true
		}
	}
	return false
}

// pointsOf are the distribution points of a certificate in the order in which they are tried; the last one is not written
// there but goes for every certificate.
//
// RFC 5280, Section 6.3.3: assume a DP with both the reasons and the cRLIssuer fields omitted and a distribution point
// name of the certificate issuer.
func pointsOf(c *x509.Certificate) []crl.Point {
	var points []crl.Point
	for _, e := range c.Extensions {
		if e.Id.String() != cert.OIDCRLDistribution {
			continue
		}
		if found, err := crl.ParsePoints(e.Value); err == nil { // what cannot be read names no list
			points = append(points, found...)
		}
	}
	return append(points, crl.Point{FullNames: [][]byte{directoryGeneralName(c.RawIssuer)}})
}

// isOurs reports whether a list may be of a point's issuer (RFC 5280, Section 6.3.3 (b) (1)).
func (j *revocationJudge) isOurs(l *crl.List, c *x509.Certificate, p *crl.Point) bool {
	if !p.HasIssuer {
		return j.sameName(l.RawIssuer, c.RawIssuer)
	}
	return slices.ContainsFunc(p.Issuers, func(n []byte) bool { return j.sameName(n, l.RawIssuer) })
}

// sameName compares names, each brought into its form once; it is a step of the work.
func (j *revocationJudge) sameName(a, b []byte) bool {
	if !j.spend() {
		return false
	}
	return bytes.Equal(a, b) || j.comparable(a) == j.comparable(b)
}

func (j *revocationJudge) comparable(name []byte) string {
	form, ok := j.names[string(name)]
	if !ok {
		form = cert.ComparableName(name)
		j.names[string(name)] = form
	}
	return form
}

// outOfScope says why a list does not cover a certificate at a point; "" if it does (RFC 5280, Section 6.3.3 (b)). The
// list is one of the point's issuer.
func outOfScope(l *crl.List, c *x509.Certificate, p *crl.Point) string {
	idp := l.IDP
	if p.HasIssuer && (idp == nil || !idp.Indirect) {
		return "is not an indirect one, as the certificate of another issuer needs"
	}
	if idp == nil {
		return ""
	}
	if idp.Named() {
		issuer := c.RawIssuer
		if p.HasIssuer {
			issuer = nil
			if len(p.Issuers) == 1 { // RFC 5280, Section 4.2.1.13: a relative name needs exactly one
				issuer = p.Issuers[0]
			}
		}
		theirs := namesOfPoint(p.URIs, p.FullNames, p.RelativeName, issuer)
		if !p.Named() {
			theirs = pointNames{directories: p.Issuers}
		}
		if !namesOfPoint(idp.URIs, idp.FullNames, idp.RelativeName, l.RawIssuer).meets(theirs) {
			return "is for another distribution point"
		}
	}
	ca := c.BasicConstraintsValid && c.IsCA
	switch {
	case (idp.OnlyUser || idp.OnlyCA) && c.Version < 3:
		// RFC 5280, Section 5.2.5: then the scope of the CRL MUST NOT include any version 1 or version 2 certificates.
		return "does not speak of certificates of version 1 and 2"
	case idp.OnlyUser && ca:
		return "is for end entity certificates only"
	case idp.OnlyCA && !ca:
		return "is for CA certificates only"
	case idp.OnlyAttribute:
		return "is for attribute certificates only"
	}
	return ""
}

// deltaFits says why a delta cannot be put on a complete list; "" if it can (RFC 5280, Section 6.3.3 (c) and 5.2.4).
func deltaFits(d, l *crl.List) string {
	switch {
	case !cert.SameName(d.RawIssuer, l.RawIssuer):
		return "is from another issuer"
	case !bytes.Equal(d.RawIDP, l.RawIDP):
		return "has another scope than the complete CRL"
	case !bytes.Equal(d.RawAuthorityKeyID, l.RawAuthorityKeyID):
		return "names another key than the complete CRL"
	case l.Number == nil || d.Number == nil:
		return "cannot be put on a CRL without number"
	case l.Number.Cmp(d.Base) < 0:
		return fmt.Sprintf("builds on CRL number %v, and the complete CRL has number %v", d.Base, l.Number)
	case l.Number.Cmp(d.Number) >= 0:
		return "is not newer than the complete CRL"
	}
	return ""
}
