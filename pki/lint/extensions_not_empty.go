package lint

var lintExtensionsNotEmpty = Lint{
	Name:        "extensions_not_empty",
	Severity:    Error,
	Requirement: "A list of extensions holds at least one.",
	Section:     "RFC 5280, Section 4.1.2.9",
	check: func(c *certificate) []string {
		if c.hasExtensions && len(c.extensions) == 0 {
			return complain("the list of extensions is empty")
		}
		return nil
	},
}
