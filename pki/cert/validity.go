package cert

import (
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// parseValidity reads the two dates. A date that cannot be understood is a
// defect and stays zero: people want to see the rest of such a certificate.
//
//	Validity ::= SEQUENCE {
//	     notBefore      Time,
//	     notAfter       Time }
//
// RFC 5280, Section 4.1.2.5.
func (c *Certificate) parseValidity(s *cryptobyte.String) error {
	var v cryptobyte.String
	if !s.ReadASN1(&v, cbasn1.SEQUENCE) {
		return malformed("tbsCertificate.validity")
	}
	for _, d := range []struct {
		name string
		at   *time.Time
	}{{"notBefore", &c.NotBefore}, {"notAfter", &c.NotAfter}} {
		var text cryptobyte.String
		var tag cbasn1.Tag
		if !v.ReadAnyASN1(&text, &tag) || (tag != cbasn1.UTCTime && tag != cbasn1.GeneralizedTime) {
			return malformed("tbsCertificate.validity." + d.name)
		}
		at, strict, ok := parseTime(string(text), tag == cbasn1.UTCTime)
		switch {
		case !ok:
			c.defect("%s %q is not a time", d.name, string(text))
		case !strict:
			c.defect("%s %q is not in the form RFC 5280 asks for", d.name, string(text))
		}
		*d.at = at
	}
	if !v.Empty() {
		return malformed("tbsCertificate.validity")
	}
	return nil
}

// parseTime reads a UTCTime or GeneralizedTime. strict is true for the only form
// that RFC 5280, Section 4.1.2.5 allows: seconds present, no fraction, Zulu.
func parseTime(text string, utc bool) (at time.Time, strict, ok bool) {
	layouts := []string{"20060102150405Z", "20060102150405Z0700", "200601021504Z", "200601021504Z0700"}
	if utc {
		layouts = []string{"060102150405Z", "060102150405Z0700", "0601021504Z", "0601021504Z0700"}
	}
	for i, layout := range layouts {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		t = t.UTC()
		if utc && t.Year() >= 2050 {
			// RFC 5280, Section 4.1.2.5.1: where YY is greater than or equal to 50, the
			// year SHALL be interpreted as 19YY. Go pivots at 69.
			t = t.AddDate(-100, 0, 0)
		}
		// time.Parse takes a fraction after the seconds even where the layout has none.
		return t, i == 0 && len(text) == len(layout), true
	}
	return time.Time{}, false, false
}
