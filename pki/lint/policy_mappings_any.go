package lint

import (
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var lintPolicyMappingsAny = Lint{
	Name:        "policy_mappings_any",
	Severity:    Error,
	Requirement: "anyPolicy is mapped neither from nor to.",
	Section:     "RFC 5280, Section 4.2.1.5",
	check: func(c *certificate) []string {
		e, ok := c.find(idPolicyMappings)
		if !ok {
			return nil
		}
		s, ok := sequence(e.value)
		if !ok || s.Empty() {
			return complain("the policy mappings cannot be read or are empty")
		}
		for !s.Empty() {
			var pair, from, to cryptobyte.String
			if !s.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1(&from, cbasn1.OBJECT_IDENTIFIER) || !pair.ReadASN1(&to, cbasn1.OBJECT_IDENTIFIER) || !pair.Empty() {
				return complain("the policy mappings cannot be read")
			}
			if string(from) == idAnyPolicy || string(to) == idAnyPolicy {
				return complain("anyPolicy is mapped")
			}
		}
		return nil
	},
}
