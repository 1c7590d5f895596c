package lint

var lintEd25519Key = Lint{
	Name:        "ed25519_key",
	Severity:    Error,
	Requirement: "An Ed25519 key has 32 octets, an Ed448 key 57, both without parameters.",
	Section:     "RFC 8410, Section 4",
	check: func(c *certificate) []string {
		k := c.key()
		want := 32
		if k.algorithm == idEd448 {
			want = 57
		} else if k.algorithm != idEd25519 {
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
