package lint

var lintBasicConstraintsCa = Lint{
	Name:        "basic_constraints_ca",
	Severity:    Error,
	Requirement: "What is meant to be a CA says so in its basic constraints, and what is not does not.",
	Section:     "RFC 5280, Section 4.2.1.9",
	check: func(c *certificate) []string {
		bc, _ := c.basicConstraints()
		switch {
		case cas.Has(c.kind) && !bc.ca:
			return complain("a CA without the basic constraints of one")
		case !cas.Has(c.kind) && bc.ca:
			return complain("an end entity with the basic constraints of a CA")
		}
		return nil
	},
}
