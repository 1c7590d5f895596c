package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/grade"
)

// htmlFleet is the head of a page about many servers.
type htmlFleet struct {
	Title    string
	Note     string
	Parts    []htmlPart
	Problems []htmlProblem
	Rows     []htmlRow
}

// htmlPart is one grade's part of the bar, which is 1000 wide.
type htmlPart struct {
	Grade    htmlGrade
	Count    int
	X, Width int
}

type htmlProblem struct {
	Number                      int
	Title, Severity, Where, Fix string
}

type htmlRow struct {
	Grade               htmlGrade
	Name, Anchor, First string
	Until               htmlFact
}

// mostProblems is how many problems of a fleet the page lists.
const mostProblems = 10

func fleetOf(servers [][]Report, title string) *htmlFleet {
	f := &htmlFleet{Title: title, Note: fleetNote(servers)}
	if title == "" {
		f.Title = "TLS of " + plural(len(servers), "server")
	}
	done := 0
	for _, t := range tallied(servers) {
		part := htmlPart{Grade: htmlGradeOf(t.Letter), Count: t.Count, X: done * 1000 / len(servers)}
		done += t.Count
		part.Width = done*1000/len(servers) - part.X
		f.Parts = append(f.Parts, part)
	}
	for i, s := range spreads(servers) {
		if i == mostProblems {
			break
		}
		p := htmlProblem{Number: i + 1, Title: s.Title(), Severity: string(s.Finding.Severity), Where: s.Where()}
		if s.Finding.Fix != nil {
			p.Fix = s.Finding.Fix.Text
		}
		f.Problems = append(f.Problems, p)
	}
	for i, s := range servers {
		f.Rows = append(f.Rows, fleetRow(&s[0], i))
	}
	return f
}

func fleetRow(r *Report, i int) htmlRow {
	row := htmlRow{Grade: htmlGradeOf(letterOf(r)), Name: r.Name()}
	if i < mostUnfolded {
		row.Anchor = anchorOf(i)
	}
	steps, _, _ := sorted(r.Result)
	switch {
	case letterOf(r) == "":
		row.First = verdictOf(r)
	case len(steps) > 0:
		row.First = steps[0].Worst().Title
	default:
		row.First = "nothing to mend"
	}
	if r.Facts != nil && len(r.Facts.Chains) > 0 && r.Facts.Chains[0].Leaf() != nil {
		text, style := untilText(r.Facts.Chains[0].Leaf().NotAfter, r.Facts.Time)
		row.Until = htmlFact{Value: text, Class: classOf(style)}
	}
	return row
}

func classOf(s Style) string {
	switch s {
	case Wrong:
		return "is-bad"
	case Caution:
		return "is-caution"
	case Right:
		return "is-good"
	case Faint:
		return "is-faint"
	}
	return ""
}

func htmlFacts(labels ...label) []htmlFact {
	var facts []htmlFact
	for _, l := range labels {
		if l.Value != "" {
			facts = append(facts, htmlFact{l.Name, l.Value, classOf(l.Style)})
		}
	}
	return facts
}

func htmlProtocols(f *grade.Facts) []htmlProtocol {
	var rows []htmlProtocol
	for _, row := range protocolRows(f) {
		h := htmlProtocol{protocolRow: row, WorstClass: classOf(verdictStyle(row.Worst))}
		for _, s := range row.Suites {
			h.Shown = append(h.Shown, htmlSuite{s, classOf(verdictStyle(s.Verdict))})
		}
		rows = append(rows, h)
	}
	return rows
}

func chainCards(f *grade.Facts) []htmlCard {
	var cards []htmlCard
	for i := range f.Chains {
		c := &f.Chains[i]
		title := "Certificate"
		if len(f.Chains) > 1 {
			title += ", " + c.KeyType
		}
		if !c.SNI {
			title += ", without a name"
		}
		cards = append(cards, htmlCard{Title: title, Facts: htmlFacts(chainLabels(c, f.Time)...), More: htmlFacts(chainDetails(c, f.Time)...)})
	}
	return cards
}

// chainDetails are the lines about a certificate that need not be seen at first.
func chainDetails(c *grade.Chain, now time.Time) []label {
	var all []label
	for _, check := range c.Checks {
		style := Plain
		if check.Outcome == "failed" {
			style = Wrong
		}
		all = append(all, label{check.Check, strings.TrimSuffix(check.Outcome+": "+check.Text, ": "), style})
	}
	for _, t := range c.Trust {
		if !t.Trusted && t.Reason != "" {
			all = append(all, label{t.Store, t.Reason, Plain})
		}
	}
	for _, text := range c.Revocation {
		all = append(all, label{"revocation", text, Plain})
	}
	for i, cert := range c.Sent {
		until, style := untilText(cert.NotAfter, now)
		all = append(all, label{"sent " + strconv.Itoa(i), fmt.Sprintf("%s; %s; signed with %s; %s", cert.Subject, cert.Key, cert.Signature, until), style}, label{"sha256", cert.SHA256, Faint})
	}
	if leaf := c.Leaf(); leaf != nil {
		all = append(all, label{"names", some(leaf.Names, 50), Plain}, label{"serial", leaf.Serial, Plain}, label{"pin", leaf.SPKI, Plain}, label{"weak key", leaf.WeakKey, Wrong})
	}
	all = append(all, label{"missing", strings.Join(c.Missing, "; "), Caution}, label{"surplus", strings.Join(c.Surplus, "; "), Caution}, label{"shared with", some(c.SharedWith, 20), Caution})
	for _, s := range c.SCTs {
		all = append(all, label{"SCT", fmt.Sprintf("%s, %s, in the %s: valid %s", s.Log, s.Time.UTC().Format(time.DateOnly), s.Source, s.Valid), Plain})
	}
	all = append(all, label{"CT policy", strings.TrimSuffix(string(c.CTPolicy)+": "+c.CTReason, ": "), Plain})
	for _, l := range c.Lint {
		all = append(all, label{"lint", fmt.Sprintf("%s, certificate %d: %s (%s)", l.Severity, l.Depth, l.Text, l.Name), Plain})
	}
	return all
}

// cardsOf are the other parts of a server's page.
func cardsOf(r *Report) []htmlCard {
	f := r.Facts
	var cards []htmlCard
	add := func(c htmlCard) {
		if len(c.Facts)+len(c.More) > 0 {
			cards = append(cards, c)
		}
	}
	add(attacksCard(f))
	add(clientsCard(f))
	add(exchangeCard(f))
	add(httpCard(f.HTTP))
	add(dnsCard(f.DNS))
	add(policiesCard(r.Result))
	add(lessonCard(r.Result))
	return cards
}

func attacksCard(f *grade.Facts) htmlCard {
	c := htmlCard{Title: "Attacks", Summary: fmt.Sprintf("All %d verdicts", len(f.Vulnerabilities))}
	for _, v := range orderedAttacks(f.Vulnerabilities) {
		text := strings.TrimSpace(string(v.Verdict) + ". " + v.Text)
		if len(v.CVE) > 0 {
			text += " " + strings.Join(v.CVE, ", ")
		}
		if v.Verdict == grade.Vulnerable {
			c.Facts = append(c.Facts, htmlFact{v.Name, text, "is-bad"})
		}
		for _, e := range v.Evidence {
			text += " [" + e + "]"
		}
		c.More = append(c.More, htmlFact{v.Name, text, classOf(attackStyle(v.Verdict))})
	}
	if len(f.Vulnerabilities) > 0 {
		l := attacksLabel(f)
		l.Name = "verdict"
		if len(c.Facts) == 0 {
			c.Facts = htmlFacts(l)
		}
	}
	return c
}

func clientsCard(f *grade.Facts) htmlCard {
	l := clientsLabel(f)
	l.Name = "simulated"
	c := htmlCard{Title: "Clients", Summary: "Each client", Facts: htmlFacts(l)}
	for i := range f.Simulations {
		s := &f.Simulations[i]
		style := Plain
		if s.OK != grade.Yes {
			style = Caution
		}
		c.More = append(c.More, htmlFact{s.Client, outcomeOf(s), classOf(style)})
	}
	return c
}

func exchangeCard(f *grade.Facts) htmlCard {
	var schemes []string
	for _, s := range f.Schemes {
		schemes = append(schemes, s.Name)
	}
	c := htmlCard{Title: "Key exchange and features", Summary: "All features", Facts: htmlFacts(label{"groups", groupsText(f), Plain}, label{"signatures", strings.Join(schemes, ", "), Plain}, label{"ALPN", strings.Join(f.Features.ALPN, ", "), Plain})}
	for _, x := range features(f) {
		fact := htmlFact{x.Name, strings.TrimSpace(string(x.Answer) + " " + x.Note), classOf(x.Style())}
		if x.Style() == Wrong {
			c.Facts = append(c.Facts, fact)
		}
		c.More = append(c.More, fact)
	}
	for _, t := range f.Features.Tolerance {
		c.More = append(c.More, htmlFact{"tolerates " + t.Probe, strings.TrimSpace(string(t.OK) + " " + t.Text), ""})
	}
	return c
}

func httpCard(h *grade.HTTP) htmlCard {
	if h == nil {
		return htmlCard{}
	}
	c := htmlCard{Title: "HTTP", Summary: "Headers, cookies and redirects", Facts: htmlFacts(label{"answer", strings.TrimSpace(strconv.Itoa(h.Status) + " " + h.URL), Plain}, label{"problem", h.Problem, Caution}, label{"HSTS", hstsText(&h.HSTS), Plain})}
	for _, text := range strings.Split(httpLabel(h).Value, "; ")[1:] {
		c.Facts = append(c.Facts, htmlFact{"port 80", text, ""})
	}
	for _, r := range h.Redirects {
		c.More = append(c.More, htmlFact{"redirect", strings.TrimSuffix(fmt.Sprintf("%s: %d to %s", r.URL, r.Status, r.To), " to "), ""})
	}
	for _, field := range h.Headers {
		c.More = append(c.More, htmlFact{field.Name, field.Value, ""})
	}
	for i := range h.Cookies {
		c.More = append(c.More, htmlFact{"cookie", cookieText(&h.Cookies[i]), ""})
	}
	return c
}

func dnsCard(d *grade.DNS) htmlCard {
	if d == nil {
		return htmlCard{}
	}
	l := dnsLabel(d)
	l.Name = "records"
	c := htmlCard{Title: "DNS", Summary: "The records", Facts: htmlFacts(l, label{"MTA-STS", d.MTASTS, Plain}, label{"problems", strings.Join(d.Problems, "; "), Caution})}
	for _, r := range d.CAA {
		c.More = append(c.More, htmlFact{"CAA", r.Tag + " " + r.Value, ""})
	}
	for _, t := range d.TLSA {
		c.More = append(c.More, htmlFact{"TLSA", strings.TrimSuffix(t.Record+": "+t.Text, ": "), ""})
	}
	return c
}

func policiesCard(result *grade.Result) htmlCard {
	c := htmlCard{Title: "Policies", Summary: "What is against them"}
	if result == nil {
		return c
	}
	for i := range result.Policies {
		p := &result.Policies[i]
		style := Caution
		switch p.Complies {
		case grade.Yes:
			style = Right
		case grade.No:
			style = Plain
		}
		c.Facts = append(c.Facts, htmlFact{p.Policy, policyWord(p), classOf(style)})
		for _, text := range append(append([]string(nil), p.Failures...), p.Uncertain...) {
			c.More = append(c.More, htmlFact{p.Policy, text, ""})
		}
	}
	return c
}

func lessonCard(result *grade.Result) htmlCard {
	c := htmlCard{Title: "The twelve misconfigurations", Summary: "All of them"}
	if result == nil {
		return c
	}
	found, examined := 0, 0
	for i := range result.Misconfigurations {
		m := &result.Misconfigurations[i]
		fact := htmlFact{"#" + strconv.Itoa(m.Number), misconfigurationText(m), classOf(misconfigurationStyle(m.Found))}
		if m.Found == grade.Yes || m.Found == grade.No {
			examined++
		}
		if m.Found == grade.Yes {
			found++
			c.Facts = append(c.Facts, fact)
		}
		c.More = append(c.More, fact)
	}
	if found == 0 && len(c.More) > 0 {
		c.Facts = []htmlFact{{"found", fmt.Sprintf("none of the %d that could be examined", examined), "is-good"}}
	}
	return c
}

func filesCard(r *Report) htmlCard {
	c := htmlCard{Title: "Files"}
	for _, f := range r.Files {
		style := Plain
		text := fmt.Sprintf("%s, %s %s:%s", f.Kind, f.Mode, f.Owner, f.Group)
		if len(f.Problems) > 0 {
			text, style = text+": "+strings.Join(f.Problems, "; "), Caution
		}
		c.Facts = append(c.Facts, htmlFact{f.Path, text, classOf(style)})
	}
	return c
}
