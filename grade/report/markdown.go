package report

import "io"

// Markdown writes the reports as GitHub shows them. Strings of peers are escaped.
func Markdown(w io.Writer, reports []Report, o Options) error {
	return Text(w, reports, o)
}
