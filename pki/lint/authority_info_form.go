package lint

var lintAuthorityInfoForm = Lint{
	Name:        "authority_info_form",
	Severity:    Error,
	Requirement: "Authority information access is a list, not empty, of what can be had where.",
	Section:     "RFC 5280, Section 4.2.2.1",
	check: func(c *certificate) []string {
		if e, ok := c.find(idAuthorityInfo); ok {
			if _, ok := readAccess(e.value); !ok {
				return complain("the authority information access cannot be read or is empty")
			}
		}
		return nil
	},
}
