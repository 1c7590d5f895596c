package lint

var lintSubjectKeyIdLeaf = Lint{
	Name:        "subject_key_id_leaf",
	Severity:    Notice,
	Requirement: "An end entity should have a subject key identifier.",
	Section:     "RFC 5280, Section 4.2.1.2",
	Kinds:       leaves,
	check: func(c *certificate) []string {
		if _, ok := c.find(idSubjectKeyID); !ok {
			return complain("the subject key identifier is missing")
		}
		return nil
	},
}
