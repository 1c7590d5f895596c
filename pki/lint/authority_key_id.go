package lint

var lintAuthorityKeyId = Lint{
	Name:        "authority_key_id",
	Severity:    Error,
	Requirement: "A certificate that does not sign itself names the key of its issuer.",
	Section:     "RFC 5280, Section 4.2.1.1",
	Kinds:       leaves | 1<<KindIntermediate,
	check: func(c *certificate) []string {
		if c.selfIssued() {
			return nil
		}
		e, ok := c.find(idAuthorityKeyID)
		if !ok {
			return complain("the authority key identifier is missing")
		}
		if a, ok := readAuthorityKeyID(e.value); ok && !a.hasKey {
			return complain("the authority key identifier does not name the key")
		}
		return nil
	},
}
