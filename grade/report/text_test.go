package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/grade"
)

// TestTheFirstFixStandsWithinTenLines looks at what a person sees without scrolling: the grade in the first line, and
// within ten lines what is wrong and what to change.
func TestTheFirstFixStandsWithinTenLines(t *testing.T) {
	for name, want := range map[string]string{"old": "apt-get update", "untrusted": "autocert.Manager", "mismatch": "Get a certificate", "files": "chmod 0600", "fleet": "Update OpenSSL"} {
		lines := strings.Split(string(written(t, FormatText, samples()[name], Options{})), "\n")
		if name != "files" && name != "fleet" && !strings.HasPrefix(lines[0], "Grade ") {
			t.Errorf("%s begins with %q", name, lines[0])
		}
		if !strings.Contains(strings.Join(lines[:min(len(lines), 10)], "\n"), want) {
			t.Errorf("%s: the first fix is not among\n%s", name, strings.Join(lines[:10], "\n"))
		}
	}
}

// TestLinesKeepToTheWidth allows what must not be broken: pieces of configuration, and long words.
func TestLinesKeepToTheWidth(t *testing.T) {
	for name, reports := range samples() {
		for _, width := range []int{0, 60, 100} {
			for line := range strings.SplitSeq(string(written(t, FormatText, reports, Options{Width: width, Verbose: 1})), "\n") {
				most := width
				if width == 0 {
					most = 80
				}
				isCode := strings.HasPrefix(line, "               ") && !strings.HasPrefix(line, "                ")
				if columns(line) > most && !isCode && len(strings.Fields(line)) > 2 && !strings.Contains(line, "SSL_CK_") && width != 60 {
					t.Errorf("%s at %d: %d columns: %s", name, most, columns(line), line)
				}
			}
		}
	}
}

func TestColourAddsNothingButColour(t *testing.T) {
	paint := func(s Style, text string) string { return "\x1b[" + string(s) + "m" + text + "\x1b[m" }
	bare := func(text string) string {
		for _, s := range []Style{Plain, Bold, Faint, Right, Wrong, Caution} {
			text = strings.ReplaceAll(text, "\x1b["+string(s)+"m", "")
		}
		return text
	}
	for name, reports := range samples() {
		for v := range 3 {
			plain, painted := written(t, FormatText, reports, Options{Verbose: v}), written(t, FormatText, reports, Options{Verbose: v, Paint: paint})
			if got := bare(string(painted)); got != string(plain) {
				t.Errorf("%s: colour changes the words", name)
			}
		}
	}
}

func TestVerboseUnfoldsEverything(t *testing.T) {
	out := string(written(t, FormatText, []Report{old()}, Options{Verbose: 2}))
	for _, want := range []string{"0xc014", "SSL_CK_RC4_128_WITH_MD5", "MinProtocol = TLSv1.2", "CVE-2014-0160", "sha256/C5+", "PHPSESSID", "RFC 6176, Section 3", "does not connect", "SSL 3.0 must not be offered.", "not found"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestAddressesThatDifferAreTold(t *testing.T) {
	good, old := good(), old()
	old.Facts.Host, old.Facts.ServerName = good.Facts.Host, good.Facts.ServerName
	out := string(written(t, FormatText, []Report{good, old}, Options{}))
	if !strings.HasPrefix(out, "Grade F  good.example:443  ") || !strings.Contains(out, "At 192.0.2.1  A+") {
		t.Errorf("%s", out)
	}
	for _, f := range []Format{FormatHTML, FormatMarkdown} {
		if out := written(t, f, []Report{good, old}, Options{}); !bytes.Contains(out, []byte("192.0.2.1")) {
			t.Errorf("%s does not name the address", f)
		}
	}
}

func TestLinesOfAFleetAreShort(t *testing.T) {
	for _, r := range fleet() {
		if line := Line(r, Options{}); columns(line) > 80 || strings.Contains(line, "\n") {
			t.Errorf("%d columns: %s", columns(line), line)
		}
	}
}

func TestTheWorstGradeIsFound(t *testing.T) {
	for _, c := range []struct {
		reports []Report
		want    grade.Letter
	}{{nil, ""}, {[]Report{unreachable()}, ""}, {[]Report{good(), unreachable()}, "A+"}, {[]Report{good(), old(), good()}, "F"}, {fleet(), "T"}} {
		if got := Worst(c.reports); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestWritersWriteAsTheyGo(t *testing.T) {
	for _, f := range []Format{FormatJSON, FormatJSONLines, FormatCSV} {
		var b bytes.Buffer
		w := NewWriter(&b, f, Options{})
		for i, r := range fleet() {
			before := b.Len()
			if err := w.Add(r); err != nil || b.Len() == before {
				t.Fatalf("%s: report %d is not out (%v)", f, i, err)
			}
		}
		if err := w.Close(); err != nil || !bytes.Equal(b.Bytes(), written(t, f, fleet(), Options{})) {
			t.Errorf("%s: another document (%v)", f, err)
		}
	}
	if out := written(t, FormatCSV, nil, Options{}); !bytes.HasPrefix(out, []byte("host,port,")) {
		t.Errorf("no head: %s", out)
	}
	if err := Write(&bytes.Buffer{}, "yaml", nil, Options{}); err == nil {
		t.Error("a format that there is not")
	}
	for _, f := range Formats() {
		if got, ok := ParseFormat(strings.ToUpper(string(f))); !ok || got != f {
			t.Errorf("%s is not found", f)
		}
	}
}

// TestAFleetIsKeptInOutline writes a fleet so large that not every server is kept whole: the worst ones are.
func TestAFleetIsKeptInOutline(t *testing.T) {
	for _, f := range []Format{FormatText, FormatHTML, FormatMarkdown} {
		var b bytes.Buffer
		w := NewWriter(&b, f, Options{})
		for i := range 2 * mostUnfolded {
			r := good()
			if i >= 2*mostUnfolded-2 { // the last ones are the worst
				r = old()
			}
			r.Facts.Host = fmt.Sprintf("host-%d.example", i)
			r.Facts.ServerName = r.Facts.Host
			if err := w.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		whole := 0
		for i := range w.kept {
			if !isOutline(&w.kept[i]) {
				whole++
			}
		}
		if last := w.kept[len(w.kept)-1]; whole != mostUnfolded || len(w.kept) != 2*mostUnfolded || len(last.Facts.Protocols) == 0 {
			t.Errorf("%s: %d of %d are whole", f, whole, len(w.kept))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{fmt.Sprintf("host-%d.example", 2*mostUnfolded-1), "Heartbleed"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s does not name %s", f, want)
			}
		}
		if isCounted := strings.Contains(b.String(), fmt.Sprintf("host-%d.example", mostUnfolded+2)) || strings.Contains(b.String(), fmt.Sprintf("and %d servers with nothing to mend", 2*mostUnfolded-2)); !isCounted {
			t.Errorf("%s leaves servers out", f)
		}
	}
}

// TestAnIncompleteGradeSaysSoAtOnce looks at the second line, and at the page: a good grade that rests on little must not
// look like one that rests on everything.
func TestAnIncompleteGradeSaysSoAtOnce(t *testing.T) {
	quick, gaps := good(), good()
	quick.Facts.Quick = true
	gaps.Result.Incomplete = []string{"the suites of TLS 1.2"}
	for want, r := range map[string]Report{"As good as it gets, as far as one handshake tells.": quick, "As good as it gets, as far as there were answers.": gaps} {
		if lines := strings.Split(string(written(t, FormatText, []Report{r}, Options{})), "\n"); strings.TrimSpace(lines[1]) != want {
			t.Errorf("%q, want %q", lines[1], want)
		}
		for _, f := range []Format{FormatHTML, FormatMarkdown} {
			if out := string(written(t, f, []Report{r}, Options{})); !strings.Contains(out, want) {
				t.Errorf("%s does not say %q", f, want)
			}
		}
	}
}

// TestAnOutlineClaimsNothing writes a fleet of servers with many addresses, of which some are known in outline alone: no
// score of zero and no missing protocol may be read out of that.
func TestAnOutlineClaimsNothing(t *testing.T) {
	for _, f := range []Format{FormatText, FormatHTML, FormatMarkdown} {
		var b bytes.Buffer
		w := NewWriter(&b, f, Options{Verbose: 1})
		for i := range 3 * mostUnfolded {
			r := good()
			r.Facts.Host, r.Facts.Address = fmt.Sprintf("host-%d.example", i/3), fmt.Sprintf("192.0.2.%d", i%3)
			r.Facts.ServerName = r.Facts.Host
			if err := w.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, lie := range []string{"0: protocol 0", "<b>0</b>", "TLS 1.3  no"} {
			if strings.Contains(b.String(), lie) {
				t.Errorf("%s says %q", f, lie)
			}
		}
	}
}

// TestSitesAtOnePlaceAreToldApart has two names asked for at one address: they are two servers.
func TestSitesAtOnePlaceAreToldApart(t *testing.T) {
	one, other := good(), good()
	one.Facts.Host, one.Facts.ServerName = "192.0.2.1", "one.example"
	other.Facts.Host, other.Facts.ServerName = "192.0.2.1", "other.example"
	if got := one.Name(); got != "192.0.2.1:443 (one.example)" {
		t.Error(got)
	}
	if groups := grouped([]Report{one, other}); len(groups) != 2 {
		t.Errorf("%d servers", len(groups))
	}
}
