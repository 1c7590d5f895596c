package lint

var lintIssuerPresent = Lint{
	Name:        "issuer_present",
	Severity:    Error,
	Requirement: "The issuer has a name that is not empty.",
	Section:     "RFC 5280, Section 4.1.2.4",
	check: func(c *certificate) []string {
		if len(c.issuerName) <= 2 {
			return complain("the name of the issuer is empty")
		}
		return nil
	},
}
