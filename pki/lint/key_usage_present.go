package lint

var lintKeyUsagePresent = Lint{
	Name:        "key_usage_present",
	Severity:    Error,
	Requirement: "A CA says what its key may do.",
	Section:     "RFC 5280, Section 4.2.1.3",
	Kinds:       cas,
	check: func(c *certificate) []string {
		if _, present, _ := c.keyUsage(); !present {
			return complain("a CA without key usage")
		}
		return nil
	},
}
