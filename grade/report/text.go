package report

import (
	"bytes"
	"fmt"
	"io"
)

// Text writes the reports for a person: the grade first, what is wrong and how to mend it, then the rest in short.
func Text(w io.Writer, reports []Report, o Options) error {
	return joined(w, func(b *bytes.Buffer) error {
		for _, r := range cleanAll(reports) {
			fmt.Fprintln(b, Line(r, o))
		}
		return nil
	})
}

// Line is a report in one line without its end: grade, target, and the worst finding. For a fleet, as the scans finish.
func Line(r Report, o Options) string {
	return string(letterOf(&r)) + "  " + r.Name()
}
