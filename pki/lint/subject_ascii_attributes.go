package lint

import cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

var lintSubjectAsciiAttributes = Lint{
	Name:        "subject_ascii_attributes",
	Severity:    Error,
	Requirement: "The attributes domainComponent and emailAddress are IA5Strings: clients compare no other form.",
	Section:     "RFC 5280, Appendix A.1",
	check: func(c *certificate) []string {
		var wrong []string
		attributes, _ := c.subjectAttributes()
		for _, a := range attributes {
			if (a.id == attributeEmail || a.id == attributeDC) && (a.tag != cbasn1.IA5String || !isASCII(a.value)) {
				wrong = append(wrong, "the attribute "+a.name()+" is not an IA5String")
			}
		}
		return wrong
	},
}
