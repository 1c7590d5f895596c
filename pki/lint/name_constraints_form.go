package lint

import "github.com/tlswright/tlswright/pki"

var lintNameConstraintsForm = Lint{
	Name:        "name_constraints_form",
	Severity:    Error,
	Requirement: "Name constraints can be read, are not empty, have no distances and no masks with holes.",
	Section:     "RFC 5280, Section 4.2.1.10",
	check: func(c *certificate) []string {
		if e, ok := c.find(idNameConstraints); ok {
			if _, err := pki.ParseNameConstraints(e.value); err != nil {
				return complain("%v", err)
			}
		}
		return nil
	},
}
