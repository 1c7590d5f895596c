package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
)

// pageFiles are the parts of the page, which is one file all the same.
//
//go:embed html/*.tmpl html/*.css
var pageFiles embed.FS

// HTML writes one page for a browser that may have no network: its content security policy lets it load nothing and run
// nothing, and it is printed with all that is folded.
func HTML(w io.Writer, reports []Report, o Options) error { return writeHTML(w, cleanAll(reports), o) }

func writeHTML(w io.Writer, reports []Report, o Options) error {
	t, err := template.ParseFS(pageFiles, "html/*")
	if err != nil {
		return fmt.Errorf("report: the page's own template: %w", err)
	}
	// What the template makes of the style does not depend on the reports, but only it knows what that is.
	var empty bytes.Buffer
	if err := t.ExecuteTemplate(&empty, "page.tmpl", htmlPage{}); err != nil {
		return fmt.Errorf("report: the page's own template: %w", err)
	}
	style, err := hashOfStyle(empty.Bytes())
	if err != nil {
		return err
	}
	p := pageOf(reports, o)
	p.Style = style
	return joined(w, func(b *bytes.Buffer) error {
		if err := t.ExecuteTemplate(b, "page.tmpl", p); err != nil {
			return fmt.Errorf("report: the page: %w", err)
		}
		return nil
	})
}

// hashOfStyle is the source expression by which a content security policy lets the style through (CSP Level 3).
func hashOfStyle(page []byte) (string, error) {
	_, rest, ok := bytes.Cut(page, []byte("<style>"))
	style, _, closed := bytes.Cut(rest, []byte("</style>"))
	if !ok || !closed {
		return "", errors.New("report: the page's own template has no style")
	}
	sum := sha256.Sum256(style)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", nil
}

// What the template gets.
type (
	htmlPage struct {
		Title, Style, Foot, LeftOut string
		Fleet                       *htmlFleet
		Servers                     []htmlServer
	}
	htmlGrade  struct{ Shown, Class, Fill, Label string }
	htmlServer struct {
		Name, Anchor, Verdict, Sentence, About, Incomplete, StepsTitle string
		Grade                                                          htmlGrade
		Judged                                                         bool
		Bars                                                           []htmlBar
		Others                                                         []htmlOther
		Steps                                                          []htmlStep
		Missing                                                        []string
		Gaps                                                           []grade.Gap
		Protocols                                                      []htmlProtocol
		Chains, Cards                                                  []htmlCard
		Notes, Good                                                    []grade.Finding
	}
	htmlBar struct {
		Name, Fill string
		Score      int
	}
	htmlOther struct {
		Address, Text string
		Grade         htmlGrade
	}
	htmlStep struct {
		Number                        int
		Title, Reason, Rule, Severity string
		Also                          []grade.Finding
		Fix                           *grade.Fix
		Evidence                      []string
		References                    []htmlReference
	}
	htmlReference struct{ Text, Link string }
	htmlProtocol  struct {
		protocolRow
		WorstClass string
		Shown      []htmlSuite
	}
	htmlSuite struct {
		suiteRow
		Class string
	}
	htmlFact struct{ Name, Value, Class string }
	htmlCard struct {
		Title, Summary string
		Facts, More    []htmlFact
	}
)

// mostUnfolded is how many servers of a fleet get a section of their own: more would make a page that no browser likes.
const mostUnfolded = 100

func pageOf(reports []Report, o Options) htmlPage {
	servers := grouped(reports)
	p := htmlPage{Title: pki.Printable(o.Title), Foot: footOf(servers, o)}
	if len(servers) > 1 {
		servers = worstFirst(servers)
		p.Fleet = fleetOf(servers, p.Title)
		if p.Title == "" {
			p.Title = p.Fleet.Title
		}
		if len(servers) > mostUnfolded {
			p.LeftOut = fmt.Sprintf("The worst %d of %d servers are shown; all are in the table above, and in the JSON of this scan.", mostUnfolded, len(servers))
			servers = servers[:mostUnfolded]
		}
	}
	for i, s := range servers {
		server := htmlServerOf(s)
		server.Anchor = anchorOf(i)
		p.Servers = append(p.Servers, server)
	}
	if p.Title == "" && len(p.Servers) == 1 {
		p.Title = strings.TrimSpace(string(letterOf(&servers[0][0])) + " " + p.Servers[0].Name)
	}
	if p.Title == "" {
		p.Title = "TLS"
	}
	return p
}

func anchorOf(i int) string { return fmt.Sprintf("server-%d", i+1) }

func footOf(servers [][]Report, o Options) string {
	foot := "Made by tlswright"
	if o.Tool != "" {
		foot += " " + pki.Printable(o.Tool)
	}
	var newest time.Time
	for _, s := range servers {
		for i := range s {
			if s[i].Facts != nil && s[i].Facts.Time.After(newest) {
				newest = s[i].Facts.Time
			}
		}
	}
	if !newest.IsZero() {
		foot += " from a scan of " + newest.UTC().Format("2006-01-02 15:04 UTC")
	}
	return foot + ", by the rules of the SSL Labs Server Rating Guide. Nothing of this page comes from the network, and nothing goes there."
}

func htmlGradeOf(l grade.Letter) htmlGrade {
	g := htmlGrade{Shown: string(l), Label: "Grade " + string(l)}
	class := "f"
	switch l {
	case "A+", "A":
		class = "a"
	case "A-":
		class = "ok"
	case "B":
		class = "b"
	case "C", "D", "E":
		class = "c"
	}
	if rank(l) == 0 {
		class, g.Shown, g.Label = "none", "?", "No grade"
	}
	g.Class, g.Fill = "g-"+class, "f-"+class
	return g
}

func htmlServerOf(addresses []Report) htmlServer {
	r := &addresses[0]
	verdict := verdictOf(r)
	s := htmlServer{Name: r.Name(), Verdict: verdict, Sentence: sentence(verdict), Grade: htmlGradeOf(letterOf(r)), Judged: letterOf(r) != "" || r.Facts == nil}
	if r.Facts == nil {
		s.Name, s.Grade = "Files", htmlGrade{"✓", "g-none", "f-none", "Files"}
	}
	for i := range addresses[1:] {
		if other := &addresses[i+1]; !alike(r, other) {
			theirs, _, _ := sorted(other.Result)
			s.Others = append(s.Others, htmlOther{other.Facts.Address, strings.TrimSuffix(verdictOf(other)+": "+titles(theirs), ": "), htmlGradeOf(letterOf(other))})
		}
	}
	if r.Result != nil {
		steps, notes, good := sorted(r.Result)
		for i := range steps {
			s.Steps = append(s.Steps, htmlStepOf(i+1, &steps[i]))
		}
		s.Notes, s.Good = notes, good
		s.StepsTitle, s.Missing = stepsTitle(r), missingFor(r.Result)
		if len(r.Result.Incomplete) > 0 {
			s.Incomplete = "Without an answer, so that the grade is the best it can be: " + strings.Join(r.Result.Incomplete, "; ") + "."
		}
	}
	if r.Facts == nil {
		s.Cards = append(s.Cards, filesCard(r))
		return s
	}
	if r.Result != nil && letterOf(r) != "" {
		s.About = strings.Join(append(aboutServer(r, addresses), scanLabel(r.Facts).Value), " · ")
		if !isOutline(r) {
			s.Bars = barsOf(r.Result)
		}
	}
	s.Gaps = r.Facts.Gaps
	if r.Facts.Unreachable == "" {
		s.Protocols = htmlProtocols(r.Facts)
		s.Chains, s.Cards = chainCards(r.Facts), cardsOf(r)
	}
	return s
}

func barsOf(result *grade.Result) []htmlBar {
	var bars []htmlBar
	for _, b := range []struct {
		name  string
		score float64
	}{{"Protocol", result.Protocol}, {"Key exchange", result.KeyExchange}, {"Cipher strength", result.Cipher}, {"Score", result.Score}} {
		score := min(max(int(b.score), 0), 100)
		fill := "f-f"
		switch {
		case score >= 80:
			fill = "f-a"
		case score >= 65:
			fill = "f-b"
		case score >= 50:
			fill = "f-c"
		}
		bars = append(bars, htmlBar{b.name, fill, score})
	}
	return bars
}

func htmlStepOf(number int, s *step) htmlStep {
	worst := s.Worst()
	rule := "rule " + worst.Rule
	if worst.Cap != "" {
		rule += ", caps at " + string(worst.Cap)
	}
	h := htmlStep{Number: number, Title: worst.Title, Reason: worst.Reason, Rule: rule, Severity: string(worst.Severity), Also: s.Others(), Fix: s.Fix}
	for _, f := range s.Findings {
		h.Evidence = append(h.Evidence, f.Evidence...)
	}
	for _, text := range worst.Reference {
		ref := htmlReference{Text: text}
		if isLink(text) {
			ref.Link = text
		}
		h.References = append(h.References, ref)
	}
	return h
}
