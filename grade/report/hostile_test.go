package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tlswright/tlswright/grade"
)

// hostile is what somebody may have written into a certificate, a header or a stored scan.
var hostile = []string{
	`<script>document.title="broken out"</script><img src=x onerror='document.title="broken out"'>`,
	`"><svg onload=document.title="broken"//</style></title><style>*{display:none}</style>`,
	"\x1b[2J\x1b]0;broken out\x07\x9b31m",
	"\u202etxet desrever\u2066\u200b\ufeff\U000e0041",
	`=cmd|' /C calc'!A0`, "+1+1", "-1", "@SUM(A1:A9)", "\t=1+1", "  =1+1", "\uff1d1", "\r\n=1+1",
	"\x00\x01\x0b\x0c\x1f\x7f\u0085\u2028\ufffe\uffff", "]]><evil/><![CDATA[", "\xff\xfe\xc0\xaf",
	"javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "https://evil.example/\"onmouseover=alert(1)",
	"[x](http://evil.example) ![x](http://evil.example/p.png) <b>b</b> `c` ``d`` | cell | @somebody #1 www.evil.example ~~s~~",
	"1. one\n# head\n- item\n> quote\n---\n```\nfence", "{{.Style}} ${jndi:ldap://x}", "", strings.Repeat("w", 3000), "[2001:db8::1%eth0]/../..",
}

// poisoned fills every string of a report with text: two elements in every list, every pointer set.
func poisoned(text string) Report {
	var r Report
	poison(reflect.ValueOf(&r).Elem(), text)
	r.Facts.Unreachable = ""
	r.Facts.Time = scanned()
	return r
}

func poison(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		poison(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			poison(v.Index(i), text)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			poison(v.Field(i), text)
		}
	case reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		if v.CanInt() {
			v.SetInt(7)
		} else {
			v.SetUint(7)
		}
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Bool:
		v.SetBool(true)
	}
}

// poisonedAll are reports with one hostile string everywhere, and the same with the words that steer the layout in order.
func poisonedAll(text string) []Report {
	wild, tame, gone := poisoned(text), poisoned(text), poisoned(text)
	tame.Result.Grade, tame.Result.GradeIgnoringTrust = "F", "F"
	for i := range tame.Result.Findings {
		tame.Result.Findings[i].Severity = []grade.Severity{grade.Critical, grade.Info}[i%2]
	}
	for i := range tame.Facts.Protocols {
		tame.Facts.Protocols[i].Offered = grade.Yes
	}
	for i := range tame.Facts.Vulnerabilities {
		tame.Facts.Vulnerabilities[i].Verdict = []grade.Verdict{grade.Vulnerable, grade.Inconclusive}[i%2]
	}
	for i := range tame.Facts.Simulations {
		tame.Facts.Simulations[i].OK = []grade.Answer{grade.Yes, grade.No}[i%2]
	}
	tame.Result.Policies[0].Complies, tame.Facts.Host = grade.No, "tame"+text
	tame.Facts.ServerName = ""
	gone.Facts.Unreachable, gone.Facts.Host = text+"!", "gone"+text
	gone.Facts.ServerName = ""
	return []Report{wild, tame, gone, {Files: poisoned(text).Files, Result: poisoned(text).Result}}
}

func written(t *testing.T, f Format, reports []Report, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f, reports, o); err != nil {
		t.Fatalf("%s: %v", f, err)
	}
	return b.Bytes()
}

func TestHostileStringsAreHarmlessEverywhere(t *testing.T) {
	for _, text := range hostile {
		reports := poisonedAll(text)
		for _, f := range Formats() {
			for v := range 3 {
				if v > 0 && f != FormatText {
					continue
				}
				out := written(t, f, reports, Options{Verbose: v, Title: text, Tool: text})
				if !utf8.Valid(out) {
					t.Errorf("%s with %.40q: not UTF-8", f, text)
				}
				for _, r := range string(out) {
					if r != '\n' && !unicode.IsPrint(r) && !(r == '\r' && f == FormatCSV) {
						t.Fatalf("%s with %.40q: has %+q", f, text, r)
					}
				}
				for i := range reports { // one alone is laid out in another way
					written(t, f, reports[i:i+1], Options{Verbose: v})
				}
			}
		}
		if strings.ContainsFunc(Line(reports[0], Options{}), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("the line of %.40q is not safe", text)
		}
		var b bytes.Buffer
		change := grade.Change{Area: text, Direction: grade.Direction(text), Text: text, Old: text, New: text}
		if err := DiffText(&b, []Diff{{Old: &reports[0], New: &reports[1], Changes: []grade.Change{change}}, {New: &reports[2]}, {Old: &reports[3]}}, Options{Verbose: 1}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(strings.ReplaceAll(b.String(), "\n", ""), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("the changes with %.40q are not safe", text)
		}
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	for _, text := range hostile {
		rows, err := csv.NewReader(bytes.NewReader(written(t, FormatCSV, poisonedAll(text), Options{}))).ReadAll()
		if err != nil {
			t.Fatalf("%.40q: %v", text, err)
		}
		for _, row := range rows {
			for _, cell := range row {
				if strings.IndexAny(strings.TrimSpace(cell), "=+-@\uff1d\uff0b\uff0d\uff20") == 0 || strings.ContainsAny(cell, "\r\n\t") {
					t.Errorf("%.40q makes the cell %.60q", text, cell)
				}
			}
		}
	}
}

func TestXMLStaysWellFormed(t *testing.T) {
	for _, text := range hostile {
		for _, f := range []Format{FormatJUnit, FormatBadge} {
			dec := xml.NewDecoder(bytes.NewReader(written(t, f, poisonedAll(text), Options{MinGrade: "A"})))
			for {
				token, err := dec.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%s with %.40q: %v", f, text, err)
				}
				if e, ok := token.(xml.StartElement); ok && (e.Name.Local == "evil" || e.Name.Local == "script") {
					t.Errorf("%s with %.40q: element %s", f, text, e.Name.Local)
				}
			}
		}
	}
	if got := string(Badge(`"><script>`)); strings.Contains(got, "script") || !strings.Contains(got, "unknown") {
		t.Errorf("a badge of %s", got)
	}
}

func TestJSONCarriesStringsExactly(t *testing.T) {
	for _, text := range hostile {
		before := poisonedAll(text)
		for _, f := range []Format{FormatJSON, FormatJSONLines} {
			after, err := Parse(written(t, f, before, Options{}))
			if err != nil || len(after) != len(before) {
				t.Fatalf("%s with %.40q: %d reports, %v", f, text, len(after), err)
			}
			if want := strings.ToValidUTF8(text, "\ufffd"); utf8.ValidString(text) && after[0].Facts.Chains[1].Sent[0].Subject != want {
				t.Errorf("%s: %q became %q", f, text, after[0].Facts.Chains[1].Sent[0].Subject)
			}
		}
	}
}

// withoutCode takes out of Markdown what is shown as it stands: blocks and spans of code, and escaped punctuation.
func withoutCode(text string) string {
	fence, kept := "", ""
	for l := range strings.SplitSeq(text, "\n") {
		mark := strings.TrimLeft(l, " ")
		isFence := len(mark) >= 3 && strings.Trim(mark, "`") == ""
		switch {
		case fence == "" && isFence:
			fence = mark
		case fence == "":
			kept += l + "\n"
		case mark == fence:
			fence = ""
		}
	}
	text = kept
	var b strings.Builder
	for i := 0; i < len(text); {
		switch text[i] {
		case '\\':
			i += 2
			continue
		case '`':
			run := text[i : len(text)-len(strings.TrimLeft(text[i:], "`"))]
			i += len(run)
			for { // up to a run of the same length
				k := strings.IndexByte(text[i:], '`')
				if k < 0 {
					return b.String() + "an open span"
				}
				i += k
				n := len(text[i:]) - len(strings.TrimLeft(text[i:], "`"))
				i += n
				if n == len(run) {
					break
				}
			}
			continue
		}
		b.WriteByte(text[i])
		i++
	}
	return b.String()
}

func TestMarkdownIsTakenAsText(t *testing.T) {
	for _, text := range hostile {
		for _, r := range poisonedAll(text) {
			out := string(written(t, FormatMarkdown, []Report{r}, Options{}))
			bare := withoutCode(out)
			for _, bad := range []string{"an open span", "<", "![", "](", "://", "@", "www.e", "~~", "\n# ", "\n> ", "\n---\n"} {
				if strings.Contains(bare, bad) {
					t.Errorf("%.40q leaves %q in %.2000s", text, bad, out)
				}
			}
		}
	}
}

// TestSARIFHasWhatItsSchemaRequires checks the properties that the schema of OASIS requires of the objects that we write,
// and its rules on addresses and levels.
func TestSARIFHasWhatItsSchemaRequires(t *testing.T) {
	for _, reports := range append([][]Report{nil, {files()}, fleet(), {old()}, {unreachable()}}, poisonedAll(hostile[0]), poisonedAll(hostile[2]), poisonedAll(hostile[len(hostile)-1])) {
		var log map[string]any
		if err := json.Unmarshal(written(t, FormatSARIF, reports, Options{}), &log); err != nil {
			t.Fatal(err)
		}
		if log["version"] != "2.1.0" || len(log["runs"].([]any)) != 1 {
			t.Fatal("no run of version 2.1.0")
		}
		run := log["runs"].([]any)[0].(map[string]any)
		driver := run["tool"].(map[string]any)["driver"].(map[string]any)
		if driver["name"] == "" {
			t.Error("the tool has no name")
		}
		rules := driver["rules"].([]any)
		seen := make(map[any]bool)
		for _, rule := range rules {
			rule := rule.(map[string]any)
			if seen[rule["id"]] || rule["help"].(map[string]any)["text"] == "" || rule["shortDescription"].(map[string]any)["text"] == nil {
				t.Errorf("rule %v", rule)
			}
			seen[rule["id"]] = true
		}
		for _, result := range run["results"].([]any) {
			result := result.(map[string]any)
			level := fmt.Sprint(result["level"])
			if rules[int(result["ruleIndex"].(float64))].(map[string]any)["id"] != result["ruleId"] || result["message"].(map[string]any)["text"] == "" || !strings.Contains("none note warning error", level) {
				t.Errorf("result %v", result)
			}
			checkPlaces(t, result["locations"].([]any))
		}
		invocation := run["invocations"].([]any)[0].(map[string]any)
		if invocation["executionSuccessful"] != true {
			t.Error("the invocation does not say how it went")
		}
		notifications, _ := invocation["toolExecutionNotifications"].([]any)
		for _, n := range notifications {
			checkPlaces(t, n.(map[string]any)["locations"].([]any))
		}
	}
}

func checkPlaces(t *testing.T, places []any) {
	t.Helper()
	if len(places) == 0 {
		t.Error("a result without a place")
	}
	for _, place := range places {
		physical, ok := place.(map[string]any)["physicalLocation"].(map[string]any)
		if !ok {
			continue
		}
		uri := physical["artifactLocation"].(map[string]any)["uri"].(string)
		if u, err := url.Parse(uri); err != nil || u.Scheme == "" || strings.ContainsAny(uri, " <>\"\\^`{|}") {
			t.Errorf("%q is no address (%v)", uri, err)
		}
		if physical["region"].(map[string]any)["startLine"].(float64) < 1 {
			t.Error("lines are counted from 1")
		}
	}
}
