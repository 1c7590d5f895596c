package lint

var lintOcspNoCheck = Lint{
	Name:        "ocsp_no_check",
	Severity:    Warning,
	Requirement: "OCSP no-check is for those that sign OCSP answers.",
	Section:     "RFC 6960, Section 4.2.2.2.1",
	check: func(c *certificate) []string {
		if _, ok := c.find(idOCSPNoCheck); ok && !c.has(purposeOCSP) {
			return complain("OCSP no-check in a certificate that does not sign OCSP answers")
		}
		return nil
	},
}
