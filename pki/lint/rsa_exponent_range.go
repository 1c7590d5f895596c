package lint

var lintRsaExponentRange = Lint{
	Name:        "rsa_exponent_range",
	Severity:    Warning,
	Requirement: "An RSA exponent lies between 2^16+1 and 2^256.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 6.1.6",
	check: func(c *certificate) []string {
		_, e, ok := c.key().rsa()
		if ok && e.Sign() > 0 && (e.BitLen() < 17 || e.BitLen() > 256) {
			return complain("the RSA exponent %s is unusual: 65537 is what everybody takes", short(e))
		}
		return nil
	},
}
