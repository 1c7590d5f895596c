package lint

var lintRsaReadable = Lint{
	Name:        "rsa_readable",
	Severity:    Error,
	Requirement: "An RSA key is a modulus and an exponent, both positive.",
	Section:     "RFC 8017, Appendix A.1.1",
	check: func(c *certificate) []string {
		if k := c.key(); k.isRSA() {
			if _, _, ok := k.rsa(); !ok {
				return complain("the RSA key cannot be read")
			}
		}
		return nil
	},
}
