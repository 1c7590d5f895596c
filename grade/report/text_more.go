package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/grade"
)

func (p *page) attacks(f *grade.Facts) {
	if len(f.Vulnerabilities) == 0 {
		return
	}
	p.heading("Attacks")
	for _, v := range orderedAttacks(f.Vulnerabilities) {
		text := strings.TrimSpace(string(v.Verdict) + ". " + v.Text)
		if v.Strength != "" {
			text += " (" + v.Strength + ")"
		}
		if len(v.CVE) > 0 {
			text += " " + strings.Join(v.CVE, ", ")
		}
		p.hanging("  ", v.Name+strings.Repeat(" ", max(23-columns(v.Name), 1)), 25, text, attackStyle(v.Verdict))
		for _, e := range v.Evidence {
			p.wrapped(strings.Repeat(" ", 25), e, Faint)
		}
	}
}

// orderedAttacks puts what succeeds first.
func orderedAttacks(all []grade.Vulnerability) []grade.Vulnerability {
	var ordered []grade.Vulnerability
	for _, verdict := range []grade.Verdict{grade.Vulnerable, grade.Potential, grade.Inconclusive, grade.NotVulnerable, grade.NotApplicable} {
		for _, v := range all {
			if v.Verdict == verdict {
				ordered = append(ordered, v)
			}
		}
	}
	return ordered
}

func attackStyle(v grade.Verdict) Style {
	switch v {
	case grade.Vulnerable:
		return Wrong
	case grade.Potential, grade.Inconclusive:
		return Caution
	case grade.NotApplicable:
		return Faint
	}
	return Plain
}

// outcomeOf says what a client comes to.
func outcomeOf(s *grade.Simulation) string {
	switch s.OK {
	case grade.Yes:
		parts := []string{s.Version.String(), s.SuiteName}
		for _, more := range []string{s.GroupName, s.KeyType, s.ALPN} {
			if more != "" {
				parts = append(parts, more)
			}
		}
		return strings.Join(parts, ", ")
	case grade.No:
		return "does not connect: " + s.Problem
	}
	return strings.TrimSuffix("unknown: "+s.Problem, ": ")
}

func (p *page) clients(f *grade.Facts) {
	if len(f.Simulations) == 0 {
		return
	}
	p.heading("Clients")
	cells := [][]string{{"client", "comes to"}}
	for i := range f.Simulations {
		cells = append(cells, []string{f.Simulations[i].Client, outcomeOf(&f.Simulations[i])})
	}
	p.grid(cells, func(i, col int) Style {
		if col == 1 && f.Simulations[i-1].OK != grade.Yes {
			return Caution
		}
		return Plain
	})
}

func (p *page) http(h *grade.HTTP) {
	if h == nil {
		return
	}
	p.heading("HTTP")
	p.labels([]label{{"answer", strings.TrimSpace(strconv.Itoa(h.Status) + " " + h.URL), Plain}, {"problem", h.Problem, Caution}, {"HSTS", hstsText(&h.HSTS), Plain}, {"", strings.Join(h.HSTS.Unfit, "; "), Faint}})
	for _, r := range h.Redirects {
		p.labels([]label{{"redirect", strings.TrimSuffix(fmt.Sprintf("%s: %d to %s", r.URL, r.Status, r.To), " to "), Plain}})
	}
	for _, field := range h.Headers {
		p.labels([]label{{"header", field.Name + ": " + field.Value, Plain}})
	}
	for i := range h.Cookies {
		p.labels([]label{{"cookie", cookieText(&h.Cookies[i]), Plain}})
	}
}

func cookieText(c *grade.Cookie) string {
	text := c.Name
	for _, flag := range []struct {
		name string
		set  bool
	}{{"Secure", c.Secure}, {"HttpOnly", c.HTTPOnly}} {
		if flag.set {
			text += ", " + flag.name
		} else {
			text += ", not " + flag.name
		}
	}
	if c.SameSite != "" {
		text += ", SameSite=" + c.SameSite
	}
	return text
}

func (p *page) dns(d *grade.DNS) {
	if d == nil {
		return
	}
	p.heading("DNS")
	p.labels([]label{dnsLabel(d)})
	for _, c := range d.CAA {
		p.labels([]label{{"CAA", c.Tag + " " + c.Value, Plain}})
	}
	for _, t := range d.TLSA {
		p.labels([]label{{"TLSA", strings.TrimSuffix(t.Record+": "+t.Text, ": "), Plain}})
	}
	p.labels([]label{{"MTA-STS", d.MTASTS, Plain}, {"problems", strings.Join(d.Problems, "; "), Caution}})
}

func (p *page) policies(result *grade.Result) {
	if result == nil {
		return
	}
	if len(result.Policies) > 0 {
		p.heading("Policies")
		for _, policy := range result.Policies {
			p.hanging("  ", "", 2, policy.Policy+": "+policyWord(&policy), Plain)
			for _, text := range append(append([]string(nil), policy.Failures...), policy.Uncertain...) {
				p.hanging("    ", "- ", 6, text, Plain)
			}
		}
	}
	if len(result.Misconfigurations) > 0 {
		p.heading("The twelve misconfigurations")
		for _, m := range result.Misconfigurations {
			p.hanging(fmt.Sprintf("  %3d  ", m.Number), "", 7, misconfigurationText(&m), misconfigurationStyle(m.Found))
		}
	}
}

func misconfigurationText(m *grade.Misconfiguration) string {
	found := map[grade.Answer]string{grade.Yes: "found", grade.No: "not found", grade.Unknown: "unknown", grade.Unasked: "not examined"}[m.Found]
	return strings.TrimSuffix(m.Name+": "+found+". "+m.Text, ". ")
}

func misconfigurationStyle(a grade.Answer) Style {
	switch a {
	case grade.Yes:
		return Wrong
	case grade.No:
		return Plain
	}
	return Faint
}
