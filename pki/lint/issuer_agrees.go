package lint

var lintIssuerAgrees = Lint{
	Name:        "issuer_agrees",
	Severity:    Error,
	Requirement: "The name of the issuer is, byte for byte, the subject of the certificate that signs.",
	Section:     "RFC 5280, Section 4.1.2.4",
	check: func(c *certificate) []string {
		if c.issuer != nil && string(c.issuer.RawSubject) != string(c.issuerName) {
			return complain("the name of the issuer is not the subject of the CA certificate")
		}
		return nil
	},
}
