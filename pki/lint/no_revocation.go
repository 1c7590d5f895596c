package lint

var lintNoRevocation = Lint{
	Name:        "no_revocation",
	Severity:    Error,
	Requirement: "noRevAvail is for end entities, and excludes CRL distribution points and OCSP servers.",
	Section:     "RFC 9608, Section 2",
	check: func(c *certificate) []string {
		if _, ok := c.find(idNoRevAvail); !ok {
			return nil
		}
		if cas.Has(c.kind) {
			return complain("a CA that cannot be revoked (noRevAvail)")
		}
		for _, id := range []string{idCRLDistribution, idFreshestCRL} {
			if _, ok := c.find(id); ok {
				return complain("noRevAvail together with a CRL distribution point")
			}
		}
		if e, ok := c.find(idAuthorityInfo); ok {
			list, _ := readAccess(e.value)
			for _, a := range list {
				if a.method == idAccessOCSP {
					return complain("noRevAvail together with an OCSP server")
				}
			}
		}
		return nil
	},
}
