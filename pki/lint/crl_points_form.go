package lint

var lintCrlPointsForm = Lint{
	Name:        "crl_points_form",
	Severity:    Error,
	Requirement: "Every CRL distribution point says where, or who issues the CRL; not only for which reasons.",
	Section:     "RFC 5280, Section 4.2.1.13",
	check: func(c *certificate) []string {
		e, ok := c.find(idCRLDistribution)
		if !ok {
			return nil
		}
		if _, ok := readPoints(e.value); !ok {
			return complain("the CRL distribution points cannot be read or say neither where nor who")
		}
		return nil
	},
}
