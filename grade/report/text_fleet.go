package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/grade"
)

// letters are the grades in the order in which they are counted.
var letters = []grade.Letter{"A+", "A", "A-", "B", "C", "D", "E", "F", "M", "T", ""}

// tally counts servers by grade.
type tally struct {
	Letter grade.Letter
	Count  int
}

// tallied counts the grades of the worst address of each server; grades that nobody has are left out.
func tallied(servers [][]Report) []tally {
	count := make(map[grade.Letter]int)
	for _, s := range servers {
		count[letterOf(&s[0])]++
	}
	var all []tally
	for _, l := range letters {
		if count[l] > 0 {
			all = append(all, tally{l, count[l]})
		}
	}
	return all
}

// spread is something to do, and the servers that need it.
type spread struct {
	Finding grade.Finding // the worst of those that it mends
	Also    int           // how many other findings it mends
	Hosts   []string
}

// Title says what is wrong.
func (s *spread) Title() string {
	title := s.Finding.Title + " (" + s.Finding.Rule + ")"
	if s.Also > 0 {
		title += " and " + plural(s.Also, "more finding") + " with the same fix"
	}
	return title
}

// Where says on how many servers.
func (s *spread) Where() string {
	return "on " + plural(len(s.Hosts), "server") + ": " + some(s.Hosts, 2)
}

// spreads lists what there is to do in a fleet: the worse things first, and among equals what most servers need.
func spreads(servers [][]Report) []spread {
	var all []spread
	place := make(map[string]int)
	rules := make(map[string]bool)
	for _, s := range servers {
		steps, _, _ := sorted(s[0].Result)
		seen := make(map[string]bool)
		for i := range steps {
			worst := steps[i].Worst()
			key := worst.Rule
			if worst.Fix != nil {
				key = worst.Fix.Text
			}
			k, ok := place[key]
			if !ok {
				k = len(all)
				place[key] = k
				all = append(all, spread{Finding: worst, Also: -1})
			}
			for _, f := range steps[i].Findings {
				if id := key + "\x00" + f.Rule; !rules[id] {
					rules[id] = true
					all[k].Also++
				}
			}
			if severityRank(worst.Severity) < severityRank(all[k].Finding.Severity) {
				all[k].Finding = worst
			}
			if !seen[key] {
				seen[key] = true
				all[k].Hosts = append(all[k].Hosts, s[0].Name())
			}
		}
	}
	slices.SortStableFunc(all, func(a, b spread) int {
		if d := severityRank(a.Finding.Severity) - severityRank(b.Finding.Severity); d != 0 {
			return d
		}
		return len(b.Hosts) - len(a.Hosts)
	})
	return all
}

// severityRank orders severities, the worst first.
func severityRank(s grade.Severity) int {
	return slices.Index([]grade.Severity{grade.Critical, grade.High, grade.Medium, grade.Low, grade.Info, grade.Good}, s)
}

// worstFirst orders servers by grade, and by the order in which they were asked for among equals. Those without a grade
// come first, for somebody should look; then those that can be attacked, whatever their certificate is worth.
func worstFirst(servers [][]Report) [][]Report {
	ordered := slices.Clone(servers)
	slices.SortStableFunc(ordered, func(a, b []Report) int { return placeOf(&b[0]) - placeOf(&a[0]) })
	return ordered
}

// placeOf is higher for what should be looked at sooner.
func placeOf(r *Report) int {
	l := letterOf(r)
	switch {
	case l == "":
		return 100
	case r.Result.GradeIgnoringTrust == "F":
		return 50 + rank(l)
	}
	return rank(l)
}

// fleetNote says what the grades of a fleet rest on, where that is not everything.
func fleetNote(servers [][]Report) string {
	quick, incomplete := 0, 0
	for _, s := range servers {
		switch {
		case letterOf(&s[0]) == "":
		case s[0].Facts.Quick:
			quick++
		case len(s[0].Result.Incomplete) > 0:
			incomplete++
		}
	}
	var parts []string
	if quick > 0 {
		parts = append(parts, plural(quick, "grade")+" from one handshake alone")
	}
	if incomplete > 0 {
		parts = append(parts, plural(incomplete, "grade")+" with questions left open")
	}
	if len(parts) == 0 {
		return ""
	}
	return sentence(strings.Join(parts, ", ") + ": the best they can be")
}

// fleet is the table of many servers: how they stand, what to do for most of them, and each in a line.
func (p *page) fleet(servers [][]Report) {
	var parts []string
	for _, t := range tallied(servers) {
		if t.Letter == "" {
			parts = append(parts, fmt.Sprintf("%d without a grade", t.Count))
			continue
		}
		parts = append(parts, fmt.Sprintf("%d × ", t.Count)+p.letter(t.Letter))
	}
	p.line(p.paint(Bold, plural(len(servers), "server")) + ": " + strings.Join(parts, ", "))
	if note := fleetNote(servers); note != "" {
		p.wrapped("  ", note, Caution)
	}
	if all := spreads(servers); len(all) > 0 {
		p.heading("Mend this first")
		for i, s := range all {
			if i == mostSteps && len(all) > mostSteps+1 && p.o.Verbose == 0 {
				p.wrapped("     ", fmt.Sprintf("and %d more", len(all)-i), Faint)
				break
			}
			p.hanging(fmt.Sprintf("  %-3d", i+1), p.paint(severityStyle(s.Finding.Severity), string(s.Finding.Severity))+strings.Repeat(" ", max(10-len(s.Finding.Severity), 1)), 15,
				s.Title()+", "+s.Where(), Plain)
			if s.Finding.Fix != nil {
				p.hanging("     ", "fix       ", 15, s.Finding.Fix.Text, Plain)
			}
		}
	}
	p.heading("Servers, the worst first")
	width := 0
	for _, s := range servers {
		width = max(width, columns(s[0].Name()))
	}
	fine := 0
	for _, s := range worstFirst(servers) {
		if steps, _, _ := sorted(s[0].Result); len(steps) == 0 && letterOf(&s[0]) != "" && p.o.Verbose == 0 {
			fine++
			continue
		}
		p.fleetLine(&s[0], min(width, 40))
	}
	if fine > 0 {
		p.line("  " + p.paint(Faint, fmt.Sprintf("and %s with nothing to mend", plural(fine, "server"))))
	}
}

// fleetLine is one server in one line.
func (p *page) fleetLine(r *Report, width int) {
	l, name := letterOf(r), r.Name()
	text := ""
	steps, _, _ := sorted(r.Result)
	switch {
	case l == "" && r.Facts != nil:
		text = verdictOf(r)
	case len(steps) > 0:
		text = steps[0].Worst().Title
		if n := len(steps) - 1; n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
	}
	head := "  " + p.letter(l) + strings.Repeat(" ", max(4-len(l), 1))
	if l == "" {
		head = "  -   "
	}
	head += name + strings.Repeat(" ", max(width-columns(name), 0)+2)
	room := max(p.width-6-max(width, columns(name))-2, 20)
	if columns(text) > room {
		text = cut(text, room)
	}
	p.line(head + text)
}

// cut shortens text to some columns.
func cut(text string, width int) string {
	n := 0
	for i, r := range text {
		n += columns(string(r))
		if n > width-1 {
			return strings.TrimRight(text[:i], " ") + "…"
		}
	}
	return text
}
