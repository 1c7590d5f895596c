package lint

var lintExtensionsNotCritical = Lint{
	Name:        "extensions_not_critical",
	Severity:    Error,
	Requirement: "Key identifiers, authority information, freshest CRL and the like are never critical.",
	Section:     "RFC 5280, Section 4.2.1.1",
	check: func(c *certificate) []string {
		var wrong []string
		for _, e := range c.extensions {
			if !e.critical {
				continue
			}
			switch e.id {
			case idSubjectKeyID, idAuthorityKeyID, idAuthorityInfo, idFreshestCRL, idNoRevAvail:
				wrong = append(wrong, "the extension "+dotted(e.id)+" is critical, but must not be")
			}
		}
		return wrong
	},
}
