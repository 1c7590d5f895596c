package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/tlswright/tlswright/grade"
)

// Text writes the reports for a person: the grade first, then what is wrong and how to mend it, then the rest in short.
// Several addresses of one server that come out alike are told once; many servers make a table, the worst first.
func Text(w io.Writer, reports []Report, o Options) error { return writeText(w, cleanAll(reports), o) }

func writeText(w io.Writer, reports []Report, o Options) error {
	return joined(w, func(b *bytes.Buffer) error {
		p := newPage(b, o)
		servers := grouped(reports)
		if len(servers) > 1 {
			p.fleet(servers)
			if o.Verbose == 0 {
				return nil
			}
		}
		for i, s := range servers {
			if i > 0 || len(servers) > 1 {
				p.line("")
			}
			p.server(s)
		}
		return nil
	})
}

// Line is a report in one line without its end: grade, target, and the worst finding. For a fleet, as the scans finish.
func Line(r Report, o Options) string {
	r = clean(r)
	var b bytes.Buffer
	p := newPage(&b, o)
	p.fleetLine(&r, columns(r.Name()))
	return strings.TrimSuffix(b.String(), "\n")
}

// grouped brings together the addresses of one server, the worst first in each group. Files stand alone.
func grouped(reports []Report) [][]Report {
	var groups [][]Report
	place := make(map[string]int)
	for _, r := range reports {
		name := r.Name()
		i, ok := place[name]
		if !ok || r.Facts == nil {
			i = len(groups)
			place[name] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], r)
		for g, k := groups[i], len(groups[i])-1; k > 0 && rank(letterOf(&g[k])) > rank(letterOf(&g[k-1])); k-- {
			g[k], g[k-1] = g[k-1], g[k]
		}
	}
	return groups
}

// alike reports whether two addresses of a server were judged alike.
func alike(a, b *Report) bool {
	if letterOf(a) != letterOf(b) || (a.Result == nil) != (b.Result == nil) || (a.Facts.Unreachable == "") != (b.Facts.Unreachable == "") {
		return false
	}
	if a.Result == nil {
		return a.Facts.Unreachable == b.Facts.Unreachable
	}
	if len(a.Result.Findings) != len(b.Result.Findings) {
		return false
	}
	for i := range a.Result.Findings {
		if a.Result.Findings[i].Rule != b.Result.Findings[i].Rule {
			return false
		}
	}
	return true
}

// server tells about one server at its addresses: the worst of them in full, and the others as far as they differ.
func (p *page) server(addresses []Report) {
	r := &addresses[0]
	p.head(r, addresses)
	steps, notes, _ := sorted(r.Result)
	p.steps(steps, r)
	for i := range addresses[1:] {
		other := &addresses[i+1]
		if alike(r, other) {
			continue
		}
		p.line("")
		p.line(p.paint(Bold, "At "+other.Facts.Address) + "  " + p.letter(letterOf(other)) + "  " + verdictOf(other))
		theirs, _, _ := sorted(other.Result)
		if len(theirs) > 0 {
			p.wrapped("  ", titles(theirs), Plain)
		}
	}
	if p.o.Verbose > 0 {
		p.everything(r)
		return
	}
	p.protocols(r, false)
	p.labels(summaryOf(r))
	p.labels([]label{{"to A+", strings.Join(missingFor(r.Result), "; "), Plain}})
	p.gaps(r)
	if len(notes) > 0 {
		p.labels([]label{{"notes", findingTitles(notes), Faint}})
	}
}

// head is the grade, and what was judged.
func (p *page) head(r *Report, addresses []Report) {
	l := letterOf(r)
	switch {
	case r.Facts == nil:
		p.line(p.paint(Bold, "Files") + "  " + verdictOf(r))
		return
	case l == "":
		p.line(p.paint(Bold, "No grade") + "  " + p.paint(Bold, r.Name()))
		p.wrapped("  ", sentence(verdictOf(r)), Caution)
		return
	}
	first := "Grade " + string(l) + "  " + r.Name()
	painted := p.paint(Bold, "Grade ") + p.letter(l) + "  " + p.paint(Bold, r.Name())
	if about := strings.Join(aboutServer(r, addresses), ", "); about != "" && columns(first)+2+columns(about) <= p.width {
		p.line(painted + "  " + p.paint(Faint, about))
	} else {
		p.line(painted)
		p.wrapped("  ", about, Faint)
	}
	p.wrapped("  ", sentence(verdictOf(r)), Plain)
}

// aboutServer is where the server is, and how it calls itself.
func aboutServer(r *Report, addresses []Report) []string {
	var same, parts []string
	for i := range addresses {
		if address := addresses[i].Facts.Address; address != "" && address != r.Facts.Host && alike(r, &addresses[i]) {
			same = append(same, address)
		}
	}
	if len(same) > 0 {
		parts = append(parts, strings.Join(same, " and "))
	}
	if r.Facts.Software != "" {
		parts = append(parts, r.Facts.Software)
	}
	return parts
}

// mostSteps is how many things to do the summary shows.
const mostSteps = 5

// steps are the things to do, the worst first.
func (p *page) steps(steps []step, r *Report) {
	if r.Result == nil {
		return
	}
	p.line("")
	if len(steps) == 0 {
		p.line(p.paint(Right, "Nothing to mend."))
		return
	}
	p.line(p.paint(Bold, stepsTitle(r)))
	for i := range steps {
		if i == mostSteps && p.o.Verbose == 0 && len(steps) > mostSteps+1 {
			p.wrapped("     ", fmt.Sprintf("and %d more: %s", len(steps)-i, titles(steps[i:])), Plain)
			return
		}
		p.step(i+1, &steps[i])
	}
}

func (p *page) step(number int, s *step) {
	worst := s.Worst()
	head := worst.Title + " (" + worst.Rule
	if worst.Cap != "" {
		head += ", caps at " + string(worst.Cap)
	}
	p.hanging(fmt.Sprintf("  %-3d", number), p.paint(severityStyle(worst.Severity), string(worst.Severity))+strings.Repeat(" ", max(10-len(worst.Severity), 1)), 15, head+")", Bold)
	if p.o.Verbose > 0 {
		p.wrapped("     ", worst.Reason, Plain)
		for _, e := range worst.Evidence {
			p.wrapped("       ", e, Faint)
		}
	}
	for _, other := range s.Others() {
		p.hanging("     ", "also      ", 15, other.Title+" ("+other.Rule+")", Plain)
		if p.o.Verbose > 0 {
			p.wrapped("       ", other.Reason, Faint)
		}
	}
	p.fix(s.Fix)
	if p.o.Verbose > 0 && len(worst.Reference) > 0 {
		p.wrapped("     ", "see "+strings.Join(worst.Reference, ", "), Faint)
	}
}

// fix is what to change and where. A piece of configuration is never wrapped: it is there to be copied.
func (p *page) fix(f *grade.Fix) {
	if f == nil {
		return
	}
	p.hanging("     ", "fix       ", 15, f.Text, Plain)
	for i, s := range f.Snippets {
		if i > 0 && p.o.Verbose < 2 {
			return
		}
		place := s.Server
		if s.File != "" {
			place += ", " + s.File
		}
		p.wrapped("               ", "in "+place+":", Faint)
		for line := range strings.SplitSeq(s.Text, "\n") {
			p.line("               " + p.paint(Bold, line))
		}
	}
}

func severityStyle(s grade.Severity) Style {
	switch s {
	case grade.Critical, grade.High:
		return Wrong
	case grade.Medium, grade.Low:
		return Caution
	case grade.Good:
		return Right
	}
	return Faint
}

func titles(steps []step) string {
	var words []string
	for i := range steps {
		words = append(words, steps[i].Worst().Title)
	}
	return strings.Join(words, "; ")
}

func findingTitles(findings []grade.Finding) string {
	var words []string
	for _, f := range findings {
		words = append(words, f.Title)
	}
	return strings.Join(words, "; ")
}

// sentence begins with a capital letter and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
