package lint

var lintSignatureAlgorithmsAgree = Lint{
	Name:        "signature_algorithms_agree",
	Severity:    Error,
	Requirement: "The algorithm inside the signed part and the one outside are the same, parameters included.",
	Section:     "RFC 5280, Section 4.1.1.2",
	check: func(c *certificate) []string {
		if string(c.innerAlgorithm) != string(c.outerAlgorithm) {
			return complain("the signature algorithm inside the signed part is not the one outside")
		}
		return nil
	},
}
