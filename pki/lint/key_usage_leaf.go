package lint

var lintKeyUsageLeaf = Lint{
	Name:        "key_usage_leaf",
	Severity:    Notice,
	Requirement: "An end entity says what its key may do.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 7.1.2.7.11",
	Kinds:       leaves,
	check: func(c *certificate) []string {
		if _, present, _ := c.keyUsage(); !present {
			return complain("the key usage is missing")
		}
		return nil
	},
}
