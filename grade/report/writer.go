package report

import (
	"fmt"
	"io"

	"github.com/tlswright/tlswright/grade"
)

// Writer writes reports as they come. JSON, JSON lines and CSV go out with each Add. The other formats need to see all of
// them first and are written by Close; of a large fleet a Writer keeps only what its format will show.
type Writer struct {
	w       io.Writer
	format  Format
	options Options
	kept    []Report
	full    int // how many of those kept are whole
	written int // of JSON and CSV
}

// NewWriter begins a document. The caller closes it.
func NewWriter(w io.Writer, f Format, o Options) *Writer { return &Writer{w: w, format: f, options: o} }

// The frame of a JSON document.
const (
	documentHead = "{\n  \"format\": \"" + documentFormat + "\",\n  \"version\": 1,\n  \"reports\": ["
	documentTail = "]\n}\n"
)

// Add takes one report more.
func (w *Writer) Add(r Report) error {
	w.written++
	switch w.format {
	case FormatJSON:
		before := ",\n"
		if w.written == 1 {
			before = documentHead + "\n"
		}
		return writeInDocument(w.w, before, r)
	case FormatJSONLines:
		return JSONLine(w.w, r)
	case FormatCSV:
		return writeCSV(w.w, []Report{r}, w.written == 1)
	}
	w.keep(clean(r))
	return nil
}

// Close writes what has not been written yet. It does not close the output.
func (w *Writer) Close() error {
	switch w.format {
	case FormatText:
		return writeText(w.w, w.kept, w.options)
	case FormatJSON:
		tail := "\n  " + documentTail
		if w.written == 0 {
			tail = documentHead + documentTail
		}
		_, err := io.WriteString(w.w, tail)
		return err
	case FormatJSONLines:
		return nil
	case FormatHTML:
		return writeHTML(w.w, w.kept, w.options)
	case FormatCSV:
		if w.written > 0 {
			return nil
		}
		return writeCSV(w.w, nil, true)
	case FormatSARIF:
		return writeSARIF(w.w, w.kept, w.options)
	case FormatJUnit:
		return writeJUnit(w.w, w.kept, w.options)
	case FormatMarkdown:
		return writeMarkdown(w.w, w.kept, w.options)
	case FormatBadge:
		_, err := w.w.Write(Badge(Worst(w.kept)))
		return err
	}
	return fmt.Errorf("report: no format %q", string(w.format))
}

// keep stores a report, with as much of it as will be shown.
func (w *Writer) keep(r Report) {
	switch w.format {
	case FormatSARIF:
		r.Facts = outline(r.Facts)
	case FormatJUnit:
		attacks := []grade.Vulnerability(nil)
		if r.Facts != nil {
			attacks = r.Facts.Vulnerabilities
		}
		if r.Facts = outline(r.Facts); r.Facts != nil {
			r.Facts.Vulnerabilities = attacks
		}
	case FormatBadge:
		r = Report{Facts: outline(r.Facts), Result: &grade.Result{Grade: letterOf(&r)}}
	default:
		w.keepForPeople(r)
		return
	}
	w.kept = append(w.kept, r)
}

// keepForPeople keeps whole what will be unfolded: the worst servers of a fleet. Of the others the line in the table is
// enough.
func (w *Writer) keepForPeople(r Report) {
	w.kept = append(w.kept, r)
	w.full++
	if w.full <= mostUnfolded {
		return
	}
	best, place := -1, 0
	for i := range w.kept {
		if p := placeOf(&w.kept[i]); !isOutline(&w.kept[i]) && (best < 0 || p <= place) {
			best, place = i, p
		}
	}
	if best >= 0 {
		w.kept[best] = lineOf(w.kept[best])
	}
	w.full--
}

// isOutline reports whether a report has been cut down by lineOf.
func isOutline(r *Report) bool { return r.Facts != nil && r.Facts.Schema == 0 }

// outline is what every format says about a server: where it is, and whether it answered. Its schema is 0.
func outline(f *grade.Facts) *grade.Facts {
	if f == nil {
		return nil
	}
	return &grade.Facts{
		Host: f.Host, Port: f.Port, Address: f.Address, StartTLS: f.StartTLS, Time: f.Time, Seconds: f.Seconds, Connections: f.Connections, Unreachable: f.Unreachable, Gaps: f.Gaps,
		Software: f.Software, Quick: f.Quick,
	}
}

// lineOf is what the table of a fleet, and the list of what to do, say about a server.
func lineOf(r Report) Report {
	facts := outline(r.Facts)
	if r.Facts != nil && len(r.Facts.Chains) > 0 && r.Facts.Chains[0].Leaf() != nil {
		facts.Chains = []grade.Chain{{Sent: []grade.Certificate{{NotAfter: r.Facts.Chains[0].Leaf().NotAfter}}}}
	}
	line := Report{Facts: facts, Files: r.Files}
	if r.Result == nil {
		return line
	}
	result := grade.Result{Grade: r.Result.Grade, GradeIgnoringTrust: r.Result.GradeIgnoringTrust, Mismatch: r.Result.Mismatch, Incomplete: r.Result.Incomplete}
	for _, f := range r.Result.Findings {
		if f.Severity == grade.Info || f.Severity == grade.Good {
			continue
		}
		short := grade.Finding{Rule: f.Rule, Severity: f.Severity, Title: f.Title, Cap: f.Cap}
		if f.Fix != nil {
			short.Fix = &grade.Fix{Text: f.Fix.Text}
		}
		result.Findings = append(result.Findings, short)
	}
	line.Result = &result
	return line
}
