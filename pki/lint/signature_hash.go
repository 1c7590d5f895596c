package lint

var lintSignatureHash = Lint{
	Name:        "signature_hash",
	Severity:    Error,
	Requirement: "Nothing is signed with MD2, MD5 or SHA-1: collisions can be made. The signature of a root on itself does not matter.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 7.1.3.2",
	Since:       "2017-01-01",
	Kinds:       leaves | 1<<KindIntermediate,
	check: func(c *certificate) []string {
		switch id, _, _ := algorithmOf(c.innerAlgorithm); id {
		case idPKCS1 + "\x02", idPKCS1 + "\x04":
			return complain("signed with MD2 or MD5, which can be forged")
		case idPKCS1 + "\x05", "\x2a\x86\x48\xce\x3d\x04\x01", "\x2a\x86\x48\xce\x38\x04\x03", "\x2b\x0e\x03\x02\x1d":
			return complain("signed with SHA-1, for which collisions can be made")
		}
		return nil
	},
}
