package scan

import (
	"strings"

	"github.com/tlswright/tlswright/grade"
)

// maxCookies is how many cookies of an answer are looked at.
const maxCookies = 50

// cookieFacts reads the Set-Cookie fields of an answer. Values are not kept: they may be secrets of a session.
func cookieFacts(a *httpAnswer) []grade.Cookie {
	var all []grade.Cookie
	for _, v := range a.all("Set-Cookie") {
		if c, ok := parseCookie(v); ok && len(all) < maxCookies {
			all = append(all, c)
		}
	}
	return all
}

// parseCookie reads name and flags of a Set-Cookie field as browsers do (RFC 6265, Section 5.2); false: they ignore it.
func parseCookie(value string) (grade.Cookie, bool) {
	pair, rest, _ := strings.Cut(value, ";")
	name, content, ok := strings.Cut(pair, "=")
	name = trimBlank(name)
	if !ok || name == "" || len(name)+len(content) > 4096 || strings.ContainsAny(pair, "\x00\n") {
		return grade.Cookie{}, false
	}
	c := grade.Cookie{Name: shortened(name, 200)}
	for rest != "" {
		var attribute string
		attribute, rest, _ = strings.Cut(rest, ";")
		key, v, _ := strings.Cut(attribute, "=")
		switch strings.ToLower(trimBlank(key)) {
		case "secure":
			c.Secure = true
		case "httponly":
			c.HTTPOnly = true
		case "samesite":
			c.SameSite = sameSite(trimBlank(v))
		}
	}
	// Browsers compare the prefixes in any case.
	for _, prefix := range []string{"__Host-", "__Secure-"} {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			c.Prefix = prefix
		}
	}
	return c, true
}

// sameSite writes the words that browsers know as they are usually written, and others as they came.
func sameSite(v string) string {
	for _, known := range []string{"Strict", "Lax", "None"} {
		if strings.EqualFold(v, known) {
			return known
		}
	}
	return shortened(v, 50)
}

// withoutValue takes the value out of a Set-Cookie field.
func withoutValue(v string) string {
	pair, rest, more := strings.Cut(v, ";")
	name, _, ok := strings.Cut(pair, "=")
	if !ok {
		return "…"
	}
	if more {
		return name + "=…;" + rest
	}
	return name + "=…"
}
