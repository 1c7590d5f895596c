package lint

var lintSubjectPresent = Lint{
	Name:        "subject_present",
	Severity:    Error,
	Requirement: "A CA has a subject; an end entity has a subject or an alternative name.",
	Section:     "RFC 5280, Section 4.1.2.6",
	check: func(c *certificate) []string {
		if len(c.subject) > 2 {
			return nil
		}
		if cas.Has(c.kind) {
			return complain("the subject of a CA is empty")
		}
		if _, ok := c.find(idSubjectAltName); !ok {
			return complain("there is neither a subject nor an alternative name")
		}
		return nil
	},
}
