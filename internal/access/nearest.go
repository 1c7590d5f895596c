package access

import (
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// maxNearest bounds how many rules are compared to find the one that came closest.
const maxNearest = 100

// closest is a rule that would have let a subject in, and what is missing.
type closest struct {
	rule   *Rule
	missed []field
	score  int
}

// nearest finds the rule that the subject came closest to: the fewest patterns that do not fit, and those alike in most
// of their letters.
func (p *Policy) nearest(s *Subject) *closest {
	var best *closest
	for i := range p.Allow[:min(len(p.Allow), maxNearest)] {
		c := &closest{rule: &p.Allow[i]}
		for _, f := range c.rule.fields() {
			switch {
			case f.pattern == "":
			case s.Present && f.alone.fits(s):
				c.score += 1000
			default:
				c.missed = append(c.missed, f)
				c.score -= 500 - likeness(f.pattern, s.values(f.key))
			}
		}
		if best == nil || c.score > best.score {
			best = c
		}
	}
	return best
}

// likeness counts the letters that a pattern shares with the value most like it, at its beginning and at its end.
func likeness(pattern string, values []string) int {
	best := 0
	pattern = strings.ToLower(pattern)
	for _, v := range values {
		v = strings.ToLower(shorten(v))
		n := 0
		for n < min(len(v), len(pattern)) && v[n] == pattern[n] {
			n++
		}
		for e := 1; e <= min(len(v), len(pattern))-n && v[len(v)-e] == pattern[len(pattern)-e]; e++ {
			best = max(best, 2*(n+e))
		}
		best = max(best, 2*n+1)
	}
	return best
}

// text says in a sentence what the rule wants, what the subject has, and what may have been overlooked.
func (c *closest) text(s *Subject) string {
	wants := fmt.Sprintf("%s wants %s", c.rule.place(), c.rule)
	if !s.Present {
		return wants
	}
	var parts []string
	for _, f := range c.missed {
		parts = append(parts, f.missing(s))
	}
	return wants + "; this one " + strings.Join(parts, ", and ")
}

// missing says what the subject has in the place of what the pattern wants.
func (f *field) missing(s *Subject) string {
	values := s.values(f.key)
	for _, v := range values {
		switch {
		case f.key != "pin" && strings.EqualFold(v, f.pattern):
			return fmt.Sprintf("has the %s %s: case counts here", f.label, pki.Printable(shorten(v)))
		case f.key == "cn" || f.key == "ou":
			if loose := strings.ReplaceAll(strings.ReplaceAll(f.pattern, "**", "*"), "*", "**"); loose != f.pattern && glob(loose, v, "") {
				return fmt.Sprintf("has the %s %s: a star stops at dots, slashes and @, two do not", f.label, pki.Printable(shorten(v)))
			}
		case f.key == "dns" && strings.HasPrefix(f.pattern, "*.") && matchDNS("*"+f.pattern, v):
			return fmt.Sprintf("has the %s %s: a star is one label, two are several", f.label, pki.Printable(shorten(v)))
		}
	}
	for _, other := range (&Rule{CN: f.pattern, DNS: f.pattern, Email: f.pattern, URI: f.pattern, OU: f.pattern}).fields() {
		if other.key == f.key || other.pattern == "" || f.key == "pin" || f.key == "serial" || f.key == "ip" || !other.alone.fits(s) {
			continue
		}
		return fmt.Sprintf("has that as its %s, and %s", other.label, f.haves(values))
	}
	return f.has(values)
}

// has lists what the subject has of the field's kind.
func (f *field) has(values []string) string {
	switch len(values) {
	case 0:
		return "has no " + f.label
	case 1:
		return fmt.Sprintf("has the %s %s", f.label, pki.Printable(shorten(values[0])))
	}
	const most = 3
	list := make([]string, 0, most)
	for _, v := range values[:min(len(values), most)] {
		list = append(list, pki.Printable(shorten(v)))
	}
	text := strings.Join(list, ", ")
	if len(values) > most {
		text += fmt.Sprintf(" and %d more", len(values)-most)
	}
	switch f.key {
	case "dns", "uri", "ou":
		return "has the " + f.label + "s " + text
	}
	return "has the " + f.label + "es " + text
}

// haves is has, without the verb said again.
func (f *field) haves(values []string) string { return strings.TrimPrefix(f.has(values), "has ") }

// advice says how to let the subject in, by the kind of name that the nearest rule asks for, or the best that it has.
func (p *Policy) advice(s *Subject, near *closest) string {
	if !s.Present {
		return "send a certificate that a rule lets in"
	}
	kinds := []string{"uri", "cn", "dns", "email", "pin"}
	if near != nil && len(near.missed) == 1 {
		kinds = append([]string{near.missed[0].key}, kinds...)
	}
	for _, key := range kinds {
		for _, v := range s.values(key) {
			if v == "" || checkPattern(key, v) != nil || strings.Contains(v, "*") || key == "serial" {
				continue
			}
			switch {
			case strings.HasPrefix(p.Name, "--"):
				return fmt.Sprintf("if it should be let in, add --allow-%s %s", key, v)
			case p.Name == "":
				return fmt.Sprintf("if it should be let in, add a rule for %s %s", key, v)
			}
			return fmt.Sprintf("if it should be let in, add {%s: %s} to %s.allow", key, quoteYAML(v), p.Name)
		}
	}
	return ""
}

// quoteYAML writes a value so that it stands for itself within braces.
func quoteYAML(v string) string {
	if strings.Trim(strings.ToLower(v), "abcdefghijklmnopqrstuvwxyz0123456789-_./@=+") == "" && v[0] >= 'A' {
		return v
	}
	return "'" + strings.ReplaceAll(v, "'", "''") + "'"
}
