package lint

var lintBasicConstraintsCritical = Lint{
	Name:        "basic_constraints_critical",
	Severity:    Error,
	Requirement: "The basic constraints of a CA are critical.",
	Section:     "RFC 5280, Section 4.2.1.9",
	Kinds:       cas,
	check: func(c *certificate) []string {
		if bc, ok := c.basicConstraints(); ok && bc.ca && !bc.critical {
			return complain("the basic constraints are not critical")
		}
		return nil
	},
}
