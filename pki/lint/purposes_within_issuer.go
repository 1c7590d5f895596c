package lint

import (
	"crypto/x509"
	"slices"
)

var lintPurposesWithinIssuer = Lint{
	Name:        "purposes_within_issuer",
	Severity:    Error,
	Requirement: "A certificate below a CA that is limited to some purposes has no others: path validation takes the intersection.",
	Section:     "Mozilla Root Store Policy, Section 5.3",
	check: func(c *certificate) []string {
		if c.issuer == nil || len(c.issuer.ExtKeyUsage)+len(c.issuer.UnknownExtKeyUsage) == 0 || slices.Contains(c.issuer.ExtKeyUsage, x509.ExtKeyUsageAny) {
			return nil
		}
		var wrong []string
		list, _ := c.purposes()
		for _, p := range list {
			// Every CA may delegate its own OCSP answers.
			if p != purposeOCSP && !slices.Contains(issuerPurposes(c.issuer), p) {
				wrong = append(wrong, "the issuer is limited to other purposes than "+dotted(p))
			}
		}
		return wrong
	},
}

// issuerPurposes returns the purposes as content octets.
func issuerPurposes(c *x509.Certificate) []string {
	for _, e := range c.Extensions {
		if e.Id.String() == "2.5.29.37" {
			list, _ := (&certificate{extensions: []extension{{id: idExtKeyUsage, value: e.Value}}}).purposes()
			return list
		}
	}
	return nil
}
