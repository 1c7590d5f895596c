package lint

var lintAltNamesForm = Lint{
	Name:        "alt_names_form",
	Severity:    Error,
	Requirement: "The alternative names can be read and are at least one.",
	Section:     "RFC 5280, Section 4.2.1.6",
	check: func(c *certificate) []string {
		if _, ok := c.find(idSubjectAltName); !ok {
			return nil
		}
		names, err := c.altNames()
		switch {
		case err != nil:
			return complain("the alternative names: %v", err)
		case len(names) == 0:
			return complain("the list of alternative names is empty")
		}
		return nil
	},
}
