package lint

var lintRsaExponent = Lint{
	Name:        "rsa_exponent",
	Severity:    Error,
	Requirement: "An RSA exponent is odd and at least 3.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 6.1.6",
	check: func(c *certificate) []string {
		_, e, ok := c.key().rsa()
		if ok && (e.Sign() <= 0 || e.Bit(0) == 0 || e.BitLen() < 2) {
			return complain("the RSA exponent %s is not usable", short(e))
		}
		return nil
	},
}
