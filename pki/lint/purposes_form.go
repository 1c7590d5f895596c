package lint

import "slices"

var lintPurposesForm = Lint{
	Name:        "purposes_form",
	Severity:    Error,
	Requirement: "Extended key usage lists at least one purpose, and none twice.",
	Section:     "RFC 5280, Section 4.2.1.12",
	check: func(c *certificate) []string {
		e, ok := c.find(idExtKeyUsage)
		if !ok {
			return nil
		}
		list, _ := c.purposes()
		if len(list) == 0 || string(e.value) != string(purposesDER(list)) {
			return complain("the extended key usage cannot be read or is empty")
		}
		for i, p := range list {
			if slices.Contains(list[:i], p) {
				return complain("the purpose %s is listed twice", dotted(p))
			}
		}
		return nil
	},
}
