package access

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// Decide says whether the rules let a subject in, and why.
func (p *Policy) Decide(s Subject) Decision {
	if p == nil {
		return Decision{Allowed: true, Reason: Allowed, Text: "there are no rules here: whoever comes is let in"}
	}
	for i := range p.Deny {
		if r := &p.Deny[i]; r.fits(&s) {
			return Decision{Rule: r.Name, Reason: Denied, Text: fmt.Sprintf("%s denies %s: %s", r.place(), s.title(), r.because(&s)),
				Fix: "if it should be let in, narrow that rule: what is denied no other rule lets in"}
		}
	}
	for i := range p.Allow {
		if r := &p.Allow[i]; r.fits(&s) {
			return Decision{Allowed: true, Rule: r.Name, Reason: Allowed, Text: fmt.Sprintf("%s lets %s in: %s", r.place(), s.title(), r.because(&s))}
		}
	}
	d := Decision{Reason: NoRule, Text: fmt.Sprintf("no rule lets %s in", s.title())}
	if !s.Present {
		d.Reason, d.Text = NoCertificate, "no client certificate was shown, and every rule here asks for one"
	}
	if len(p.Allow) == 0 {
		d.Text, d.Fix = "there is no rule that lets anybody in", p.advice(&s, nil)
		return d
	}
	near := p.nearest(&s)
	d.Nearest, d.Fix = near.text(&s), p.advice(&s, near)
	return d
}

// LetsAnonymousIn reports whether somebody without a certificate can be let in.
func (p *Policy) LetsAnonymousIn() bool { return p.Decide(Subject{}).Allowed }

// Digest stands for what the policy says, in hexadecimal: policies with the same digest decide alike. It is "" for nil.
// Sessions are bound to it, so that none is resumed under other rules.
func (p *Policy) Digest() string {
	if p == nil {
		return ""
	}
	h := sha256.New()
	for _, list := range [][]Rule{p.Deny, p.Allow} {
		fmt.Fprintf(h, "%d;", len(list))
		for i := range list {
			fmt.Fprintf(h, "%t", list[i].Anyone)
			for _, f := range list[i].fields() {
				fmt.Fprintf(h, "%q", f.pattern)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Validate says what is wrong with the first rule that is wrong.
func (p *Policy) Validate() error {
	if p == nil {
		return nil
	}
	for _, list := range [][]Rule{p.Deny, p.Allow} {
		for i := range list {
			if err := list[i].Validate(); err != nil {
				return fmt.Errorf("%s: %w", list[i].place(), err)
			}
		}
	}
	return nil
}

// title names a subject in a sentence.
func (s *Subject) title() string {
	switch {
	case !s.Present:
		return "a client without a certificate"
	case s.Name == "":
		return "this client"
	}
	return s.Name
}

// place names a rule in a sentence.
func (r *Rule) place() string {
	if r.Name == "" {
		return "a rule"
	}
	return r.Name
}

// because says what of the subject fitted the rule.
func (r *Rule) because(s *Subject) string {
	var parts []string
	for _, f := range r.fields() {
		if f.pattern == "" {
			continue
		}
		for _, v := range s.values(f.key) {
			if f.key == "pin" || f.key == "serial" || f.alone.fitsValue(f.key, v) {
				part := f.label + " " + pki.Printable(shorten(v))
				if strings.Contains(f.pattern, "*") || strings.Contains(f.pattern, "/") && f.key == "ip" {
					part += " fits " + pki.Printable(f.pattern)
				}
				parts = append(parts, part)
				break
			}
		}
	}
	if len(parts) > 0 {
		return strings.Join(parts, " and ")
	}
	return "it is for " + r.String()
}

// fitsValue reports whether one value is what makes the field fit.
func (r *Rule) fitsValue(key, value string) bool {
	one := Subject{Present: true}
	switch key {
	case "cn":
		one.CommonName = value
	case "ou":
		one.Units = []string{value}
	case "dns":
		one.DNS = []string{value}
	case "ip":
		prefix, err := parsePrefix(value)
		if err != nil {
			return false
		}
		one.IPs = append(one.IPs, prefix.Addr())
	case "email":
		one.Emails = []string{value}
	case "uri":
		one.URIs = []string{value}
	}
	return r.fits(&one)
}
