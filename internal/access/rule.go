package access

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// IsEmpty reports whether a rule has no pattern: it fits every verified certificate, and with Anyone everybody.
func (r Rule) IsEmpty() bool {
	for _, f := range r.fields() {
		if f.pattern != "" {
			return false
		}
	}
	return true
}

// String is what a rule asks for: "cn alice and ou ops".
func (r Rule) String() string {
	if r.Anyone {
		return "anyone"
	}
	var parts []string
	for _, f := range r.fields() {
		if f.pattern != "" {
			parts = append(parts, f.key+" "+pki.Printable(f.pattern))
		}
	}
	if len(parts) == 0 {
		return "any verified certificate"
	}
	return strings.Join(parts, " and ")
}

// Validate says what is wrong with a rule: a pattern that could never fit, or would fit what nobody meant.
func (r Rule) Validate() error {
	if r.Anyone && !r.IsEmpty() {
		r.Anyone = false
		return fmt.Errorf("anyone stands alone: beside %s it would say nothing", r)
	}
	for _, f := range r.fields() {
		if f.pattern == "" {
			continue
		}
		if err := checkPattern(f.key, f.pattern); err != nil {
			return fmt.Errorf("%s %s: %w", f.key, pki.Printable(shorten(f.pattern)), err)
		}
	}
	return nil
}

// checkPattern says what is wrong with the pattern of one field.
func checkPattern(key, p string) error {
	switch {
	case len(p) > maxPattern:
		return fmt.Errorf("longer than %d bytes", maxPattern)
	case pki.Printable(p) != p:
		return fmt.Errorf("a character that cannot be seen")
	case strings.TrimSpace(p) != p:
		return fmt.Errorf("blanks around it")
	case strings.Contains(p, "***"):
		return fmt.Errorf("three stars in a row; two are for any characters")
	}
	switch key {
	case "dns":
		return checkDNSPattern(p)
	case "ip":
		return checkIPPattern(p)
	case "email":
		at := strings.LastIndexByte(p, '@')
		if at <= 0 || strings.Contains(p[:at], "**") {
			return fmt.Errorf("write it as ops@corp.example or *@corp.example")
		}
		return checkDNSPattern(p[at+1:])
	case "uri":
		return checkURIPattern(p)
	case "pin":
		_, err := pki.ParsePin(p)
		return err
	case "serial":
		if plain := strings.ReplaceAll(p, ":", ""); plain == "" || strings.Trim(strings.ToLower(plain), "0123456789abcdef") != "" {
			return fmt.Errorf("a serial number is hexadecimal here")
		}
	}
	return nil
}

func checkDNSPattern(p string) error {
	if len(p) > 253 {
		return fmt.Errorf("longer than a DNS name can be")
	}
	for i, l := range strings.Split(strings.ToLower(p), ".") {
		switch {
		case l == "":
			return fmt.Errorf("an empty label: names are written without a dot at their ends")
		case len(l) > 63:
			return fmt.Errorf("a label of more than 63 bytes")
		case strings.Contains(l, "**") && (l != "**" || i > 0):
			return fmt.Errorf("two stars stand alone at the beginning: **.corp.example")
		case strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_*") != "":
			return fmt.Errorf("not a DNS name; names in other scripts are written as they go over the wire (xn--)")
		}
	}
	return nil
}

func checkIPPattern(p string) error {
	prefix, err := parsePrefix(p)
	switch {
	case strings.Contains(p, "%"):
		return fmt.Errorf("certificates know no zones")
	case err != nil:
		return fmt.Errorf("neither an address nor a prefix such as 10.0.0.0/8")
	case prefix.Addr().Is4In6():
		return fmt.Errorf("write it as %v", prefix.Addr().Unmap())
	case prefix.Masked() != prefix:
		return fmt.Errorf("it has bits beyond its length: write %v, or %v alone", prefix.Masked(), prefix.Addr())
	}
	return nil
}

func checkURIPattern(p string) error {
	colon := strings.IndexByte(p, ':')
	if colon <= 0 || strings.Contains(p[:colon], "*") || strings.ContainsAny(p[:colon], "/?#") {
		return fmt.Errorf("begin with a scheme: spiffe://corp.example/ns/*/sa/web")
	}
	_, rest, ok := strings.Cut(p, "://")
	if !ok {
		if strings.Contains(p, "**") {
			return fmt.Errorf("two stars are for the rest of a path only")
		}
		return nil
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		switch {
		case strings.Contains(s, "**") && (s != "**" || i == 0 || i < len(segments)-1):
			return fmt.Errorf("two stars stand alone at the end: spiffe://corp.example/ns/**")
		case s == "" && i == 0 && strings.Contains(p, "*"):
			return fmt.Errorf("there is no host (no trust domain) in it")
		case i > 0 && (s == "." || s == ".."):
			return fmt.Errorf("write the path without %s", s)
		}
	}
	return nil
}

// field is one pattern of a rule, alone.
type field struct {
	key     string // as in files and flags: "cn"
	label   string // "common name"
	pattern string
	alone   Rule // that asks for nothing else
}

// fields lists the patterns in the order in which people think of them.
func (r *Rule) fields() []field {
	return []field{
		{"cn", "common name", r.CN, Rule{CN: r.CN}},
		{"ou", "organizational unit", r.OU, Rule{OU: r.OU}},
		{"dns", "DNS name", r.DNS, Rule{DNS: r.DNS}},
		{"ip", "IP address", r.IP, Rule{IP: r.IP}},
		{"email", "e-mail address", r.Email, Rule{Email: r.Email}},
		{"uri", "URI", r.URI, Rule{URI: r.URI}},
		{"pin", "key", r.Pin, Rule{Pin: r.Pin}},
		{"serial", "serial number", r.Serial, Rule{Serial: r.Serial}},
	}
}

// values is what a subject has of the kind of a field.
func (s *Subject) values(key string) []string {
	switch key {
	case "cn":
		return orNone(s.CommonName)
	case "ou":
		return s.Units
	case "dns":
		return s.DNS
	case "ip":
		return ipTexts(s.IPs)
	case "email":
		return s.Emails
	case "uri":
		return s.URIs
	case "pin":
		return []string{pki.Pin{SHA256: s.Pin}.String()}
	}
	return orNone(s.Serial)
}

// fits reports whether all patterns of the rule fit.
func (r *Rule) fits(s *Subject) bool {
	if r.Anyone {
		return true
	}
	if !s.Present {
		return false
	}
	if r.CN != "" && (s.CommonName == "" || !matchText(r.CN, s.CommonName)) ||
		r.OU != "" && !anyText(matchText, r.OU, s.Units) ||
		r.DNS != "" && !anyText(matchDNS, r.DNS, s.DNS) ||
		r.IP != "" && !anyIP(r.IP, s.IPs) ||
		r.Email != "" && !anyText(matchEmail, r.Email, s.Emails) ||
		r.URI != "" && !anyText(matchURI, r.URI, s.URIs) ||
		r.Pin != "" && !matchPin(r.Pin, s) ||
		r.Serial != "" && (s.Serial == "" || plainSerial(r.Serial) != plainSerial(s.Serial)) {
		return false
	}
	return true
}

func anyText(match func(pattern, value string) bool, pattern string, values []string) bool {
	for _, v := range values {
		if match(pattern, v) {
			return true
		}
	}
	return false
}

func anyIP(pattern string, ips []netip.Addr) bool {
	for _, ip := range ips {
		if matchIP(pattern, ip) {
			return true
		}
	}
	return false
}

func ipTexts(ips []netip.Addr) []string {
	texts := make([]string, 0, len(ips))
	for _, ip := range ips {
		texts = append(texts, ip.String())
	}
	return texts
}

func orNone(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// shorten keeps messages to a line.
func shorten(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
