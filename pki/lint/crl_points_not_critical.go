package lint

var lintCrlPointsNotCritical = Lint{
	Name:        "crl_points_not_critical",
	Severity:    Warning,
	Requirement: "The CRL distribution points should not be critical.",
	Section:     "RFC 5280, Section 4.2.1.13",
	check: func(c *certificate) []string {
		if e, ok := c.find(idCRLDistribution); ok && e.critical {
			return complain("the CRL distribution points are critical")
		}
		return nil
	},
}
