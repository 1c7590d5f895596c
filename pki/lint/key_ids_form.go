package lint

var lintKeyIdsForm = Lint{
	Name:        "key_ids_form",
	Severity:    Error,
	Requirement: "Key identifiers can be read, are not empty, and of the issuer both name and number are given or neither.",
	Section:     "RFC 5280, Section 4.2.1.1",
	check: func(c *certificate) []string {
		var wrong []string
		if e, ok := c.find(idSubjectKeyID); ok {
			if id, ok := octets(e.value); !ok || len(id) == 0 {
				wrong = append(wrong, "the subject key identifier cannot be read or is empty")
			}
		}
		if e, ok := c.find(idAuthorityKeyID); ok {
			if a, ok := readAuthorityKeyID(e.value); !ok || a.hasKey && len(a.key) == 0 || a.hasName != a.hasSerial {
				wrong = append(wrong, "the authority key identifier cannot be read")
			}
		}
		return wrong
	},
}
