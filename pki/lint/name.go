package lint

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf16"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki"
)

// String types that cryptobyte has no name for.
const (
	tagTeletex   = cbasn1.Tag(20)
	tagUniversal = cbasn1.Tag(28)
	tagBMP       = cbasn1.Tag(30)
)

// Types of attributes, as content octets.
const (
	attributeCN      = "\x55\x04\x03"
	attributeCountry = "\x55\x04\x06"
	attributeDC      = "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"
	attributeEmail   = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"
)

// name is the short name of the attribute's type, or its number.
func (a attribute) name() string {
	switch a.id {
	case attributeCN:
		return "CN"
	case "\x55\x04\x05":
		return "serialNumber"
	case attributeCountry:
		return "C"
	case "\x55\x04\x07":
		return "L"
	case "\x55\x04\x08":
		return "ST"
	case "\x55\x04\x09":
		return "STREET"
	case "\x55\x04\x0a":
		return "O"
	case "\x55\x04\x0b":
		return "OU"
	case "\x55\x04\x11":
		return "postalCode"
	case attributeDC:
		return "DC"
	case attributeEmail:
		return "emailAddress"
	}
	return dotted(a.id)
}

// attributeLimit is the upper bound of RFC 5280, Appendix A.1, in characters.
func attributeLimit(id string) (limit int, known bool) {
	switch id {
	case attributeCN, "\x55\x04\x05", "\x55\x04\x0a", "\x55\x04\x0b":
		return 64, true
	case "\x55\x04\x07", "\x55\x04\x08", "\x55\x04\x09":
		return 128, true
	case "\x55\x04\x11":
		return 40, true
	case attributeEmail:
		return 255, true
	}
	return 0, false
}

// text is the attribute's value as UTF-8, as far as its string type is known.
func (a attribute) text() string {
	if a.tag != tagBMP {
		return string(a.value)
	}
	units := make([]uint16, len(a.value)/2)
	for i := range units {
		units[i] = uint16(a.value[2*i])<<8 | uint16(a.value[2*i+1])
	}
	return string(utf16.Decode(units))
}

// text is the name as people write it.
func (n generalName) text() string {
	if n.kind == nameIP {
		if ip, ok := netip.AddrFromSlice(n.value); ok {
			return ip.String()
		}
		return fmt.Sprintf("%x", n.value)
	}
	return string(n.value)
}

// show quotes the name for a finding, shortened.
func (n generalName) show() string {
	text := n.text()
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return `"` + pki.Printable(text) + `"`
}

// checkHost returns "" for a host name, else what is wrong with it. Underscores
// have a lint of their own.
func checkHost(name string) string {
	if name == "" {
		return "it is empty"
	}
	if len(name) > 253 {
		return "it has more than 253 characters"
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "a label is empty"
		case len(label) > 63:
			return "a label has more than 63 characters"
		case label[0] == '-' || label[len(label)-1] == '-':
			return "a label begins or ends with a hyphen"
		}
		for i := range len(label) {
			if c := label[i]; !isLetter(c) && (c < '0' || c > '9') && c != '-' && c != '_' && c != '*' {
				return "a character is not a letter, digit or hyphen"
			}
		}
	}
	return ""
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// isPrintableString reports whether all characters belong to PrintableString
// (X.680, 41.4).
func isPrintableString(b []byte) bool {
	for _, c := range b {
		if !isLetter(c) && (c < '0' || c > '9') && !strings.ContainsRune(" '()+,-./:=?", rune(c)) {
			return false
		}
	}
	return true
}

// cutLast cuts s at the last separator.
func cutLast(s, separator string) (before, after string, ok bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// validPunycode decodes what follows "xn--" (RFC 3492, Section 6.2) and reports
// whether it gives characters, at least one of them not ASCII.
func validPunycode(s string) bool {
	const base, tMin, tMax, skew, damp = 36, 1, 26, 38, 700
	n, i, bias := 128, 0, 72
	count := 0
	if at := strings.LastIndexByte(s, '-'); at > 0 {
		count, s = at, s[at+1:]
	}
	first := count
	for len(s) > 0 {
		old, weight := i, 1
		for k := base; ; k += base {
			if len(s) == 0 {
				return false
			}
			var digit int
			switch c := s[0]; {
			case c >= 'a' && c <= 'z':
				digit = int(c - 'a')
			case c >= '0' && c <= '9':
				digit = int(c-'0') + 26
			default:
				return false
			}
			s = s[1:]
			if i += digit * weight; i > 1<<30 {
				return false
			}
			t := min(max(k-bias, tMin), tMax)
			if digit < t {
				break
			}
			if weight *= base - t; weight > 1<<30 {
				return false
			}
		}
		count++
		delta := (i - old) / 2
		if old == 0 {
			delta = (i - old) / damp
		}
		delta += delta / count
		k := 0
		for ; delta > (base-tMin)*tMax/2; k += base {
			delta /= base - tMin
		}
		bias = k + (base-tMin+1)*delta/(delta+skew)
		n += i / count
		i = i%count + 1
		if n < 0xa0 || n > 0x10ffff || n >= 0xd800 && n < 0xe000 { // controls, surrogates
			return false
		}
	}
	return count > first
}
