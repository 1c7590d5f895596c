package lint

var lintMustStapleAnswers = Lint{
	Name:        "must_staple_answers",
	Severity:    Warning,
	Requirement: "Who must staple an OCSP answer needs an OCSP server to get it from.",
	Section:     "RFC 7633, Section 4.2.2",
	Kinds:       leaves,
	check: func(c *certificate) []string {
		if _, ok := c.find(idTLSFeature); !ok {
			return nil
		}
		if e, ok := c.find(idAuthorityInfo); ok {
			list, _ := readAccess(e.value)
			for _, a := range list {
				if a.method == idAccessOCSP {
					return nil
				}
			}
		}
		return complain("must-staple, but no OCSP server is named")
	},
}
