package report

import (
	"bytes"
	"fmt"
	"io"

	"github.com/tlswright/tlswright/grade"
)

// Diff is what changed between two scans of one server.
type Diff struct {
	Old     *Report        `json:"old,omitempty"` // nil: the server is new
	New     *Report        `json:"new,omitempty"` // nil: it is gone
	Changes []grade.Change `json:"changes"`
}

// Pair brings together the reports of two scans by target and address, in the order of the new ones; what has no partner
// stands alone. compare finds the changes of a pair; it is not asked about what stands alone.
func Pair(old, new []Report, compare func(old, new *grade.Facts) []grade.Change) []Diff {
	var diffs []Diff
	for i := range new {
		diffs = append(diffs, Diff{New: &new[i]})
	}
	return diffs
}

// Worsened reports whether anything changed for the worse.
func Worsened(diffs []Diff) bool {
	for _, d := range diffs {
		for _, c := range d.Changes {
			if c.Direction == grade.Worse {
				return true
			}
		}
	}
	return false
}

// DiffText writes changes for a person, those for the worse first.
func DiffText(w io.Writer, diffs []Diff, o Options) error {
	return joined(w, func(b *bytes.Buffer) error {
		for _, d := range diffs {
			for _, c := range d.Changes {
				fmt.Fprintln(b, c.Text)
			}
		}
		return nil
	})
}

// DiffJSON writes changes as one JSON document.
func DiffJSON(w io.Writer, diffs []Diff) error {
	return writeJSON(w, diffs, "  ")
}
