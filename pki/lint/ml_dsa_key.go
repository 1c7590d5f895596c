package lint

var lintMLDSAKey = Lint{
	Name:        "ml_dsa_key",
	Severity:    Error,
	Requirement: "An ML-DSA key has the 1312, 1952 or 2592 octets of its parameter set, and no parameters.",
	Section:     "RFC 9881, Section 4",
	check: func(c *certificate) []string {
		k := c.key()
		want := map[string]int{idMLDSA44: 1312, idMLDSA65: 1952, idMLDSA87: 2592}[k.algorithm]
		if want == 0 {
			return nil
		}
		if k.params != nil {
			return complain("the key has parameters, but must not")
		}
		if len(k.bits) != want {
			return complain("the key has %d octets instead of %d", len(k.bits), want)
		}
		return nil
	},
}
