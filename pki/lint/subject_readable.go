package lint

var lintSubjectReadable = Lint{
	Name:        "subject_readable",
	Severity:    Error,
	Requirement: "A distinguished name is a list of sets, none of them empty, of attributes with a type and a value.",
	Section:     "RFC 5280, Section 4.1.2.4",
	check: func(c *certificate) []string {
		if _, err := c.subjectAttributes(); err != nil {
			return complain("the subject cannot be read: %v", err)
		}
		if _, err := readName(c.issuerName); err != nil {
			return complain("the name of the issuer cannot be read: %v", err)
		}
		return nil
	},
}
