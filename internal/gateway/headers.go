package gateway

import (
	"net/netip"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/config"
)

// defaultHSTS is how long browsers are told to come by TLS only.
const defaultHSTS = 2 * 365 * 24 * time.Hour

// strictCSP lets a page load nothing but what comes from its own site, and nobody frame it.
const strictCSP = "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// headerSet is what a site adds to responses.
type headerSet struct {
	fields []headerField
	hsts   string   // apart: it is not for every host
	drop   []string // canonical names of fields that are not sent

	values [][]string // of fields, as http.Header has them: shared by all responses
	always []string   // of HSTS
}

type headerField struct {
	name, value string
	isDefault   bool // what the application says counts more
}

func newHeaderSet(c config.Headers) headerSet {
	var s headerSet
	if !c.Off {
		s.hsts = hstsValue(c)
		s.fields = []headerField{
			{"X-Content-Type-Options", "nosniff", true},
			{"X-Frame-Options", "DENY", true},
			{"Referrer-Policy", "strict-origin-when-cross-origin", true},
			{"Cross-Origin-Opener-Policy", "same-origin", true},
		}
	}
	if c.Frame != "" {
		s.set("X-Frame-Options", c.Frame)
	}
	if c.HSTS > 0 {
		s.hsts = hstsValue(c)
	}
	switch c.CSP {
	case "":
	case "strict":
		s.set("Content-Security-Policy", strictCSP)
	default:
		s.set("Content-Security-Policy", c.CSP)
	}
	for name, value := range c.Extra {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if name == "Strict-Transport-Security" && value == "" {
			s.hsts = ""
		}
		s.fields = slices.DeleteFunc(s.fields, func(f headerField) bool { return f.name == name })
		if value == "" {
			s.drop = append(s.drop, name)
			continue
		}
		s.fields = append(s.fields, headerField{name, value, false})
	}
	slices.SortFunc(s.fields, func(a, b headerField) int { return strings.Compare(a.name, b.name) })
	for _, f := range s.fields {
		s.values = append(s.values, []string{f.value})
	}
	s.always = []string{s.hsts}
	return s
}

// set replaces a default by what was asked for.
func (s *headerSet) set(name, value string) {
	s.fields = slices.DeleteFunc(s.fields, func(f headerField) bool { return f.name == name })
	s.fields = append(s.fields, headerField{name, value, false})
}

func hstsValue(c config.Headers) string {
	age := c.HSTS
	switch {
	case age < 0:
		return ""
	case age == 0:
		age = defaultHSTS
	}
	v := "max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
	if c.HSTSSubdomains || c.HSTSPreload {
		v += "; includeSubDomains"
	}
	if c.HSTSPreload {
		v += "; preload"
	}
	return v
}

// apply sets the fields before a response is made. HSTS is left out for addresses, for which it means nothing (RFC 6797,
// Section 8.1.1), and for localhost, where it would reach everything that is ever developed there.
func (s *headerSet) apply(w writer, host string) {
	h := w.Header()
	for i := range s.fields {
		if f := &s.fields[i]; f.isDefault {
			w.SetDefault(f.name, f.value)
		} else {
			h[f.name] = s.values[i]
		}
	}
	for _, name := range s.drop {
		h[name] = nil
	}
	if s.hsts != "" && !isLocal(host) {
		h["Strict-Transport-Security"] = s.always
	}
}

func isLocal(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if host == "" || host[len(host)-1] > '9' && !strings.Contains(host, ":") {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}
