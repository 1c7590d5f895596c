package access

import (
	"net/netip"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// Bounds on patterns, in bytes, and on the values that a star is tried on: a longer value fits no pattern with a star.
const (
	maxPattern = 256
	maxValue   = 4096
)

// The characters that a star never stands for.
const (
	stopName      = "./@"
	stopLabel     = ".*" // a name with a star of its own is no name of anybody
	stopLocal     = "@"
	stopAuthority = "./?#%@:"
	stopSegment   = "/?#%@" // what is encoded might be a separator to whoever decodes it
	stopOpaque    = ":/?#%@"
)

// matchText compares a common name or a unit.
func matchText(pattern, value string) bool { return glob(pattern, value, stopName) }

// matchDNS compares a name label by label. Both may be in any case.
func matchDNS(pattern, name string) bool {
	pattern, name = strings.ToLower(pattern), strings.ToLower(name)
	if !strings.Contains(pattern, "*") {
		return pattern == name
	}
	wanted, labels := strings.Split(pattern, "."), strings.Split(name, ".")
	if wanted[0] == "**" {
		wanted = wanted[1:]
		extra := len(labels) - len(wanted)
		if extra < 1 {
			return false
		}
		for _, l := range labels[:extra] {
			if l == "" || strings.Contains(l, "*") {
				return false
			}
		}
		labels = labels[extra:]
	}
	if len(wanted) != len(labels) {
		return false
	}
	for i, w := range wanted {
		if !glob(w, labels[i], stopLabel) {
			return false
		}
	}
	return true
}

// matchEmail compares an address: what is before the @ with its case, the domain without.
func matchEmail(pattern, address string) bool {
	p, a := strings.LastIndexByte(pattern, '@'), strings.LastIndexByte(address, '@')
	return p > 0 && a > 0 && glob(pattern[:p], address[:a], stopLocal) && matchDNS(pattern[p+1:], address[a+1:])
}

// matchURI compares an identifier: exactly, but for the stars, each of which stays within its host label or path segment.
func matchURI(pattern, id string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == id
	}
	scheme, rest, ok := strings.Cut(pattern, "://")
	if !ok {
		return glob(pattern, id, stopOpaque)
	}
	idScheme, idRest, ok := strings.Cut(id, "://")
	if !ok || scheme != idScheme {
		return false
	}
	wanted, segments := strings.Split(rest, "/"), strings.Split(idRest, "/")
	if !glob(wanted[0], segments[0], stopAuthority) {
		return false
	}
	wanted, segments = wanted[1:], segments[1:]
	if len(wanted) > 0 && wanted[len(wanted)-1] == "**" {
		wanted = wanted[:len(wanted)-1]
		if len(segments) <= len(wanted) {
			return false
		}
		for _, s := range segments[len(wanted):] {
			if !isPlainSegment(s) {
				return false
			}
		}
		segments = segments[:len(wanted)]
	}
	if len(wanted) != len(segments) {
		return false
	}
	for i, w := range wanted {
		if strings.Contains(w, "*") && !isPlainSegment(segments[i]) || !glob(w, segments[i], stopSegment) {
			return false
		}
	}
	return true
}

// isPlainSegment refuses to a star what a reader of paths would take for something else than a name.
func isPlainSegment(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, stopSegment)
}

// matchIP compares an address with an address or a prefix.
func matchIP(pattern string, ip netip.Addr) bool {
	prefix, err := parsePrefix(pattern)
	return err == nil && prefix.Contains(ip.Unmap())
}

func parsePrefix(pattern string) (netip.Prefix, error) {
	if strings.Contains(pattern, "/") {
		return netip.ParsePrefix(pattern)
	}
	ip, err := netip.ParseAddr(pattern)
	if err != nil {
		return netip.Prefix{}, err
	}
	return ip.Unmap().Prefix(ip.Unmap().BitLen())
}

// matchPin compares a pin. Hexadecimal alone does not say what it is the hash of; since nothing has the hash of
// something else, it may be that of the key or of the certificate.
func matchPin(pattern string, s *Subject) bool {
	p, err := pki.ParsePin(pattern)
	if err != nil {
		return false
	}
	if p.Kind == pki.PinKindSPKI {
		return p.SHA256 == s.Pin
	}
	isBare := !strings.HasPrefix(strings.ToLower(strings.TrimSpace(pattern)), "certificate:")
	return p.SHA256 == s.Fingerprint || isBare && p.SHA256 == s.Pin
}

// plainSerial writes a serial number as a Subject has it: without colons, leading zeros, capital letters.
func plainSerial(s string) string {
	s = strings.TrimLeft(strings.ToLower(strings.ReplaceAll(s, ":", "")), "0")
	if s == "" {
		return "0"
	}
	return s
}

// token is one step of a pattern: a byte, or any byte, or any number of bytes.
type token struct {
	kind tokenKind
	byte byte
}

type tokenKind uint8

const (
	tokenByte tokenKind = iota
	tokenOne            // any byte but the stops
	tokenMany           // any number of them
	tokenOneOfAll
	tokenManyOfAll
)

// glob compares a value with a pattern whose stars stand for one byte or more that is not in stop; two stars together
// stand for any. The time is proportional to the length of the value, whatever the pattern is: all ways through it are
// followed side by side.
func glob(pattern, value, stop string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == value
	}
	if len(pattern) > maxPattern || len(value) > maxValue {
		return false
	}
	var room [2*maxPattern + 1]token
	steps := tokens(room[:0], pattern)
	var here, next [2*maxPattern + 1]bool
	here[0] = true
	skipMany(here[:], steps)
	for i := range len(value) {
		c := value[i]
		isStop := strings.IndexByte(stop, c) >= 0
		clear(next[:len(steps)+1])
		for at, t := range steps {
			if !here[at] {
				continue
			}
			switch t.kind {
			case tokenByte:
				next[at+1] = next[at+1] || t.byte == c
			case tokenOne:
				next[at+1] = next[at+1] || !isStop
			case tokenMany:
				next[at] = next[at] || !isStop
			case tokenOneOfAll:
				next[at+1] = true
			case tokenManyOfAll:
				next[at] = true
			}
		}
		skipMany(next[:], steps)
		here, next = next, here
	}
	return here[len(steps)]
}

func tokens(list []token, pattern string) []token {
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] != '*':
			list = append(list, token{byte: pattern[i]})
		case i+1 < len(pattern) && pattern[i+1] == '*':
			list = append(list, token{kind: tokenOneOfAll}, token{kind: tokenManyOfAll})
			i++
		default:
			list = append(list, token{kind: tokenOne}, token{kind: tokenMany})
		}
	}
	return list
}

// skipMany goes on past every "any number", which may be none.
func skipMany(at []bool, steps []token) {
	for i, t := range steps {
		if at[i] && (t.kind == tokenMany || t.kind == tokenManyOfAll) {
			at[i+1] = true
		}
	}
}
