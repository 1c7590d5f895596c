package lint

var lintPurposesAny = Lint{
	Name:        "purposes_any",
	Severity:    Warning,
	Requirement: "An end entity is not for anyExtendedKeyUsage.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 7.1.2.7.10",
	Kinds:       leaves,
	check: func(c *certificate) []string {
		if c.has(purposeAny) {
			return complain("the certificate can be used for anything (anyExtendedKeyUsage)")
		}
		return nil
	},
}
