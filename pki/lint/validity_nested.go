package lint

var lintValidityNested = Lint{
	Name:        "validity_nested",
	Severity:    Warning,
	Requirement: "A certificate that outlives its issuer ends with it all the same, and one that begins earlier is refused until then.",
	Section:     "RFC 5280, Section 6.1.3",
	check: func(c *certificate) []string {
		if c.issuer == nil {
			return nil
		}
		var wrong []string
		if c.notBefore.value.Before(c.issuer.NotBefore) {
			wrong = append(wrong, "validity begins before that of the issuer")
		}
		if c.notAfter.value.After(c.issuer.NotAfter) {
			wrong = append(wrong, "validity ends after that of the issuer")
		}
		return wrong
	},
}
