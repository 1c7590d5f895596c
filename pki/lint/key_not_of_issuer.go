package lint

var lintKeyNotOfIssuer = Lint{
	Name:        "key_not_of_issuer",
	Severity:    Error,
	Requirement: "A key of an issuer is not certified under another name: identifiers of keys would lead in circles.",
	Section:     "RFC 5280, Section 4.2.1.1",
	check: func(c *certificate) []string {
		if c.issuer != nil && !c.selfIssued() && string(c.issuer.RawSubjectPublicKeyInfo) == string(c.spki) {
			return complain("the key is the issuer's own")
		}
		return nil
	},
}
