package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/grade"
)

// step is one thing to do: the problems that one and the same change mends, the worst first.
type step struct {
	Findings []grade.Finding
	Fix      *grade.Fix // nil: nobody knows what to do
}

// Worst is the finding that gives the step its place.
func (s *step) Worst() grade.Finding { return s.Findings[0] }

// Others are the findings that go away as well.
func (s *step) Others() []grade.Finding { return s.Findings[1:] }

// sorted puts the findings into three heaps: what to do, what is only worth knowing, and what is good.
func sorted(result *grade.Result) (steps []step, notes, good []grade.Finding) {
	if result == nil {
		return nil, nil, nil
	}
	place := make(map[string]int)
	for _, f := range result.Findings {
		switch f.Severity {
		case grade.Good:
			good = append(good, f)
			continue
		case grade.Info:
			notes = append(notes, f)
			continue
		}
		key := fixKey(f.Fix)
		if i, ok := place[key]; ok && key != "" {
			steps[i].Findings = append(steps[i].Findings, f)
			continue
		}
		place[key] = len(steps)
		steps = append(steps, step{Findings: []grade.Finding{f}, Fix: f.Fix})
	}
	return steps, notes, good
}

// fixKey is the same for fixes that are the same; "" for none.
func fixKey(f *grade.Fix) string {
	if f == nil {
		return ""
	}
	key := f.Text
	for _, s := range f.Snippets {
		key += "\x00" + s.Server + "\x00" + s.Text
	}
	return key
}

// meaningOf says a letter in words.
func meaningOf(l grade.Letter) string {
	switch l {
	case "A+":
		return "as good as it gets"
	case "A":
		return "strong"
	case "A-":
		return "strong, with a warning"
	case "B":
		return "usable, with weaknesses"
	case "C":
		return "weak"
	case "D", "E":
		return "very weak"
	case "F":
		return "broken"
	case "T":
		return "the certificate is not trusted"
	case "M":
		return "the certificate is for another name"
	}
	return "no grade"
}

// verdictOf says in a sentence what the grade rests on.
func verdictOf(r *Report) string {
	switch {
	case r.Facts != nil && r.Facts.Unreachable != "":
		return "nothing could be examined: " + r.Facts.Unreachable
	case r.Result == nil:
		return "nothing was judged"
	case r.Facts == nil:
		return filesVerdict(r)
	}
	text := meaningOf(r.Result.Grade)
	switch { // nothing that is still unknown could mend the worst grades
	case rank(r.Result.Grade) >= rank("F"):
	case r.Facts.Quick:
		text += ", as far as one handshake tells"
	case len(r.Result.Incomplete) > 0:
		text += ", as far as there were answers"
	}
	if steps, _, _ := sorted(r.Result); len(steps) > 0 && r.Result.Grade == "A+" {
		text += "; " + plural(len(steps), "thing") + " could be better"
	} else if len(steps) > 0 && rank(r.Result.Grade) <= rank("F") {
		text += "; " + plural(len(steps), "thing") + " to mend"
		critical := 0
		for i := range steps {
			if steps[i].Worst().Severity == grade.Critical {
				critical++
			}
		}
		if critical > 0 {
			text += fmt.Sprintf(", %d of them critical", critical)
		}
	}
	if r.Result.Grade == "T" && r.Result.Mismatch {
		text += ", and for another name"
	}
	if l := r.Result.GradeIgnoringTrust; l != "" && l != r.Result.Grade {
		text += "; " + string(l) + " apart from that"
		if r.hasFinding("chain-unknown") {
			text += ", if nothing is missing from the chain"
		}
	}
	return text
}

// hasFinding reports whether a rule fired.
func (r *Report) hasFinding(rule string) bool {
	return slices.ContainsFunc(r.Result.Findings, func(f grade.Finding) bool { return f.Rule == rule })
}

// stepsTitle stands above the things to do.
func stepsTitle(r *Report) string {
	if letterOf(r) == "A+" {
		return "Could be better"
	}
	return "Mend this first"
}

// missingFor lists what separates a result from A+. What stands among the steps is named by its title alone, for its fix
// is told there.
func missingFor(result *grade.Result) []string {
	if result == nil || result.Grade == "A+" {
		return nil
	}
	var all []string
	for _, m := range result.Missing {
		for i := range result.Findings {
			f := &result.Findings[i]
			if f.Title != "" && strings.HasPrefix(m, f.Title+" ("+f.Rule) {
				m = f.Title + " (" + f.Rule + ")"
				break
			}
		}
		all = append(all, m)
	}
	return all
}

func filesVerdict(r *Report) string {
	steps, _, _ := sorted(r.Result)
	return fmt.Sprintf("%s examined, %s to mend", plural(len(r.Files), "file"), plural(len(steps), "thing"))
}

// plural counts things: "1 file", "2 files".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// label is one line about a server: what it is about, and what there is to say.
type label struct {
	Name  string
	Value string
	Style Style
}

// summaryOf is what is known about a server besides its problems, in one line each.
func summaryOf(r *Report) []label {
	f := r.Facts
	if f == nil || f.Unreachable != "" {
		return nil
	}
	var out []label
	add := func(l label) {
		if l.Value != "" {
			out = append(out, l)
		}
	}
	add(scoreLabel(r))
	add(scanLabel(f))
	for i := range f.Chains {
		for _, l := range chainLabels(&f.Chains[i], f.Time) {
			add(l)
		}
	}
	add(label{"groups", groupsText(f), Plain})
	add(attacksLabel(f))
	add(clientsLabel(f))
	add(httpLabel(f.HTTP))
	add(dnsLabel(f.DNS))
	add(policiesLabel(r.Result))
	return out
}

// scoreLabel is the score with its parts, rounded down.
func scoreLabel(r *Report) label {
	if letterOf(r) == "" || isOutline(r) {
		return label{}
	}
	x := r.Result
	return label{"score", fmt.Sprintf("%d: protocol %d, key exchange %d, cipher strength %d", int(x.Score), int(x.Protocol), int(x.KeyExchange), int(x.Cipher)), Plain}
}

// scanLabel says how the facts were come by.
func scanLabel(f *grade.Facts) label {
	took := fmt.Sprintf("%.1f s", f.Seconds)
	if f.Seconds < 1 {
		took = fmt.Sprintf("%d ms", int(f.Seconds*1000))
	}
	text := fmt.Sprintf("%s, %s in %s", f.Time.UTC().Format("2006-01-02 15:04 UTC"), plural(f.Connections, "connection"), took)
	if f.Quick {
		text += ", from one handshake alone"
	}
	return label{"scanned", text, Plain}
}

func groupsText(f *grade.Facts) string {
	var names []string
	for _, g := range f.Groups {
		name := g.Name
		if g.Hybrid {
			name += " (post-quantum)"
		}
		names = append(names, name)
	}
	for _, d := range f.DH {
		text := fmt.Sprintf("DH of %d bits", d.Bits)
		if d.Known != "" {
			text += " (" + d.Known + ")"
		}
		names = append(names, text)
	}
	return strings.Join(names, ", ")
}

// chainLabels are the lines about one certificate.
func chainLabels(c *grade.Chain, now time.Time) []label {
	leaf := c.Leaf()
	if leaf == nil {
		return []label{{"certificate", "none was sent", Wrong}}
	}
	names := leaf.Names
	if len(names) == 0 {
		names = []string{leaf.Subject}
	}
	until, style := untilText(leaf.NotAfter, now)
	lines := []label{
		{"certificate", leaf.Key + ", for " + some(names, 4), Plain},
		{"", "by " + leaf.Issuer + ", " + until, style},
	}
	trust, style := trustText(c)
	return append(lines, label{"trust", trust, style})
}

// untilText says how long a certificate is valid.
func untilText(end, now time.Time) (string, Style) {
	days := int(end.Sub(now).Hours() / 24)
	date := end.UTC().Format(time.DateOnly)
	switch {
	case end.Before(now):
		return fmt.Sprintf("ran out on %s, %s ago", date, plural(-days, "day")), Wrong
	case days < 15:
		return fmt.Sprintf("until %s, in %s", date, plural(days, "day")), Caution
	}
	return fmt.Sprintf("until %s, in %s", date, plural(days, "day")), Plain
}

func trustText(c *grade.Chain) (string, Style) {
	style := Plain
	var parts []string
	for _, t := range c.Trust {
		switch {
		case t.Trusted:
			parts = append(parts, t.Store+" yes")
		case t.Reason == "" || columns(t.Reason) > 30: // the whole sentence is among the details
			parts = append(parts, t.Store+" no")
		default:
			parts = append(parts, t.Store+" no ("+t.Reason+")")
		}
	}
	if c.Trusted == grade.No {
		style = Wrong
	}
	switch {
	case c.NameMatches == grade.No && c.Suggestion != "":
		parts, style = append(parts, "not for this name (perhaps "+c.Suggestion+")"), Wrong
	case c.NameMatches == grade.No:
		parts, style = append(parts, "not for this name"), Wrong
	}
	switch {
	case c.Complete == grade.No && c.AIARepairs == grade.Yes:
		parts = append(parts, "chain incomplete, but can be fetched")
	case c.Complete == grade.No:
		parts = append(parts, "chain incomplete")
	case c.Complete == grade.Yes:
		parts = append(parts, "chain complete")
	}
	if c.Revoked == grade.Yes {
		parts, style = append(parts, "revoked"), Wrong
	}
	if c.Staple != nil {
		parts = append(parts, "staple "+c.Staple.Status)
	}
	if len(c.SCTs) > 0 {
		parts = append(parts, plural(len(c.SCTs), "SCT"))
	}
	return strings.Join(parts, ", "), style
}

// some joins the first few words, and counts the others.
func some(words []string, most int) string {
	if len(words) <= most+1 {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d others", strings.Join(words[:most], ", "), len(words)-most)
}

// attacks sorts the verdicts on attacks by their names.
func attacks(f *grade.Facts) map[grade.Verdict][]string {
	by := make(map[grade.Verdict][]string)
	for _, v := range f.Vulnerabilities {
		by[v.Verdict] = append(by[v.Verdict], v.Name)
	}
	return by
}

func attacksLabel(f *grade.Facts) label {
	if len(f.Vulnerabilities) == 0 {
		return label{}
	}
	by, style := attacks(f), Right
	var parts []string
	if names := by[grade.Vulnerable]; len(names) > 0 {
		parts, style = append(parts, "succeed: "+strings.Join(names, ", ")), Wrong
	} else {
		parts = append(parts, fmt.Sprintf("none of %d succeeds", len(f.Vulnerabilities)))
	}
	if names := by[grade.Potential]; len(names) > 0 {
		parts = append(parts, "possible: "+strings.Join(names, ", "))
	}
	if names := by[grade.Inconclusive]; len(names) > 0 {
		parts = append(parts, "unknown: "+strings.Join(names, ", "))
		if style == Right {
			style = Caution
		}
	}
	return label{"attacks", strings.Join(parts, "; "), style}
}

func clientsLabel(f *grade.Facts) label {
	var failing []string
	known := 0
	for _, s := range f.Simulations {
		switch s.OK {
		case grade.No:
			known++
			failing = append(failing, s.Client)
		case grade.Yes:
			known++
		}
	}
	if known == 0 {
		return label{}
	}
	text := fmt.Sprintf("%d of %d connect", known-len(failing), known)
	if len(failing) > 0 {
		text += "; not " + some(failing, 5)
	}
	return label{"clients", text, Plain}
}

func httpLabel(h *grade.HTTP) label {
	if h == nil {
		return label{}
	}
	if h.Problem != "" {
		return label{"http", "no answer: " + h.Problem, Plain}
	}
	parts := []string{hstsText(&h.HSTS)}
	switch {
	case h.PlainHTTP == grade.No:
		parts = append(parts, "no plain HTTP")
	case h.RedirectsToHTTPS == grade.Yes:
		parts = append(parts, "plain HTTP leads to HTTPS")
	case h.RedirectsToHTTPS == grade.No:
		parts = append(parts, "plain HTTP stays plain")
	}
	return label{"http", strings.Join(parts, "; "), Plain}
}

func hstsText(h *grade.HSTS) string {
	switch {
	case h.Invalid != "":
		return "HSTS invalid: " + h.Invalid
	case !h.Present:
		return "no HSTS"
	}
	text := "HSTS for " + plural(int(min(h.MaxAge/86400, 1<<30)), "day")
	if h.SubDomains {
		text += ", subdomains too"
	}
	if h.Preloadble == grade.Yes {
		text += ", fit for preloading"
	}
	return text
}

func dnsLabel(d *grade.DNS) label {
	if d == nil {
		return label{}
	}
	var parts []string
	switch {
	case len(d.CAA) == 0:
		parts = append(parts, "no CAA")
	case d.CAAAllows == grade.No:
		parts = append(parts, "CAA at "+d.CAAAt+" does not allow the issuer")
	default:
		parts = append(parts, "CAA at "+d.CAAAt)
	}
	for _, t := range d.TLSA {
		switch t.Matches {
		case grade.Yes:
			parts = append(parts, "TLSA matches")
		case grade.No:
			parts = append(parts, "TLSA does not match")
		}
	}
	if d.ECH {
		parts = append(parts, "ECH")
	}
	if d.Authentic == grade.Yes {
		parts = append(parts, "signed (DNSSEC)")
	}
	return label{"dns", strings.Join(parts, ", "), Plain}
}

func policiesLabel(result *grade.Result) label {
	if result == nil {
		return label{}
	}
	var parts []string
	for _, p := range result.Policies {
		parts = append(parts, p.Policy+" "+policyWord(&p))
	}
	return label{"policies", strings.Join(parts, ", "), Plain}
}

func policyWord(p *grade.PolicyResult) string {
	switch p.Complies {
	case grade.Yes:
		return "yes"
	case grade.No:
		return fmt.Sprintf("no (%d)", len(p.Failures))
	}
	return "unknown"
}
