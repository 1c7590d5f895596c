package lint

import (
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki"
)

var lintValidityForm = Lint{
	Name:        "validity_form",
	Severity:    Error,
	Requirement: "Times through 2049 are UTCTime, later ones GeneralizedTime; both with seconds, without fractions, in Zulu time.",
	Section:     "RFC 5280, Section 4.1.2.5",
	check: func(c *certificate) []string {
		var wrong []string
		for _, m := range []moment{c.notBefore, c.notAfter} {
			want := 13 // YYMMDDHHMMSSZ
			if m.tag == cbasn1.GeneralizedTime {
				want = 15
			}
			switch {
			case m.value.IsZero():
				wrong = append(wrong, "a time cannot be read: "+pki.Printable(m.text))
			case len(m.text) != want || m.text[want-1] != 'Z':
				wrong = append(wrong, "a time is not written with seconds and in Zulu time: "+pki.Printable(m.text))
			case m.tag == cbasn1.GeneralizedTime && m.value.Year() < 2050:
				wrong = append(wrong, "a time before 2050 is written as GeneralizedTime: "+m.text)
			}
		}
		return wrong
	},
}
