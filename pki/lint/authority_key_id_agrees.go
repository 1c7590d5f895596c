package lint

var lintAuthorityKeyIdAgrees = Lint{
	Name:        "authority_key_id_agrees",
	Severity:    Error,
	Requirement: "The authority key identifier is the subject key identifier of the issuer.",
	Section:     "RFC 5280, Section 4.2.1.1",
	check: func(c *certificate) []string {
		e, ok := c.find(idAuthorityKeyID)
		if !ok {
			return nil
		}
		a, ok := readAuthorityKeyID(e.value)
		own, _ := c.find(idSubjectKeyID)
		switch {
		case !ok || !a.hasKey:
		case c.issuer != nil && len(c.issuer.SubjectKeyId) > 0 && string(a.key) != string(c.issuer.SubjectKeyId):
			return complain("the authority key identifier is not that of the issuer's key")
		case c.kind == KindRoot && own != nil:
			if id, ok := octets(own.value); ok && string(id) != string(a.key) {
				return complain("a root whose authority key identifier is not its own")
			}
		}
		return nil
	},
}
