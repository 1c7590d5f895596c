package lint

var lintRsaParameters = Lint{
	Name:        "rsa_parameters",
	Severity:    Error,
	Requirement: "The parameters of an RSA key are NULL.",
	Section:     "RFC 3279, Section 2.3.1",
	check: func(c *certificate) []string {
		if k := c.key(); k.algorithm == idRSA && string(k.params) != "\x05\x00" {
			return complain("the parameters of the RSA key are not NULL")
		}
		return nil
	},
}
