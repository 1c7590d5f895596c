package lint

var lintNameConstraintsPlace = Lint{
	Name:        "name_constraints_place",
	Severity:    Error,
	Requirement: "Name constraints are found in CA certificates only, and are critical.",
	Section:     "RFC 5280, Section 4.2.1.10",
	check: func(c *certificate) []string {
		e, ok := c.find(idNameConstraints)
		switch {
		case !ok:
		case !cas.Has(c.kind):
			return complain("name constraints in the certificate of an end entity")
		case !e.critical:
			return complain("the name constraints are not critical: who does not know them ignores them")
		}
		return nil
	},
}
