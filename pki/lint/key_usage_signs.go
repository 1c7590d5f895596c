package lint

var lintKeyUsageSigns = Lint{
	Name:        "key_usage_signs",
	Severity:    Warning,
	Requirement: "Who proves itself in TLS 1.3 does so by a signature: digitalSignature is set.",
	Section:     "RFC 8446, Section 4.4.2.2",
	Kinds:       server | 1<<KindClient,
	check: func(c *certificate) []string {
		if bits, present, _ := c.keyUsage(); present && bits&bitDigitalSignature == 0 {
			return complain("the key may not sign, as TLS 1.3 needs it")
		}
		return nil
	},
}
