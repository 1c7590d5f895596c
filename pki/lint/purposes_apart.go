package lint

var lintPurposesApart = Lint{
	Name:        "purposes_apart",
	Severity:    Warning,
	Requirement: "Servers do not sign programs, OCSP answers or times with the same key.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 7.1.2.7.10",
	Kinds:       leaves,
	check: func(c *certificate) []string {
		var wrong []string
		for _, p := range []struct{ id, name string }{{purposeCode, "codeSigning"}, {purposeOCSP, "OCSPSigning"}, {purposeTime, "timeStamping"}} {
			if c.has(purposeServer) && c.has(p.id) {
				wrong = append(wrong, "serverAuth together with "+p.name)
			}
		}
		return wrong
	},
}
