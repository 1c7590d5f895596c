package lint

var lintPolicyRulesPlace = Lint{
	Name:        "policy_rules_place",
	Severity:    Error,
	Requirement: "Policy mappings, policy constraints and inhibitAnyPolicy are for CAs; the last two are critical.",
	Section:     "RFC 5280, Section 4.2.1.11",
	check: func(c *certificate) []string {
		var wrong []string
		for _, rule := range []struct {
			id, name string
			critical bool
		}{{idPolicyMappings, "policy mappings", false}, {idPolicyConstraints, "policy constraints", true}, {idInhibitAnyPolicy, "inhibitAnyPolicy", true}} {
			e, ok := c.find(rule.id)
			switch {
			case !ok:
			case !cas.Has(c.kind):
				wrong = append(wrong, rule.name+" in the certificate of an end entity")
			case rule.critical && !e.critical:
				wrong = append(wrong, rule.name+" that are not critical")
			}
		}
		return wrong
	},
}
