package report

import (
	"bytes"
	"html/template"
	"io"
)

// HTML writes one page that needs no network, no script and no other file.
func HTML(w io.Writer, reports []Report, o Options) error {
	t, err := template.New("page").Parse(`<!doctype html><title>TLS</title>{{range .}}<h1>{{.Name}}</h1>{{end}}`)
	if err != nil {
		return err
	}
	return joined(w, func(b *bytes.Buffer) error { return t.Execute(b, cleanAll(reports)) })
}
