package lint

var lintRsaKeySize = Lint{
	Name:        "rsa_key_size",
	Severity:    Error,
	Requirement: "An RSA modulus has at least 2048 bits.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 6.1.5",
	Since:       "2011-01-01",
	check: func(c *certificate) []string {
		if n, _, ok := c.key().rsa(); ok && n.BitLen() < 2048 {
			return complain("an RSA key of %d bits is too short to be safe", n.BitLen())
		}
		return nil
	},
}
