package lint

var lintOcspSignerChecked = Lint{
	Name:        "ocsp_signer_checked",
	Severity:    Notice,
	Requirement: "Who signs OCSP answers says how its own revocation is checked: no-check, a CRL or another server.",
	Section:     "RFC 6960, Section 4.2.2.2.1",
	Kinds:       1 << KindOCSP,
	check: func(c *certificate) []string {
		for _, id := range []string{idOCSPNoCheck, idCRLDistribution, idAuthorityInfo, idNoRevAvail} {
			if _, ok := c.find(id); ok {
				return nil
			}
		}
		return complain("an OCSP signer without OCSP no-check: clients may ask it about itself")
	},
}
