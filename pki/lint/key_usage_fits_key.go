package lint

var lintKeyUsageFitsKey = Lint{
	Name:        "key_usage_fits_key",
	Severity:    Error,
	Requirement: "Key usage allows only what the kind of key can do: RSA agrees on no keys, ECDSA enciphers none, Ed25519 and ML-DSA do neither.",
	Section:     "RFC 8813, Section 3",
	check: func(c *certificate) []string {
		bits, _, _ := c.keyUsage()
		var not uint16
		switch k := c.key(); k.algorithm {
		case idRSA, idPSS:
			not = bitKeyAgreement | bitEncipherOnly | bitDecipherOnly
			if k.algorithm == idPSS {
				not |= bitKeyEncipherment | bitDataEncipherment // RFC 4055, Section 1.2
			}
		case idECKey:
			not = bitKeyEncipherment | bitDataEncipherment
		case idEd25519, idEd448, idMLDSA44, idMLDSA65, idMLDSA87: // RFC 8410, Section 5, and RFC 9881, Section 5
			not = bitKeyEncipherment | bitDataEncipherment | bitKeyAgreement | bitEncipherOnly | bitDecipherOnly
		}
		if bits&not != 0 {
			return complain("the key cannot do what its usage allows: %s", join(usageNames(bits&not)))
		}
		return nil
	},
}
