package lint

var lintKeyUsageCaBits = Lint{
	Name:        "key_usage_ca_bits",
	Severity:    Error,
	Requirement: "The bit keyCertSign is set by CAs and only by them.",
	Section:     "RFC 5280, Section 4.2.1.9",
	check: func(c *certificate) []string {
		bits, present, _ := c.keyUsage()
		bc, _ := c.basicConstraints()
		switch {
		case present && bits&bitKeyCertSign != 0 && !bc.ca:
			return complain("the key may sign certificates, but the subject is no CA")
		case present && bits&bitKeyCertSign == 0 && bc.ca:
			return complain("the subject is a CA, but its key may not sign certificates")
		}
		return nil
	},
}
