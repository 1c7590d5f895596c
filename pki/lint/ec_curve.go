package lint

var lintEcCurve = Lint{
	Name:        "ec_curve",
	Severity:    Error,
	Requirement: "An elliptic curve is given by its name, and is one that TLS signs with: P-256, P-384, P-521.",
	Section:     "RFC 5480, Section 2.1.1",
	check: func(c *certificate) []string {
		k := c.key()
		if k.algorithm != idECKey {
			return nil
		}
		if len(k.params) == 0 || k.params[0] != 6 {
			return complain("the elliptic curve is not given by its name")
		}
		if k.curve() == nil {
			return complain("the elliptic curve is none that TLS signs with")
		}
		return nil
	},
}
