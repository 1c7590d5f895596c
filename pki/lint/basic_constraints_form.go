package lint

var lintBasicConstraintsForm = Lint{
	Name:        "basic_constraints_form",
	Severity:    Error,
	Requirement: "Basic constraints can be read, and do not write out that the subject is no CA.",
	Section:     "RFC 5280, Section 4.2.1.9",
	check: func(c *certificate) []string {
		bc, ok := c.basicConstraints()
		switch {
		case ok && !bc.readable:
			return complain("the basic constraints cannot be read")
		case bc.explicitFalse:
			return complain("the basic constraints write out the default, that the subject is no CA")
		}
		return nil
	},
}
