package report

import (
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/grade"
)

// protocols is the table of versions; withSuites unfolds it.
func (p *page) protocols(r *Report, withSuites bool) {
	if r.Facts == nil || len(r.Facts.Protocols) == 0 || r.Facts.Unreachable != "" {
		return
	}
	rows := protocolRows(r.Facts)
	cells := [][]string{{"protocol", "offered", "suites", "order", "forward secrecy", "worst suite"}}
	for _, row := range rows {
		count := ""
		if row.Offered == grade.Yes {
			count = strconv.Itoa(len(row.Suites))
		}
		cells = append(cells, []string{row.Name, string(row.Offered), count, row.Order, row.Forward, row.Worst})
	}
	if withSuites {
		p.heading("Protocols")
	} else {
		p.line("")
	}
	p.grid(cells, func(i, col int) Style {
		switch {
		case col == 1:
			return rows[i-1].Style
		case col == 5:
			return verdictStyle(rows[i-1].Worst)
		}
		return Plain
	})
	if !withSuites {
		p.line("")
		return
	}
	for _, row := range rows {
		p.suites(&row)
	}
}

func verdictStyle(word string) Style {
	switch word {
	case "good":
		return Right
	case "weak":
		return Caution
	case "unsafe":
		return Wrong
	}
	return Plain
}

func (p *page) suites(row *protocolRow) {
	if len(row.Suites) == 0 {
		return
	}
	order := ""
	if row.Order != "" {
		order = ", in the " + row.Order + " order"
	}
	p.heading("Suites of " + row.Name + order)
	cells := [][]string{{"number", "name", "worth", "with"}}
	reasons := make(map[string]bool)
	var against []string
	for _, s := range row.Suites {
		cells = append(cells, []string{s.ID, s.Name, s.Verdict, s.Detail})
		if s.Why != "" && !reasons[s.Why] {
			reasons[s.Why] = true
			against = append(against, s.Verdict+": "+s.Why)
		}
	}
	p.grid(cells, func(i, col int) Style {
		if col == 2 {
			return verdictStyle(row.Suites[i-1].Verdict)
		}
		return Plain
	})
	for _, reason := range against {
		p.hanging("  ", "- ", 4, reason, Faint)
	}
	if row.Note != "" {
		p.wrapped("  ", row.Note, Caution)
	}
}

// gaps are the questions that got no answer.
func (p *page) gaps(r *Report) {
	if r.Result != nil && len(r.Result.Incomplete) > 0 {
		p.labels([]label{{"incomplete", strings.Join(r.Result.Incomplete, "; ") + ": the grade is the best it can be", Caution}})
	}
	if r.Facts == nil || len(r.Facts.Gaps) == 0 {
		return
	}
	var parts []string
	for _, g := range r.Facts.Gaps {
		parts = append(parts, g.Probe+" ("+g.Reason+")")
	}
	p.labels([]label{{"no answer", strings.Join(parts, "; "), Caution}})
}

// everything is what -v unfolds.
func (p *page) everything(r *Report) {
	p.files(r)
	if r.Facts == nil || r.Facts.Unreachable != "" {
		return
	}
	_, notes, good := sorted(r.Result)
	p.findings("Notes", notes)
	p.findings("Good", good)
	if r.Result != nil && len(r.Result.Missing) > 0 {
		p.heading("What is missing for A+")
		for _, m := range r.Result.Missing {
			p.hanging("  ", "- ", 4, m, Plain)
		}
	}
	p.protocols(r, true)
	p.heading("Score")
	p.labels([]label{scoreLabel(r), scanLabel(r.Facts)})
	for i := range r.Facts.Chains {
		p.chain(&r.Facts.Chains[i], r.Facts.Time)
	}
	p.keyExchange(r.Facts)
	p.features(r.Facts)
	p.attacks(r.Facts)
	p.clients(r.Facts)
	p.http(r.Facts.HTTP)
	p.dns(r.Facts.DNS)
	p.policies(r.Result)
	if len(r.Facts.Gaps) > 0 || r.Result != nil && len(r.Result.Incomplete) > 0 {
		p.heading("Questions without an answer")
		p.gaps(r)
	}
}

func (p *page) findings(title string, findings []grade.Finding) {
	if len(findings) == 0 {
		return
	}
	p.heading(title)
	for _, f := range findings {
		p.hanging("  ", "- ", 4, f.Title+" ("+f.Rule+"). "+f.Reason, Plain)
		for _, e := range f.Evidence {
			p.wrapped("      ", e, Faint)
		}
		if f.Fix != nil {
			p.hanging("    ", "fix       ", 14, f.Fix.Text, Plain)
		}
	}
}

func (p *page) files(r *Report) {
	if len(r.Files) == 0 {
		return
	}
	p.heading("Files")
	cells := [][]string{{"mode", "owner", "kind", "file"}}
	for _, f := range r.Files {
		text := f.Path
		if len(f.Problems) > 0 {
			text += ": " + strings.Join(f.Problems, "; ")
		}
		cells = append(cells, []string{f.Mode, f.Owner + ":" + f.Group, f.Kind, text})
	}
	p.grid(cells, func(i, _ int) Style {
		if len(r.Files[i-1].Problems) > 0 {
			return Caution
		}
		return Plain
	})
}

func (p *page) chain(c *grade.Chain, now time.Time) {
	p.heading("Certificate, " + c.KeyType)
	p.labels(chainLabels(c, now))
	p.labels(chainDetails(c, now))
}

func (p *page) keyExchange(f *grade.Facts) {
	if len(f.Groups)+len(f.DH)+len(f.Schemes) == 0 {
		return
	}
	p.heading("Key exchange and signatures")
	order := map[grade.Answer]string{grade.Yes: "the server's", grade.No: "the client's", grade.Unknown: "unknown"}[f.GroupOrder]
	p.labels([]label{{"groups", groupsText(f), Plain}, {"order", order, Plain}})
	var names []string
	for _, s := range f.Schemes {
		names = append(names, s.Name)
	}
	p.labels([]label{{"signatures", strings.Join(names, ", "), Plain}})
}

func (p *page) features(f *grade.Facts) {
	all := features(f)
	if len(all) == 0 && len(f.Features.ALPN) == 0 {
		return
	}
	p.heading("Features")
	cells := [][]string{{"", "", ""}}
	for _, x := range all {
		cells = append(cells, []string{x.Name, string(x.Answer), x.Note})
	}
	if len(f.Features.ALPN) > 0 {
		cells = append(cells, []string{"ALPN", "yes", strings.Join(f.Features.ALPN, ", ")})
	}
	for _, t := range f.Features.Tolerance {
		cells = append(cells, []string{"tolerates " + t.Probe, string(t.OK), t.Text})
	}
	p.grid(cells, func(i, col int) Style {
		if col == 1 && i <= len(all) {
			return all[i-1].Style()
		}
		return Plain
	})
}
