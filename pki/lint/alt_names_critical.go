package lint

var lintAltNamesCritical = Lint{
	Name:        "alt_names_critical",
	Severity:    Error,
	Requirement: "Where the subject is empty, the alternative names are critical.",
	Section:     "RFC 5280, Section 4.2.1.6",
	check: func(c *certificate) []string {
		if e, ok := c.find(idSubjectAltName); ok && !e.critical && len(c.subject) <= 2 {
			return complain("the subject is empty, but the alternative names are not critical")
		}
		return nil
	},
}
