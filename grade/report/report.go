package report

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/grade"
)

// Report is one server at one address, and the judgement of it; or, with Facts nil, files of a machine.
type Report struct {
	Facts  *grade.Facts  `json:"facts,omitempty"`
	Result *grade.Result `json:"result,omitempty"` // nil: nothing was judged, because nothing could be found out
	// Files are the files that were looked at; their findings are in Result.
	Files []grade.FileFact `json:"files,omitempty"`
}

// Format is a form of output.
type Format string

// The formats.
const (
	FormatText      Format = "text"
	FormatJSON      Format = "json"  // one document, see [Schema]
	FormatJSONLines Format = "jsonl" // one report a line
	FormatHTML      Format = "html"
	FormatCSV       Format = "csv"      // one row a finding
	FormatSARIF     Format = "sarif"    // version 2.1.0
	FormatJUnit     Format = "junit"    // XML
	FormatMarkdown  Format = "markdown" // as GitHub reads it
	FormatBadge     Format = "badge"    // SVG, with the worst grade of all
)

// Formats lists all formats, that for people first.
func Formats() []Format {
	return []Format{FormatText, FormatJSON, FormatJSONLines, FormatHTML, FormatCSV, FormatSARIF, FormatJUnit, FormatMarkdown, FormatBadge}
}

// ParseFormat finds a format by its name, in small or capital letters.
func ParseFormat(name string) (Format, bool) {
	for _, f := range Formats() {
		if strings.EqualFold(string(f), name) {
			return f, true
		}
	}
	return "", false
}

// Style is a way to emphasize a piece of text. Colour never says what the words do not.
type Style string

// The styles.
const (
	Plain   Style = ""
	Bold    Style = "bold"    // the subject, headings
	Faint   Style = "faint"   // what may be skipped
	Right   Style = "good"    // as it should be
	Wrong   Style = "bad"     // broken
	Caution Style = "caution" // not to be missed
)

// Options are how reports are written. The zero Options are good for a pipe.
type Options struct {
	// Paint emphasizes text on a terminal; nil leaves it as it is. What it adds must not take up columns.
	Paint func(s Style, text string) string
	// Width is that of the terminal, in columns; 0: 80.
	Width int
	// Verbose unfolds the text: 0 is the summary, 1 everything, 2 also the snippets for servers that were not detected.
	Verbose int
	// Title is that of a page or a Markdown document; "": made of the hosts.
	Title string
	// MinGrade is the worst grade that is good enough; "" asks for nothing. It decides what fails in JUnit.
	MinGrade grade.Letter
	// Policies are the names of those that must be complied with; the others only inform.
	Policies []string
	// Tool is the version of the program, for SARIF and pages.
	Tool string
}

// Write writes all reports in one format. The error is that of w, or of a value that has no JSON.
func Write(w io.Writer, f Format, reports []Report, o Options) error {
	out := NewWriter(w, f, o)
	for i := range reports {
		if err := out.Add(reports[i]); err != nil {
			return err
		}
	}
	return out.Close()
}

// Worst is the worst grade of all reports: what could not be judged ("") does not count unless there is nothing else.
func Worst(reports []Report) grade.Letter {
	worst := grade.Letter("")
	for _, r := range reports {
		if l := letterOf(&r); l != "" && rank(l) > rank(worst) {
			worst = l
		}
	}
	return worst
}

// rank orders letters, the best first: A+ is 1, "" 0.
func rank(l grade.Letter) int {
	for i, known := range [...]grade.Letter{"", "A+", "A", "A-", "B", "C", "D", "E", "F", "M", "T"} {
		if l == known {
			return i
		}
	}
	return 0
}

// letterOf is the grade of a report; "" if there is none: files have none, nor has a server that did not answer.
func letterOf(r *Report) grade.Letter {
	if r.Result == nil || r.Facts == nil || r.Facts.Unreachable != "" {
		return ""
	}
	return r.Result.Grade
}

// Name is the target of a report as a person writes it: "example.com:443", "[2001:db8::1]:25/smtp"; "files" for files.
func (r *Report) Name() string {
	if r.Facts == nil {
		return "files"
	}
	name := hostPort(r.Facts)
	if r.Facts.StartTLS != "" {
		name += "/" + r.Facts.StartTLS
	}
	if asked := r.Facts.ServerName; asked != "" && asked != r.Facts.Host {
		name += " (" + asked + ")" // another site at the same place
	}
	return name
}

// hostPort is the target without its protocol.
func hostPort(f *grade.Facts) string {
	host := f.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(f.Port)
}

// joined writes into a buffer first, so that half a document is never written.
func joined(w io.Writer, write func(b *bytes.Buffer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
