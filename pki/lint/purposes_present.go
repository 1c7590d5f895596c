package lint

var lintPurposesPresent = Lint{
	Name:        "purposes_present",
	Severity:    Warning,
	Requirement: "An end entity says what it is for by extended key usage.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 7.1.2.7.10",
	Kinds:       leaves,
	check: func(c *certificate) []string {
		if _, ok := c.find(idExtKeyUsage); !ok {
			return complain("the extended key usage is missing: the certificate can be used for anything")
		}
		return nil
	},
}
