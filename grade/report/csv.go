package report

import (
	"bytes"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tlswright/tlswright/grade"
)

// csvHead are the columns. New ones go to the end.
var csvHead = []string{
	"host", "port", "address", "starttls", "time", "grade", "grade ignoring trust", "score", "rule", "severity", "cap", "title", "reason",
	"evidence", "fix", "snippet", "reference", "unreachable", "incomplete",
}

// CSV writes one row for each finding (RFC 4180), and one without a rule for a server that has none. A cell that a
// spreadsheet would take for a formula is quoted by an apostrophe.
func CSV(w io.Writer, reports []Report) error { return writeCSV(w, reports, true) }

func writeCSV(w io.Writer, reports []Report, withHead bool) error {
	return joined(w, func(b *bytes.Buffer) error {
		c := csv.NewWriter(b)
		c.UseCRLF = true
		if withHead {
			if err := c.Write(csvHead); err != nil {
				return err
			}
		}
		for _, r := range reports {
			if err := c.WriteAll(csvRows(clean(r))); err != nil {
				return err
			}
		}
		c.Flush()
		return c.Error()
	})
}

func csvRows(r Report) [][]string {
	head := csvTarget(&r)
	if r.Result == nil || len(r.Result.Findings) == 0 {
		return [][]string{csvRow(&r, head, nil)}
	}
	var rows [][]string
	for i := range r.Result.Findings {
		rows = append(rows, csvRow(&r, head, &r.Result.Findings[i]))
	}
	return rows
}

// csvTarget are the columns up to the score.
func csvTarget(r *Report) []string {
	cells := []string{"files", "", "", "", ""}
	if f := r.Facts; f != nil {
		cells = []string{f.Host, strconv.Itoa(f.Port), f.Address, f.StartTLS, f.Time.UTC().Format(time.RFC3339)}
	}
	if r.Result == nil {
		return append(cells, "", "", "")
	}
	return append(cells, string(letterOf(r)), string(r.Result.GradeIgnoringTrust), strconv.Itoa(int(r.Result.Score)))
}

func csvRow(r *Report, head []string, f *grade.Finding) []string {
	row := append([]string(nil), head...)
	if f == nil {
		row = append(row, "", "", "", "", "", "", "", "", "")
	} else {
		fix, snippet := "", ""
		if f.Fix != nil {
			fix = f.Fix.Text
			if len(f.Fix.Snippets) > 0 {
				s := f.Fix.Snippets[0]
				snippet = s.Server + ": " + strings.ReplaceAll(s.Text, "\n", " | ")
			}
		}
		row = append(row, f.Rule, string(f.Severity), string(f.Cap), f.Title, f.Reason, strings.Join(f.Evidence, "; "), fix, snippet,
			strings.Join(f.Reference, "; "))
	}
	unreachable := ""
	if r.Facts != nil {
		unreachable = r.Facts.Unreachable
	}
	incomplete := ""
	if r.Result != nil {
		incomplete = strings.Join(r.Result.Incomplete, "; ")
	}
	row = append(row, unreachable, incomplete)
	for i := range row {
		row[i] = csvCell(row[i])
	}
	return row
}

// csvCell puts an apostrophe before what a spreadsheet would compute: a cell that begins with = + - @, in their wide forms
// too, be it behind blanks.
func csvCell(s string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " \t\r\n\u00a0\u3000"))
	switch first {
	case '=', '+', '-', '@', '\uff1d', '\uff0b', '\uff0d', '\uff20':
		return "'" + s
	}
	return s
}
