package lint

var lintAltNamesNotCritical = Lint{
	Name:        "alt_names_not_critical",
	Severity:    Warning,
	Requirement: "Where there is a subject, the alternative names should not be critical.",
	Section:     "RFC 5280, Section 4.2.1.6",
	check: func(c *certificate) []string {
		if e, ok := c.find(idSubjectAltName); ok && e.critical && len(c.subject) > 2 {
			return complain("the alternative names are critical beside a subject")
		}
		return nil
	},
}
