package pki

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// similarity is what comparing two names may say. Names that cannot be compared are
// a match where a match refuses, and none where it permits.
type similarity uint8

const (
	different similarity = iota
	unsure
	equal
)

// attribute is one attribute of a distinguished name, ready to be compared.
type attribute struct {
	kind  string // the content of the identifier
	raw   []byte // the value with its header
	text  string // the value as RFC 5280, Section 7.1 compares it
	plain bool   // whether text is all there is to compare
}

// distinguishedName is a list of sets of attributes.
type distinguishedName [][]attribute

var errDistinguishedName = errors.New("a distinguished name is malformed")

// parseDistinguishedName reads a Name (RFC 5280, Section 4.1.2.4).
func parseDistinguishedName(der []byte) (distinguishedName, error) {
	in := cryptobyte.String(der)
	var rdns cryptobyte.String
	if !in.ReadASN1(&rdns, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, errDistinguishedName
	}
	var name distinguishedName
	for !rdns.Empty() {
		var set cryptobyte.String
		if !rdns.ReadASN1(&set, cbasn1.SET) || set.Empty() {
			return nil, errDistinguishedName
		}
		var rdn []attribute
		for !set.Empty() {
			var pair, kind, value, element cryptobyte.String
			var tag cbasn1.Tag
			if !set.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1(&kind, cbasn1.OBJECT_IDENTIFIER) ||
				!pair.ReadAnyASN1Element(&element, &tag) || !pair.Empty() {
				return nil, errDistinguishedName
			}
			a := attribute{kind: string(kind), raw: element}
			if whole := element; whole.ReadASN1(&value, tag) {
				a.text, a.plain = comparableText(tag, value)
			}
			rdn = append(rdn, a)
		}
		slices.SortStableFunc(rdn, func(a, b attribute) int {
			if c := strings.Compare(a.kind, b.kind); c != 0 {
				return c
			}
			return strings.Compare(a.text, b.text)
		})
		name = append(name, rdn)
	}
	return name, nil
}

// comparableText turns a value into what RFC 5280, Section 7.1 compares: letters
// of one case, white space at the ends gone and in between one space. RFC 4518 wants
// Unicode normalization too: where that would matter, plain is false.
func comparableText(tag cbasn1.Tag, value []byte) (text string, plain bool) {
	var s string
	switch tag {
	case cbasn1.PrintableString, cbasn1.UTF8String, cbasn1.IA5String:
		s = string(value)
	case cbasn1.Tag(30): // BMPString
		if len(value)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(value)/2)
		for i := range units {
			units[i] = uint16(value[2*i])<<8 | uint16(value[2*i+1])
		}
		s = string(utf16.Decode(units))
	default:
		return "", false
	}
	if !utf8.ValidString(s) {
		return "", false
	}
	plain = true
	for _, r := range s {
		if !normalizesToItself(r) {
			plain = false
		}
	}
	return strings.Join(strings.Fields(strings.ToLower(s)), " "), plain
}

// normalizesToItself is true for letters that Unicode's compatibility
// normalization leaves as they are and that nothing else becomes: ASCII, the
// precomposed letters of Latin-1, Cyrillic, kana, Han and Hangul.
func normalizesToItself(r rune) bool {
	switch {
	case r < 0x80, r >= 0xc0 && r <= 0xff, r >= 0x400 && r <= 0x45f, r >= 0x3041 && r <= 0x3096, r >= 0x30a1 && r <= 0x30fa,
		r >= 0x4e00 && r <= 0x9fff, r >= 0xac00 && r <= 0xd7a3:
		return unicode.IsPrint(r)
	}
	return false
}

func (a attribute) compare(b attribute) similarity {
	switch {
	case a.kind != b.kind:
		return different
	case bytes.Equal(a.raw, b.raw):
		return equal
	case a.plain && b.plain && a.text == b.text:
		return equal
	case a.plain && b.plain:
		return different
	}
	return unsure
}

// begins compares the beginning of n with prefix, set by set.
func (n distinguishedName) begins(prefix distinguishedName) similarity {
	if len(prefix) > len(n) {
		return different
	}
	verdict := equal
	for i, want := range prefix {
		if len(want) != len(n[i]) {
			return different
		}
		verdict = min(verdict, compareSets(want, n[i]))
	}
	return verdict
}

// compareSets compares two sets of the same size, which are sorted by their texts:
// where one has a text that cannot be compared, the order says nothing.
func compareSets(a, b []attribute) similarity {
	verdict, ordered := equal, true
	for i := range a {
		verdict = min(verdict, a[i].compare(b[i]))
		ordered = ordered && a[i].plain && b[i].plain
	}
	if verdict == different && !ordered && len(a) > 1 {
		return unsure
	}
	return verdict
}

// nameOfDER renders a Name (DER) for people.
func nameOfDER(der []byte) string {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &rdns); err != nil || len(rest) > 0 {
		return "(unreadable name)"
	}
	var n pkix.Name
	n.FillFromRDNSequence(&rdns)
	return Name(n)
}
