package lint

import (
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki"
)

var lintSubjectCountry = Lint{
	Name:        "subject_country",
	Severity:    Error,
	Requirement: "A country is a code of two letters, as PrintableString.",
	Section:     "RFC 5280, Appendix A.1",
	check: func(c *certificate) []string {
		attributes, _ := c.subjectAttributes()
		for _, a := range attributes {
			if a.id != attributeCountry {
				continue
			}
			if a.tag != cbasn1.PrintableString || len(a.value) != 2 || !isLetter(a.value[0]) || !isLetter(a.value[1]) {
				return complain("the country %q is not a code of two letters", pki.Printable(a.text()))
			}
		}
		return nil
	},
}
