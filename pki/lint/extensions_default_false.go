package lint

var lintExtensionsDefaultFalse = Lint{
	Name:        "extensions_default_false",
	Severity:    Error,
	Requirement: "A default is not written out in DER: critical is there only where it is true.",
	Section:     "X.690, 11.5",
	check: func(c *certificate) []string {
		var wrong []string
		for _, e := range c.extensions {
			if e.explicit {
				wrong = append(wrong, "the extension "+dotted(e.id)+" writes out that it is not critical")
			}
		}
		return wrong
	},
}
