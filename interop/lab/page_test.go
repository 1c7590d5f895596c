package lab

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

var (
	update  = flag.Bool("update", false, "write docs/scan-agreement.md anew")
	others  = flag.String("others", "", "compare these scanners only, a regular expression")
	anchors = flag.String("anchors", "", "a folder in which the reports of other scanners are kept, and used again")
)

const pagePath = "../../docs/scan-agreement.md"

// page collects what the comparison finds.
type page struct {
	mu   sync.Mutex
	rows map[string]*row
	used map[int]bool   // explanations by index
	seen map[int]string // the bytes that are witness to an explanation
}

// row is a server of the page.
type row struct {
	versions, suites, groups, grade string
	cells                           map[string]string // by scanner
}

func newPage() *page {
	return &page{rows: map[string]*row{}, used: map[int]bool{}, seen: map[int]string{}}
}

// TestAcceptAgreement holds our scanner, testssl.sh, nmap and sslscan against the truth at every server of the lab. It fails
// where ours errs or leaves a gap, where another one's difference has no explanation, and where the page is not fresh.
func TestAcceptAgreement(t *testing.T) {
	needAccept(t)
	l := newLab(t)
	p := newPage()
	groups := Of(everyGroup(t), RingAccept, wanted(t))
	t.Run("servers", func(t *testing.T) {
		for _, g := range groups {
			t.Run(g.Configs[0].Name, func(t *testing.T) {
				t.Parallel()
				start(t, l, g)
				for _, c := range g.Configs {
					if truth := p.examineOurs(t, l, c); truth != nil {
						p.examineOthers(t, l, c, truth)
					}
				}
			})
		}
	})
	if os.Getenv("LAB") == "" && *others == "" {
		p.check(t, groups)
	}
}

// examineOurs compares our scanner with the truth, which it returns; nil if there is none.
func (p *page) examineOurs(t *testing.T, l *Lab, c *Config) *Truth {
	t.Helper()
	truth, err := truthOf(t, l, c)
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return nil
	}
	f, r := scanOurs(t, l, c)
	t.Logf("%s: %s (%s), %d connections, %.2f s", c.Name, r.Grade, r.GradeIgnoringTrust, f.Connections, f.Seconds)
	if c.Grade != "" && c.Grade != string(r.Grade) {
		t.Errorf("%s: grade %s instead of %s, by %v", c.Name, r.Grade, c.Grade, ruleNames(r))
	}
	p.mu.Lock()
	p.rows[c.Name] = describe(truth, string(r.Grade))
	p.mu.Unlock()
	p.note(t, c, "tlswright", CompareOurs(l, c, f, r, truth))
	return truth
}

// describe says what is true in a few words.
func describe(truth *Truth, letter string) *row {
	r := &row{grade: letter, cells: map[string]string{}}
	var versions, suites []string
	for _, v := range truth.Versions() {
		name := strings.TrimPrefix(v.String(), "TLS ")
		if v == wire.VersionSSL30 {
			name = "SSLv3"
		}
		versions = append(versions, name)
		suites = append(suites, fmt.Sprint(len(truth.Protocol(v).Suites)))
	}
	r.versions, r.suites = strings.Join(versions, " "), strings.Join(suites, "+")
	groups := slices.Concat(truth.Groups12, truth.Groups13)
	slices.Sort(groups)
	r.groups = fmt.Sprint(len(slices.Compact(groups)))
	return r
}

// examineOthers compares the scanners of others with the truth.
func (p *page) examineOthers(t *testing.T, l *Lab, c *Config, truth *Truth) {
	t.Helper()
	for i, e := range explanations() {
		if e.witness != c.Name {
			continue
		}
		bytes, err := Witness(c, e.version, e.suite, e.group)
		if err != nil {
			t.Errorf("%s: no witness to explanation %d: %v", c.Name, i+1, err)
			continue
		}
		if strings.HasSuffix(bytes, "an alert") != strings.HasPrefix(e.text, "adds") {
			t.Errorf("%s: the answer %s is no witness to explanation %d", c.Name, bytes, i+1)
		}
		p.mu.Lock()
		p.seen[i] = bytes
		p.mu.Unlock()
	}
	for _, s := range Scanners() {
		if !s.Speaks(c) || *others != "" && !matches(*others, s.Name) {
			continue
		}
		said, err := l.Asked(t.Context(), s, c, *anchors)
		if err != nil {
			t.Errorf("%s | %s: %v", c.Name, s.Name, err)
			continue
		}
		differences := Compare(s.Name, l, c, said, truth)
		for _, alarm := range said.Alarms {
			if !slices.Contains(append(Conditions(truth), c.Wrong...), alarm) {
				differences = append(differences, Difference{c.Name, s.Name, "alarm", alarm})
			}
		}
		p.note(t, c, s.Name, differences)
	}
}

// note explains the differences of a scanner at a server, and fails the test where that cannot be done.
func (p *page) note(t *testing.T, c *Config, scanner string, differences []Difference) {
	t.Helper()
	var marks []int
	for _, d := range differences {
		i := explain(d)
		if i < 0 {
			t.Errorf("no explanation: %s", d)
			continue
		}
		marks = append(marks, i)
	}
	for i, e := range explanations() {
		if e.sometimes && matches(e.scanner, scanner) && matches(e.server, c.Name) {
			marks = append(marks, i)
		}
	}
	slices.Sort(marks)
	cell := "agrees"
	if marks = slices.Compact(marks); len(marks) > 0 {
		var numbers []string
		for _, i := range marks {
			numbers = append(numbers, fmt.Sprint(i+1))
		}
		cell = strings.Join(numbers, ", ")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range marks {
		p.used[i] = true
	}
	p.rows[c.Name].cells[scanner] = cell
}

// explanation is why a scanner says otherwise than it is.
type explanation struct {
	scanner, server, aspect, text string // regular expressions
	why                           string
	sometimes                     bool // it does not happen every time
	// witness are the server's bytes that show it, found at this server.
	witness string
	version wire.Version
	suite   wire.CipherSuite
	group   wire.Group
}

func matches(pattern, text string) bool {
	ok, err := regexp.MatchString("^(?:"+pattern+")$", text)
	return ok && err == nil
}

// explain finds the explanation of a difference; -1: there is none.
func explain(d Difference) int {
	return slices.IndexFunc(explanations(), func(e explanation) bool {
		return matches(e.scanner, d.Scanner) && matches(e.server, d.Server) && matches(e.aspect, d.Aspect) && matches(e.text, d.Text)
	})
}

// table is the page's first block.
func (p *page) table(groups []*Group) []string {
	lines := []string{"| server | versions | suites | groups | grade | tlswright | testssl.sh | nmap | sslscan |", "| --- | --- | --- | ---: | --- | --- | --- | --- | --- |"}
	for _, g := range groups {
		for _, c := range g.Configs {
			r := p.rows[c.Name]
			if r == nil {
				continue
			}
			name := c.Name
			if c.StartTLS != "" {
				name += " (STARTTLS)"
			}
			line := fmt.Sprintf("| %s | %s | %s | %s | %s |", name, r.versions, r.suites, r.groups, r.grade)
			for _, scanner := range []string{"tlswright", "testssl.sh", "nmap", "sslscan"} {
				cell := r.cells[scanner]
				if cell == "" {
					cell = "–"
				}
				line += " " + cell + " |"
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// reasons is the page's second block.
func (p *page) reasons() []string {
	var lines []string
	for i, e := range explanations() {
		line := fmt.Sprintf("%d. **%s**, %s: %s", i+1, strings.ReplaceAll(e.scanner, "|", " and "), strings.NewReplacer("(", "", ")", "", "|", ", ", "[012]", "x", "[23]", "x").Replace(e.aspect), e.why)
		if bytes := p.seen[i]; bytes != "" {
			line += fmt.Sprintf(" A hello with %v, %v and %v alone is answered by %s with `%s`.", e.version, e.suite, e.group, e.witness, bytes)
		}
		if e.sometimes {
			line += " (Not every time.)"
		}
		lines = append(lines, line)
	}
	return lines
}

// peers is the page's list of programs.
func peers(ctx context.Context) ([]string, error) {
	lines := []string{"* tlswright: this checkout, " + runtime.Version()}
	for _, s := range Scanners() {
		v, err := s.Version(ctx)
		if err != nil {
			return nil, err
		}
		lines = append(lines, "* "+s.Name+": "+v)
	}
	out, err := output(ctx, "", nil, "openssl", "version")
	return append(lines, "* the truth: "+strings.TrimSpace(string(out))+", its library asked by Python; Java where that is too new"), err
}

// check compares the page with what was found, or writes it with -update. Where a program is missing or of another version
// the page may differ, and is not compared.
func (p *page) check(t *testing.T, groups []*Group) {
	list, err := peers(t.Context())
	complete := err == nil
	for _, g := range groups {
		for _, c := range g.Configs {
			complete = complete && p.rows[c.Name] != nil
		}
	}
	for i, e := range explanations() {
		if complete && !p.used[i] {
			t.Errorf("explanation %d is no longer needed: %s", i+1, e.why)
		}
	}
	blocks := map[string][]string{"peers": list, "servers": p.table(groups), "reasons": p.reasons()}
	text, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	fresh := string(text)
	for name, lines := range blocks {
		fresh = replaceBlock(t, fresh, name, strings.Join(lines, "\n")+"\n")
	}
	switch {
	case fresh == string(text):
	case *update && !t.Failed() && complete:
		if err := os.WriteFile(pagePath, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	case !complete || !strings.Contains(string(text), strings.Join(list, "\n")):
		t.Logf("not compared with %s, which is about other versions", pagePath)
	default:
		t.Errorf("%s is not fresh; -update writes it:\n%s", pagePath, strings.Join(blocks["servers"], "\n"))
	}
}

func replaceBlock(t *testing.T, text, name, inside string) string {
	t.Helper()
	begin, end := "<!-- "+name+": written by go test ./interop/lab -update -->\n", "<!-- "+name+": end -->"
	before, rest, ok1 := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for %s", pagePath, name)
	}
	return before + begin + inside + end + after
}
