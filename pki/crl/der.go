package crl

import (
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The tags that the walk over the entries meets.
const (
	tagInteger         = 0x02
	tagUTCTime         = 0x17
	tagGeneralizedTime = 0x18
	tagSequence        = 0x30
)

func context(n uint8) cbasn1.Tag            { return cbasn1.Tag(n).ContextSpecific() }
func contextConstructed(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// readElement takes one DER element with a one-octet tag off the front. It is cryptobyte's ReadAnyASN1 without its
// generality: a list of a million entries has four million elements.
func readElement(b []byte) (tag byte, content, rest []byte, ok bool) {
	if len(b) < 2 {
		return 0, nil, nil, false
	}
	tag = b[0]
	if b[1] < 0x80 {
		end := 2 + int(b[1])
		if len(b) < end {
			return 0, nil, nil, false
		}
		return tag, b[2:end], b[end:], true
	}
	n := int(b[1] & 0x7f)
	if n == 0 || n > 4 || len(b) < 2+n || b[2] == 0 {
		return 0, nil, nil, false
	}
	length := 0
	for _, c := range b[2 : 2+n] {
		length = length<<8 | int(c)
	}
	if length < 0x80 || length > len(b)-2-n {
		return 0, nil, nil, false
	}
	return tag, b[2+n : 2+n+length], b[2+n+length:], true
}

// header is how many octets tag and length of an element with so much content take.
func header(length int) int {
	n := 2
	for l := length; length >= 0x80 && l > 0; l >>= 8 {
		n++
	}
	return n
}

// appendHeader writes tag and length.
func appendHeader(dst []byte, tag byte, length int) []byte {
	if length < 0x80 {
		return append(dst, tag, byte(length))
	}
	n := header(length) - 2
	dst = append(dst, tag, 0x80|byte(n))
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, byte(length>>(8*i)))
	}
	return dst
}

// appendElement writes one element.
func appendElement(dst []byte, tag byte, content ...[]byte) []byte {
	length := 0
	for _, c := range content {
		length += len(c)
	}
	dst = appendHeader(dst, tag, length)
	for _, c := range content {
		dst = append(dst, c...)
	}
	return dst
}

// isInteger reports whether the content of an INTEGER is in its shortest form.
func isInteger(b []byte) bool {
	switch {
	case len(b) == 0:
		return false
	case len(b) == 1:
		return true
	}
	return !(b[0] == 0 && b[1] < 0x80) && !(b[0] == 0xff && b[1] >= 0x80)
}

// parseTime reads the content of a Time in the only form that RFC 5280, Section 5.1.2.4 allows: Zulu, with seconds,
// without fraction.
func parseTime(tag byte, b []byte) (time.Time, bool) {
	var n [7]int // of two digits each: century, year, month …
	start := 0
	switch {
	case tag == tagUTCTime && len(b) == 13:
		start = 1
	case tag == tagGeneralizedTime && len(b) == 15:
	default:
		return time.Time{}, false
	}
	for i := start; i < len(n); i++ {
		hi, lo := b[2*(i-start)]-'0', b[2*(i-start)+1]-'0'
		if hi > 9 || lo > 9 {
			return time.Time{}, false
		}
		n[i] = 10*int(hi) + int(lo)
	}
	if start == 1 {
		// RFC 5280, Section 4.1.2.5.1: where YY is greater than or equal to 50, the year SHALL be interpreted as 19YY.
		n[0] = 20
		if n[1] >= 50 {
			n[0] = 19
		}
	}
	year := 100*n[0] + n[1]
	if b[len(b)-1] != 'Z' || n[2] < 1 || n[2] > 12 || n[3] < 1 || n[3] > daysIn(year, n[2]) || n[4] > 23 || n[5] > 59 || n[6] > 59 {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(n[2]), n[3], n[4], n[5], n[6], 0, time.UTC), true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// appendTime writes a Time: UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280, Section 5.1.2.4).
func appendTime(dst []byte, t time.Time) ([]byte, bool) {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 1950 || year > 9999 {
		return dst, false
	}
	if year < 2050 {
		dst = append(dst, tagUTCTime, 13)
	} else {
		dst = append(dst, tagGeneralizedTime, 15)
		dst = appendTwo(dst, year/100)
	}
	hour, minute, second := t.Clock()
	for _, n := range [...]int{year % 100, int(month), day, hour, minute, second} {
		dst = appendTwo(dst, n)
	}
	return append(dst, 'Z'), true
}

func appendTwo(dst []byte, n int) []byte { return append(dst, '0'+byte(n/10), '0'+byte(n%10)) }

// appendGeneralizedTime writes a GeneralizedTime whatever the year.
func appendGeneralizedTime(dst []byte, t time.Time) ([]byte, bool) {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return dst, false
	}
	dst = append(dst, tagGeneralizedTime, 15)
	return t.AppendFormat(dst, "20060102150405Z"), true
}

// readBool reads an optional BOOLEAN DEFAULT FALSE under a tag; DER writes it only where it is true.
func readBool(s *cryptobyte.String, tag cbasn1.Tag, value *bool) bool {
	var b cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&b, &present, tag) {
		return false
	}
	if present {
		if len(b) != 1 || b[0] != 0xff {
			return false
		}
		*value = true
	}
	return true
}
