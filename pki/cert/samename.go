package cert

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// SameName compares two Names, DER with their header, as RFC 5280, Section 7.1 has it: set by set, and within a set
// whatever the order; texts without regard to case, to the kind of string and to white space that means nothing. Texts that
// only Unicode normalization would make equal are different here, and names that cannot be read are the same only byte by byte.
func SameName(a, b []byte) bool {
	return bytes.Equal(a, b) || ComparableName(a) == ComparableName(b)
}

// ComparableName is a form of a Name, DER with its header, that two names share exactly if they are the same to [SameName].
func ComparableName(der []byte) string {
	unreadable := "\x00" + string(der) // no readable one begins so
	in := cryptobyte.String(der)
	var sets cryptobyte.String
	if !in.ReadASN1(&sets, cbasn1.SEQUENCE) || !in.Empty() {
		return unreadable
	}
	var b strings.Builder
	b.WriteByte(1)
	for !sets.Empty() {
		var set cryptobyte.String
		if !sets.ReadASN1(&set, cbasn1.SET) || set.Empty() {
			return unreadable
		}
		var attributes []string
		for !set.Empty() {
			var a, oid, element cryptobyte.String
			var tag cbasn1.Tag
			if !set.ReadASN1(&a, cbasn1.SEQUENCE) || !a.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) || !a.ReadAnyASN1Element(&element, &tag) || !a.Empty() {
				return unreadable
			}
			attributes = append(attributes, comparableAttribute(oid, element, tag))
		}
		slices.Sort(attributes)
		b.WriteString(measured(strings.Join(attributes, "")))
	}
	return b.String()
}

// measured puts the length in front, so that what is joined can be taken apart in one way only.
func measured(s string) string { return strconv.Itoa(len(s)) + ":" + s }

// comparableAttribute joins kind and value; texts and what is no text never become equal.
func comparableAttribute(oid, element cryptobyte.String, tag cbasn1.Tag) string {
	whole := element
	var value cryptobyte.String
	if element.ReadASN1(&value, tag) {
		if text, ok := comparableText(tag, value); ok {
			return measured(string(oid)) + "t" + measured(text)
		}
	}
	return measured(string(oid)) + "b" + measured(string(whole))
}

func comparableText(tag cbasn1.Tag, value []byte) (string, bool) {
	const bmpString = 30
	s := string(value)
	switch tag {
	case cbasn1.PrintableString, cbasn1.UTF8String, cbasn1.IA5String:
	case bmpString:
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
	return strings.Join(strings.Fields(strings.ToLower(s)), " "), true
}
