package lint

var lintVersion3 = Lint{
	Name:        "version_3",
	Severity:    Error,
	Requirement: "A certificate with extensions is of version 3; so is every one that is issued today.",
	Section:     "RFC 5280, Section 4.1.2.1",
	check: func(c *certificate) []string {
		if c.version != 2 {
			return complain("the certificate is of version %d", c.version+1)
		}
		return nil
	},
}
