package lint

import (
	"fmt"
	"unicode/utf8"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki"
)

var lintSubjectStrings = Lint{
	Name:        "subject_strings",
	Severity:    Error,
	Requirement: "Names are written as PrintableString or UTF8String, with the characters that these allow.",
	Section:     "RFC 5280, Section 4.1.2.4",
	check: func(c *certificate) []string {
		var wrong []string
		attributes, _ := c.subjectAttributes()
		for _, a := range attributes {
			switch {
			case a.tag == cbasn1.PrintableString && !isPrintableString(a.value):
				wrong = append(wrong, fmt.Sprintf("the attribute %s is a PrintableString with other characters: %s", a.name(), pki.Printable(string(a.value))))
			case a.tag == cbasn1.UTF8String && !utf8.Valid(a.value):
				wrong = append(wrong, fmt.Sprintf("the attribute %s is not UTF-8", a.name()))
			case a.tag == tagTeletex || a.tag == tagUniversal || a.tag == tagBMP:
				wrong = append(wrong, fmt.Sprintf("the attribute %s is a string of a kind that is no longer to be used", a.name()))
			}
		}
		return wrong
	},
}
