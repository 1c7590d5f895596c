package lint

var lintCodeApart = Lint{
	Name:        "code_apart",
	Severity:    Warning,
	Requirement: "Who signs programs is no server and no e-mail address.",
	Section:     "CA/Browser Forum Code Signing Requirements, Section 7.1.2.3",
	Kinds:       1 << KindCode,
	check: func(c *certificate) []string {
		if c.has(purposeCode) && (c.has(purposeServer) || c.has(purposeEmail) || c.has(purposeAny)) {
			return complain("codeSigning together with serverAuth, emailProtection or anyExtendedKeyUsage")
		}
		return nil
	},
}
