package lint

import (
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var lintPoliciesForm = Lint{
	Name:        "policies_form",
	Severity:    Error,
	Requirement: "Certificate policies are at least one, and none twice.",
	Section:     "RFC 5280, Section 4.2.1.4",
	check: func(c *certificate) []string {
		e, ok := c.find(idPolicies)
		if !ok {
			return nil
		}
		s, ok := sequence(e.value)
		if !ok || s.Empty() {
			return complain("the certificate policies cannot be read or are empty")
		}
		seen := make(map[string]bool)
		for !s.Empty() {
			var policy, id cryptobyte.String
			if !s.ReadASN1(&policy, cbasn1.SEQUENCE) || !policy.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER) {
				return complain("the certificate policies cannot be read")
			}
			if seen[string(id)] {
				return complain("the policy %s is listed twice", dotted(string(id)))
			}
			seen[string(id)] = true
		}
		return nil
	},
}
