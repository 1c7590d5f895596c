package lint

var lintSubjectKeyIdCa = Lint{
	Name:        "subject_key_id_ca",
	Severity:    Error,
	Requirement: "A CA has a subject key identifier.",
	Section:     "RFC 5280, Section 4.2.1.2",
	Kinds:       cas,
	check: func(c *certificate) []string {
		if _, ok := c.find(idSubjectKeyID); !ok {
			return complain("a CA without subject key identifier")
		}
		return nil
	},
}
