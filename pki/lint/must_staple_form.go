package lint

var lintMustStapleForm = Lint{
	Name:        "must_staple_form",
	Severity:    Error,
	Requirement: "The TLS feature extension is a list of numbers, not empty, and not critical.",
	Section:     "RFC 7633, Section 4",
	check: func(c *certificate) []string {
		e, ok := c.find(idTLSFeature)
		if !ok {
			return nil
		}
		s, ok := sequence(e.value)
		if !ok || s.Empty() {
			return complain("the TLS features cannot be read or are empty")
		}
		for !s.Empty() {
			var n int64
			if !s.ReadASN1Integer(&n) || n < 0 || n > 65535 {
				return complain("the TLS features cannot be read")
			}
		}
		if e.critical {
			return complain("the TLS features are critical: programs that do not know them refuse the certificate")
		}
		return nil
	},
}
