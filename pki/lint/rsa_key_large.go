package lint

var lintRsaKeyLarge = Lint{
	Name:        "rsa_key_large",
	Severity:    Warning,
	Requirement: "An RSA modulus has at most 8192 bits: many programs refuse larger ones.",
	Section:     "FIPS 186-5, Section 5.1",
	check: func(c *certificate) []string {
		if n, _, ok := c.key().rsa(); ok && n.BitLen() > 8192 {
			return complain("an RSA key of %d bits, more than many programs accept (8192)", n.BitLen())
		}
		return nil
	},
}
