package lint

var lintExtensionsUnique = Lint{
	Name:        "extensions_unique",
	Severity:    Error,
	Requirement: "No extension occurs twice.",
	Section:     "RFC 5280, Section 4.2",
	check: func(c *certificate) []string {
		var wrong []string
		for i, e := range c.extensions {
			for _, before := range c.extensions[:i] {
				if before.id == e.id {
					wrong = append(wrong, "the extension "+dotted(e.id)+" occurs twice")
					break
				}
			}
		}
		return wrong
	},
}
