package lint

var lintSubjectOneCommonName = Lint{
	Name:        "subject_one_common_name",
	Severity:    Warning,
	Requirement: "A subject has at most one common name: programs differ in which one they show.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 7.1.4.3",
	check: func(c *certificate) []string {
		n := 0
		attributes, _ := c.subjectAttributes()
		for _, a := range attributes {
			if a.id == attributeCN {
				n++
			}
		}
		if n > 1 {
			return complain("the subject has %d common names", n)
		}
		return nil
	},
}
