package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/grade"
)

// Diff is what changed between two scans of one server at one address.
type Diff struct {
	Old     *Report        `json:"old,omitempty"` // nil: the server is new
	New     *Report        `json:"new,omitempty"` // nil: it is gone
	Changes []grade.Change `json:"changes,omitempty"`
}

// diffFormat is what a document about changes says it is.
const diffFormat = "tlswright-scan-diff"

// diffDocument is the JSON document of DiffJSON.
type diffDocument struct {
	Format  string `json:"format"`  // "tlswright-scan-diff"
	Version int    `json:"version"` // Version
	Diffs   []Diff `json:"diffs"`
}

// Pair brings together the reports of two scans by target and address, in the order of the new ones; those that are gone
// come behind. A server that was seen at one address each time is the same one, wherever it moved to. compare finds the
// changes of a pair; it is not asked about a server that stands alone.
func Pair(old, new []Report, compare func(old, new *grade.Facts) []grade.Change) []Diff {
	taken := make([]bool, len(old))
	partner := func(r *Report) *Report {
		candidate, count := -1, 0
		for i := range old {
			if taken[i] || old[i].Name() != r.Name() {
				continue
			}
			if r.Facts == nil || old[i].Facts.Address == r.Facts.Address {
				candidate, count = i, 1
				break
			}
			candidate, count = i, count+1
		}
		if count != 1 || r.Facts != nil && old[candidate].Facts.Address != r.Facts.Address && countNamed(new, r.Name()) > 1 {
			return nil
		}
		taken[candidate] = true
		return &old[candidate]
	}
	var diffs []Diff
	for i := range new {
		d := Diff{Old: partner(&new[i]), New: &new[i]}
		if d.Old != nil && d.Old.Facts != nil && d.New.Facts != nil {
			d.Changes = compare(d.Old.Facts, d.New.Facts)
		}
		diffs = append(diffs, d)
	}
	for i := range old {
		if !taken[i] {
			diffs = append(diffs, Diff{Old: &old[i]})
		}
	}
	return diffs
}

func countNamed(reports []Report, name string) int {
	count := 0
	for i := range reports {
		if reports[i].Name() == name {
			count++
		}
	}
	return count
}

// Worsened reports whether anything changed for the worse: a change that says so, a grade that sank, or a server that
// cannot be reached any more.
func Worsened(diffs []Diff) bool {
	return slices.ContainsFunc(diffs, func(d Diff) bool { return d.worse() })
}

func (d *Diff) worse() bool {
	if d.Old != nil && d.New != nil {
		before, after := letterOf(d.Old), letterOf(d.New)
		if before != "" && (after == "" || rank(after) > rank(before)) {
			return true
		}
	}
	return slices.ContainsFunc(d.Changes, func(c grade.Change) bool { return c.Direction == grade.Worse })
}

// DiffText writes changes for a person: a line for each server, what became worse first, and one line for all that did
// not change.
func DiffText(w io.Writer, diffs []Diff, o Options) error {
	return joined(w, func(b *bytes.Buffer) error {
		p := newPage(b, o)
		same := 0
		for i := range diffs {
			d := cleanDiff(diffs[i])
			if d.Old != nil && d.New != nil && len(d.Changes) == 0 && letterOf(d.Old) == letterOf(d.New) {
				same++
				continue
			}
			p.diff(&d)
		}
		switch {
		case same == len(diffs):
			p.line("Nothing changed on " + plural(same, "server") + ".")
		case same > 0:
			p.line(p.paint(Faint, plural(same, "server")+" without a change"))
		}
		return nil
	})
}

func cleanDiff(d Diff) Diff {
	var out Diff
	if d.Old != nil {
		old := clean(*d.Old)
		out.Old = &old
	}
	if d.New != nil {
		new := clean(*d.New)
		out.New = &new
	}
	for _, c := range d.Changes {
		out.Changes = append(out.Changes, cleanChange(c))
	}
	slices.SortStableFunc(out.Changes, func(a, b grade.Change) int { return directionRank(a.Direction) - directionRank(b.Direction) })
	return out
}

func directionRank(d grade.Direction) int {
	return slices.Index([]grade.Direction{grade.Worse, grade.Better, grade.Neutral}, d)
}

func (p *page) diff(d *Diff) {
	switch {
	case d.Old == nil:
		p.line(p.paint(Bold, d.New.Name()) + at(d.New) + "  new, grade " + p.letter(letterOf(d.New)))
		return
	case d.New == nil:
		p.line(p.paint(Bold, d.Old.Name()) + at(d.Old) + "  gone, grade was " + p.letter(letterOf(d.Old)))
		return
	}
	before, after := letterOf(d.Old), letterOf(d.New)
	text := "grade " + p.letter(after) + ", as before"
	if before != after {
		text = "grade " + p.letter(before) + " → " + p.letter(after)
	}
	p.line(p.paint(Bold, d.New.Name()) + at(d.New) + "  " + text)
	for _, c := range d.Changes {
		if c.Area == "grade" && c.Old == string(before) && c.New == string(after) {
			continue // the first line says so
		}
		word, style := string(c.Direction), Plain
		switch c.Direction {
		case grade.Worse:
			style = Wrong
		case grade.Better:
			style = Right
		case grade.Neutral:
			word = "other"
		}
		value := c.Text
		if c.Area != "" {
			value = c.Area + ": " + value
		}
		p.hanging("  ", p.paint(style, word)+strings.Repeat(" ", max(8-len(word), 1)), 10, value, Plain)
		if c.Old+c.New != "" && p.o.Verbose > 0 {
			p.wrapped("          ", fmt.Sprintf("%s → %s", orNothing(c.Old), orNothing(c.New)), Faint)
		}
	}
}

func at(r *Report) string {
	if r.Facts == nil || r.Facts.Address == "" {
		return ""
	}
	return " (" + r.Facts.Address + ")"
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// DiffJSON writes changes as one JSON document; see [Schema].
func DiffJSON(w io.Writer, diffs []Diff) error {
	if diffs == nil {
		diffs = []Diff{}
	}
	return writeJSON(w, diffDocument{diffFormat, Version, diffs}, "  ")
}
