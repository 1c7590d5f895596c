package lint

var lintKeyUsageCritical = Lint{
	Name:        "key_usage_critical",
	Severity:    Warning,
	Requirement: "Key usage is critical.",
	Section:     "RFC 5280, Section 4.2.1.3",
	check: func(c *certificate) []string {
		if e, ok := c.find(idKeyUsage); ok && !e.critical {
			return complain("the key usage is not critical")
		}
		return nil
	},
}
