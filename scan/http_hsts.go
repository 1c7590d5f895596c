package scan

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/tlswright/tlswright/grade"
)

// hstsFacts reads the Strict-Transport-Security fields of an answer.
func hstsFacts(a *httpAnswer) grade.HSTS {
	values := a.all("Strict-Transport-Security")
	if len(values) == 0 {
		return grade.HSTS{}
	}
	// RFC 6797, Section 8.1: of several fields the first alone is processed.
	f := grade.HSTS{Present: true, Raw: shortened(values[0], maxFieldValue)}
	h, err := parseHSTS(values[0])
	if err != nil {
		f.Invalid = err.Error()
		return f
	}
	f.MaxAge, f.SubDomains, f.Preload = h.maxAge, h.subDomains, h.preload
	return f
}

// hsts is a Strict-Transport-Security header.
type hsts struct {
	maxAge              int64 // seconds
	subDomains, preload bool
}

// maxAgeLimit is where counting stops: a thousand years.
const maxAgeLimit = 1000 * 366 * 24 * 3600

// parseHSTS reads a header as browsers have to (RFC 6797, Section 6.1). The error says why it is to be ignored as a whole.
func parseHSTS(value string) (hsts, error) {
	var h hsts
	seen := make(map[string]bool)
	for rest := value; ; {
		name, v, hasValue, after, err := directive(rest)
		if err != nil {
			return hsts{}, err
		}
		if name != "" {
			name = strings.ToLower(name)
			if seen[name] {
				// RFC 6797, Section 6.1: all directives MUST appear only once.
				return hsts{}, fmt.Errorf("%s stands there twice", shortened(name, 100))
			}
			seen[name] = true
			switch name {
			case "max-age":
				if h.maxAge, err = seconds(v, hasValue); err != nil {
					return hsts{}, err
				}
			case "includesubdomains":
				if hasValue {
					return hsts{}, errors.New("includeSubDomains has a value")
				}
				h.subDomains = true
			case "preload":
				h.preload = true
			}
		}
		if after == "" {
			break
		}
		rest = after[1:]
	}
	if !seen["max-age"] {
		return hsts{}, errors.New("max-age is missing")
	}
	return h, nil
}

// directive takes one directive off the front; after begins with the semicolon, or is empty at the end.
//
//	directive       = directive-name [ "=" directive-value ]
//	directive-value = token | quoted-string
func directive(s string) (name, value string, hasValue bool, after string, err error) {
	s = strings.TrimLeft(s, " \t")
	end := strings.IndexAny(s, "=; \t\"")
	if end < 0 {
		end = len(s)
	}
	name, s = s[:end], strings.TrimLeft(s[end:], " \t")
	if name != "" && !isToken(name) {
		return "", "", false, "", errors.New("a directive has a name that is no token")
	}
	if strings.HasPrefix(s, "=") {
		if name == "" {
			return "", "", false, "", errors.New("a value has no name")
		}
		hasValue = true
		if value, s, err = directiveValue(strings.TrimLeft(s[1:], " \t")); err != nil {
			return "", "", false, "", err
		}
		s = strings.TrimLeft(s, " \t")
	}
	if s != "" && s[0] != ';' {
		return "", "", false, "", errors.New("directives are not parted by semicolons")
	}
	return name, value, hasValue, s, nil
}

// directiveValue takes a token or a quoted string off the front.
func directiveValue(s string) (value, after string, err error) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, "; \t")
		if end < 0 {
			end = len(s)
		}
		if !isToken(s[:end]) {
			return "", "", errors.New("a value is neither a token nor in quotation marks")
		}
		return s[:end], s[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", errors.New("a quotation mark is missing")
}

// seconds reads the value of max-age.
func seconds(v string, hasValue bool) (int64, error) {
	if !hasValue || v == "" {
		return 0, errors.New("max-age has no value")
	}
	n := int64(0)
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			return 0, errors.New("max-age is no number of seconds")
		}
		n = min(10*n+int64(v[i]-'0'), maxAgeLimit)
	}
	return n, nil
}

// preloadAge is the least max-age that the preload list of the browsers asks for, in seconds: one year.
const preloadAge = 31536000

// judgePreload says whether a site is fit for the preload list, by the conditions of hstspreload.org as far as they can be
// seen from here.
func judgePreload(f *grade.HTTP, host string) {
	h := &f.HSTS
	if !h.Present {
		return
	}
	unfit := func(why string) { h.Unfit = append(h.Unfit, why) }
	if h.Invalid != "" {
		unfit("the header is not valid: " + h.Invalid)
	} else {
		if h.MaxAge < preloadAge {
			unfit("max-age is below one year (31536000)")
		}
		if !h.SubDomains {
			unfit("includeSubDomains is missing")
		}
		if !h.Preload {
			unfit("preload is missing")
		}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		unfit("an address cannot have HSTS")
	} else if base, err := publicsuffix.EffectiveTLDPlusOne(host); err != nil || base != host {
		unfit("only a registrable domain can be preloaded" + orNothing(": ", base))
	}
	switch {
	case f.PlainHTTP == grade.Yes && f.RedirectsToHTTPS != grade.Yes:
		unfit("plain HTTP does not lead to https")
	case f.PlainHTTP == grade.Yes && !firstHopStays(f.Redirects, host):
		unfit("plain HTTP does not lead to https on the same host first")
	}
	switch {
	case len(h.Unfit) > 0:
		h.Preloadble = grade.No
	case f.PlainHTTP == grade.Yes || f.PlainHTTP == grade.No:
		h.Preloadble = grade.Yes
	default:
		h.Preloadble = grade.Unknown
	}
}

func orNothing(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}
