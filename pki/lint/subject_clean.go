package lint

import (
	"strings"
	"unicode/utf8"

	"github.com/tlswright/tlswright/pki"
)

var lintSubjectClean = Lint{
	Name:        "subject_clean",
	Severity:    Warning,
	Requirement: "Attributes say something: no space around them, no control characters, not only punctuation.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 7.1.4.2",
	check: func(c *certificate) []string {
		var wrong []string
		attributes, _ := c.subjectAttributes()
		for _, a := range attributes {
			text := a.text()
			switch {
			case text == "":
			case strings.TrimSpace(text) != text:
				wrong = append(wrong, "the attribute "+a.name()+" begins or ends with a space")
			case pki.Printable(text) != text && utf8.ValidString(text):
				wrong = append(wrong, "the attribute "+a.name()+" holds control characters: "+pki.Printable(text))
			case strings.Trim(text, " .-_*?") == "":
				wrong = append(wrong, "the attribute "+a.name()+" says nothing: "+text)
			}
		}
		return wrong
	},
}
