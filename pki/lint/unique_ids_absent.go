package lint

var lintUniqueIdsAbsent = Lint{
	Name:        "unique_ids_absent",
	Severity:    Error,
	Requirement: "The unique identifiers of version 2 are not written by CAs of today.",
	Section:     "RFC 5280, Section 4.1.2.8",
	check: func(c *certificate) []string {
		if c.uniqueIDs {
			return complain("there is a unique identifier of version 2")
		}
		return nil
	},
}
