package grade

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// RulesVersion is the version of the rules: the guide's revision and ours. It grows when a rule changes what it says.
const RulesVersion = "2009r-1"

// Options say how to judge.
type Options struct {
	// Policies to hold the facts against; nil: Mozilla's levels of the version below, NIST's, the BSI's and PCI's.
	// An empty slice that is not nil: none.
	Policies []Policy
	// Mozilla is the version of Mozilla's guidelines, "5.7", "5.8" or "6.0"; empty: the newest.
	Mozilla string
	// ServerKind names the software whose configuration comes first in fixes ("nginx", "Apache", "HAProxy", "Caddy",
	// "Go", "Java", "OpenSSL"); empty: what the facts tell.
	ServerKind string
	// NoSnippets leaves out what to write into which file; the sentence stays. For fleets.
	NoSnippets bool
}

// Judge applies all rules to facts and grades them. It never fails: where nothing can be judged the grade is empty and
// Incomplete says why. The facts are not changed.
func Judge(f *Facts, o Options) *Result {
	s := newSubject(f, o)
	r := &Result{Schema: FactsSchema, Rules: RulesVersion, Findings: []Finding{}}
	r.Incomplete = s.incomplete()
	if !s.judgeable() {
		if len(r.Incomplete) == 0 {
			r.Incomplete = []string{"no version of TLS is known to be offered"}
		}
		r.Findings = append(r.Findings, s.apply(scopeRules)...)
		return r
	}
	r.Protocol, r.KeyExchange, r.Cipher, r.Score = s.score.protocol, s.score.exchange, s.score.cipher, s.score.total
	for _, family := range families() {
		r.Findings = append(r.Findings, s.apply(family)...)
	}
	s.grade(r)
	sortFindings(r.Findings)
	r.Missing = s.missing(r)
	r.Misconfigurations = s.misconfigurations(r)
	r.Policies = s.policies(r)
	return r
}

// apply runs the rules of a family.
func (s *subject) apply(family []rule) []Finding {
	var findings []Finding
	for i := range family {
		if h := family[i].check(s); h != nil {
			findings = append(findings, s.finding(&family[i], h))
		}
	}
	return findings
}

// finding words a hit. Facts may come from a file that somebody else wrote, so what is in them is made printable again.
func (s *subject) finding(r *rule, h *hit) Finding {
	f := Finding{
		Rule: r.id, Severity: r.severity, Title: r.title, Reason: shorten(pki.Printable(h.reason)), Cap: r.cap,
		Reference: r.reference, Misconfiguration: r.number,
	}
	if h.severity != "" {
		f.Severity = h.severity
	}
	switch h.cap {
	case "":
	case noCap:
		f.Cap = ""
	default:
		f.Cap = h.cap
	}
	for i, line := range h.evidence {
		if i == maxEvidence {
			f.Evidence = append(f.Evidence, fmt.Sprintf("and %d more", len(h.evidence)-i))
			break
		}
		f.Evidence = append(f.Evidence, shorten(pki.Printable(line)))
	}
	// Facts from a file may have a verdict and nothing that it rests on.
	if f.Reason == "" {
		f.Reason = r.title + "."
	}
	if len(f.Evidence) == 0 {
		f.Evidence = []string{"none is on record"}
	}
	text, kind := r.fix, r.snippets
	if h.fix != "" {
		text = h.fix
	}
	if h.snippets != fixNone {
		kind = h.snippets
	}
	if text != "" {
		f.Fix = &Fix{Text: pki.Printable(text), Snippets: s.snippets(kind)}
	}
	return f
}

// maxLine bounds a reason or a line of evidence, in bytes.
const maxLine = 600

// shorten cuts a line where it becomes too long to read, between characters.
func shorten(line string) string {
	if len(line) <= maxLine {
		return line
	}
	end := maxLine
	for end > 0 && line[end]&0xc0 == 0x80 {
		end--
	}
	return line[:end] + " …"
}

// grade turns the score and the caps into letters.
func (s *subject) grade(r *Result) {
	letter := letterOf(r.Score)
	if letter == "A" {
		letter = "A+" // until something costs the plus
	}
	r.GradeIgnoringTrust, r.Grade = letter, letter
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Cap != "T" && f.Cap != "M" {
			r.GradeIgnoringTrust = worse(r.GradeIgnoringTrust, f.Cap)
		}
		r.Grade = worse(r.Grade, f.Cap)
		r.Mismatch = r.Mismatch || f.Cap == "M"
	}
}

// sortFindings puts the worst first: by severity, then by what they do to the grade, then as the rules stand.
func sortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		if c := a.Severity.rank() - b.Severity.rank(); c != 0 {
			return c
		}
		return b.Cap.rank() - a.Cap.rank()
	})
}

// incomplete lists the questions without an answer that the grade depends on.
func (s *subject) incomplete() []string {
	f := s.f
	var list []string
	add := func(format string, args ...any) { list = append(list, pki.Printable(fmt.Sprintf(format, args...))) }
	if f.Unreachable != "" {
		add("the server could not be examined: %s", f.Unreachable)
	}
	if f.Quick {
		add("this was a quick look: one handshake, so other versions, suites and vulnerabilities are unknown")
	}
	for i := range f.Protocols {
		p := &f.Protocols[i]
		switch {
		case p.Offered == Unknown:
			add("whether %s is offered", versionName(p.Version))
		case p.Offered == Yes && !p.Complete && !f.Quick && p.Version != VersionSSL20:
			add("not all suites of %s were asked for", versionName(p.Version))
		}
	}
	for _, g := range f.Gaps {
		if len(list) >= maxEvidence {
			add("and more")
			break
		}
		add("%s: %s", g.Probe, g.Reason)
	}
	for _, c := range s.chains {
		if c.Trusted == Unknown {
			add("whether the certificate is trusted%s", because(c.Missing, "; the certificate of its issuer is missing: "))
		}
		if c.Revoked == Unknown {
			add("whether the %s certificate is revoked", c.KeyType)
		}
	}
	if s.judgeable() {
		for _, what := range s.score.unknown {
			add("%s", what)
		}
	}
	return list
}

// because joins words behind an introduction; nothing where there are none.
func because(words []string, introduction string) string {
	if len(words) == 0 {
		return ""
	}
	return introduction + strings.Join(words, ", ")
}
