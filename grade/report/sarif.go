package report

import (
	"io"
)

// SARIF writes a log of version 2.1.0, as code scanning services read it.
func SARIF(w io.Writer, reports []Report, o Options) error {
	return writeJSON(w, map[string]any{"version": "2.1.0"}, "  ")
}
