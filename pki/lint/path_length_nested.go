package lint

var lintPathLengthNested = Lint{
	Name:        "path_length_nested",
	Severity:    Error,
	Requirement: "A CA below another stays within its path length.",
	Section:     "RFC 5280, Section 6.1.4",
	Kinds:       1 << KindIntermediate,
	check: func(c *certificate) []string {
		bc, _ := c.basicConstraints()
		if c.issuer == nil || !bc.ca || c.selfIssued() || c.issuer.MaxPathLen < 0 || c.issuer.MaxPathLen == 0 && !c.issuer.MaxPathLenZero {
			return nil
		}
		if c.issuer.MaxPathLen == 0 {
			return complain("the issuer's path length allows no CA below it")
		}
		return nil
	},
}
