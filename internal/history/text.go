package history

import (
	"strings"
	"unicode/utf8"

	"github.com/tlswright/tlswright/internal/incident"
)

// asText makes texts of what is none: PostgreSQL refuses what is no UTF-8, and the NUL byte, and a server whose words were
// refused would never be filed. What a file is called may be such, too.
func asText(texts ...*string) {
	for _, t := range texts {
		if !utf8.ValidString(*t) || strings.Contains(*t, "\x00") {
			*t = strings.ReplaceAll(strings.ToValidUTF8(*t, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
}

// asText makes texts of what a look brought.
func (r *Result) asText() {
	asText(&r.Verdict.Reason, &r.Grade)
	for i := range r.Places {
		s := &r.Places[i]
		asText(&s.Reason, &s.Observation.Place, &s.Observation.Error)
	}
	findingsAsText(r.Findings)
}

func findingsAsText(findings []incident.Finding) {
	for i := range findings {
		f := &findings[i]
		asText(&f.Subject, &f.Title, &f.Text, &f.Step)
	}
}
