package relay

import "strings"

// What a byte may be part of, in the grammars of RFC 9110 and RFC 3986.
const (
	inToken  = 1 << iota // RFC 9110, Section 5.6.2
	inValue              // of a field: visible, space, tab, or beyond ASCII (RFC 9110, Section 5.5)
	inTarget             // of a request: visible ASCII but for the number sign
	inHost               // of a name, an address or a port
	isHex
)

// classes says for every byte what it may be part of.
var classes = [256]byte{
	'\t': inValue, ' ': inValue,
	'!': inToken | inValue | inTarget | inHost, '"': inValue | inTarget, '#': inToken | inValue,
	'$': inToken | inValue | inTarget | inHost, '%': inToken | inValue | inTarget, '&': inToken | inValue | inTarget | inHost,
	'\'': inToken | inValue | inTarget | inHost, '(': inValue | inTarget | inHost, ')': inValue | inTarget | inHost,
	'*': inToken | inValue | inTarget | inHost, '+': inToken | inValue | inTarget | inHost, ',': inValue | inTarget,
	'-': inToken | inValue | inTarget | inHost, '.': inToken | inValue | inTarget | inHost, '/': inValue | inTarget,
	'0': inToken | inValue | inTarget | inHost | isHex, '1': inToken | inValue | inTarget | inHost | isHex,
	'2': inToken | inValue | inTarget | inHost | isHex, '3': inToken | inValue | inTarget | inHost | isHex,
	'4': inToken | inValue | inTarget | inHost | isHex, '5': inToken | inValue | inTarget | inHost | isHex,
	'6': inToken | inValue | inTarget | inHost | isHex, '7': inToken | inValue | inTarget | inHost | isHex,
	'8': inToken | inValue | inTarget | inHost | isHex, '9': inToken | inValue | inTarget | inHost | isHex,
	':': inValue | inTarget | inHost, ';': inValue | inTarget, '<': inValue | inTarget, '=': inValue | inTarget,
	'>': inValue | inTarget, '?': inValue | inTarget, '@': inValue | inTarget,
	'A': letter | isHex, 'B': letter | isHex, 'C': letter | isHex, 'D': letter | isHex, 'E': letter | isHex, 'F': letter | isHex,
	'G': letter, 'H': letter, 'I': letter, 'J': letter, 'K': letter, 'L': letter, 'M': letter, 'N': letter, 'O': letter,
	'P': letter, 'Q': letter, 'R': letter, 'S': letter, 'T': letter, 'U': letter, 'V': letter, 'W': letter, 'X': letter,
	'Y': letter, 'Z': letter,
	'[': inValue | inTarget | inHost, '\\': inValue | inTarget, ']': inValue | inTarget | inHost,
	'^': inToken | inValue | inTarget, '_': inToken | inValue | inTarget | inHost, '`': inToken | inValue | inTarget,
	'a': letter | isHex, 'b': letter | isHex, 'c': letter | isHex, 'd': letter | isHex, 'e': letter | isHex, 'f': letter | isHex,
	'g': letter, 'h': letter, 'i': letter, 'j': letter, 'k': letter, 'l': letter, 'm': letter, 'n': letter, 'o': letter,
	'p': letter, 'q': letter, 'r': letter, 's': letter, 't': letter, 'u': letter, 'v': letter, 'w': letter, 'x': letter,
	'y': letter, 'z': letter,
	'{': inValue | inTarget, '|': inToken | inValue | inTarget, '}': inValue | inTarget, '~': inToken | inValue | inTarget | inHost,
}

const letter = inToken | inValue | inTarget | inHost

// beyondASCII is where the bytes begin that are allowed in values, whatever they mean (obs-text).
const beyondASCII = 0x80

// text is a string or its bytes.
type text interface{ ~string | ~[]byte }

// all reports whether s is not empty and every byte of it is of the class.
func all[T text](s T, class byte) bool {
	for i := range len(s) {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return len(s) > 0
}

// isValue reports whether s can be the value of a field, spaces around it not counted; it may be empty.
func isValue[T text](s T) bool {
	for i := range len(s) {
		if c := s[i]; classes[c]&inValue == 0 && c < beyondASCII {
			return false
		}
	}
	return true
}

// isToken reports whether s can be a name.
func isToken[T text](s T) bool { return all(s, inToken) }

// isHost reports whether s can be what a Host field says: a name or an address, and perhaps a port (RFC 3986,
// Section 3.2.2, without percent-encoding, which no host on the network has).
func isHost(s string) bool {
	if !all(s, inHost) {
		return false
	}
	host, rest := s, ""
	if s[0] == '[' {
		i := strings.IndexByte(s, ']')
		if i < 0 {
			return false
		}
		host, rest = s[1:i], s[i+1:]
		if strings.IndexByte(host, ':') < 0 || strings.ContainsAny(host, "[]") {
			return false
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, rest = s[:i], s[i:]
		if strings.ContainsAny(host, "[]") {
			return false
		}
	}
	if host == "" {
		return false
	}
	if rest == "" || rest == ":" {
		return true
	}
	return rest[0] == ':' && len(rest) <= 6 && isDigits(rest[1:])
}

func isDigits[T text](s T) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 0
}

// maxLengthDigits bounds the digits of a Content-Length, so that every number fits.
const maxLengthDigits = 18

// parseLength reads a Content-Length: digits and nothing else, no list of them either (RFC 9110, Section 8.6).
func parseLength[T text](s T) (n int64, ok bool) {
	if len(s) > maxLengthDigits || !isDigits(s) {
		return 0, false
	}
	for i := range len(s) {
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// lower returns the ASCII lower case of c.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// isFold reports whether s is low, which is in lower case, but for the case of ASCII letters.
func isFold[T text](s T, low string) bool {
	if len(s) != len(low) {
		return false
	}
	for i := range len(s) {
		if lower(s[i]) != low[i] {
			return false
		}
	}
	return true
}

// trim cuts spaces and tabs off both ends.
func trim[T text](s T) T {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// elements calls f with the elements of a comma-separated list, empty ones left out, until it returns false.
func elements(list string, f func(string) bool) {
	for list != "" {
		e, rest, _ := strings.Cut(list, ",")
		if e = trim(e); e != "" && !f(e) {
			return
		}
		list = rest
	}
}

// lists reports whether a comma-separated list has an element that is low, in whatever case.
func lists(list, low string) (found bool) {
	elements(list, func(e string) bool {
		found = isFold(e, low)
		return !found
	})
	return found
}
