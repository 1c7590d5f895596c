package lint

var lintExtensionsCriticalKnown = Lint{
	Name:        "extensions_critical_known",
	Severity:    Warning,
	Requirement: "What is critical is refused by everybody who does not know it.",
	Section:     "RFC 5280, Section 4.2",
	check: func(c *certificate) []string {
		var wrong []string
		for _, e := range c.extensions {
			if !e.critical {
				continue
			}
			switch e.id {
			case idKeyUsage, idSubjectAltName, idBasicConstraints, idNameConstraints, idPolicies, idPolicyMappings, idPolicyConstraints, idExtKeyUsage, idInhibitAnyPolicy, idCTPoison:
			case idSubjectKeyID, idAuthorityKeyID, idCRLDistribution, idAuthorityInfo, idTLSFeature, idNoRevAvail, idFreshestCRL, idOCSPNoCheck: // lints of their own
			default:
				wrong = append(wrong, "the extension "+dotted(e.id)+" is critical, but hardly any program knows it")
			}
		}
		return wrong
	},
}
