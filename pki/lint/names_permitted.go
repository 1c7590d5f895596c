package lint

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/tlswright/tlswright/pki"
)

var lintNamesPermitted = Lint{
	Name:        "names_permitted",
	Severity:    Error,
	Requirement: "All names lie within the name constraints of the issuer.",
	Section:     "RFC 5280, Section 6.1.3",
	check: func(c *certificate) []string {
		if c.issuer == nil {
			return nil
		}
		for _, e := range c.issuer.Extensions {
			if !e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 30}) {
				continue
			}
			constraints, err := pki.ParseNameConstraints(e.Value)
			if err != nil {
				return nil // the issuer's fault
			}
			names := &x509.Certificate{RawSubject: c.subject}
			if san, ok := c.find(idSubjectAltName); ok {
				names.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: san.value}}
			}
			if err := constraints.Check(names); err != nil {
				return complain("%v, by the issuer's name constraints", err)
			}
		}
		return nil
	},
}
