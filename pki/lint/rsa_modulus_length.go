package lint

var lintRsaModulusLength = Lint{
	Name:        "rsa_modulus_length",
	Severity:    Warning,
	Requirement: "The length of an RSA modulus, in bits, is a multiple of 8.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 6.1.5",
	check: func(c *certificate) []string {
		if n, _, ok := c.key().rsa(); ok && n.BitLen()%8 != 0 {
			return complain("the RSA modulus has %d bits, which is no multiple of 8", n.BitLen())
		}
		return nil
	},
}
