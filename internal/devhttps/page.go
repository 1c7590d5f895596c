package devhttps

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/tlswright/tlswright/internal/relay"
)

// Waiting answers in the place of an application that does not run: browsers get a page that looks again by itself, other
// programs a line of text. target is where the application is expected.
func Waiting(target string) func(w http.ResponseWriter, r *http.Request, err *relay.Error) bool {
	page := waitingPage()
	return func(w http.ResponseWriter, r *http.Request, err *relay.Error) bool {
		if err.Reason != relay.ReasonConnect {
			return false // it runs, and has made a mistake
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Retry-After", "1")
		h.Set("X-Content-Type-Options", "nosniff")
		isPage := (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.Header.Get("Accept"), "text/html")
		if !isPage {
			h.Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(err.Status)
			_, _ = w.Write([]byte("nothing answers at " + target + ": does the application run?\n"))
			return true
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		w.WriteHeader(err.Status)
		if r.Method == http.MethodGet {
			// An error here means that the client has gone.
			_ = page.Execute(w, struct{ Target string }{target})
		}
		return true
	}
}

func waitingPage() *template.Template {
	return template.Must(template.New("waiting").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="1"><title>Waiting for the application</title>
<style>` + pageStyle + `</style></head>
<body><main><h1>Waiting for the application</h1>
<p>HTTPS works. Nothing answers at <code>{{.Target}}</code> yet.</p>
<p>Start the application; this page looks every second and shows it as soon as it is there.</p></main></body></html>
`))
}

const pageStyle = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:10vh auto;padding:0 1rem;color:#222;background:#fff}
code{font:14px/1.5 ui-monospace,monospace;background:#f2f2f2;padding:.1em .3em;border-radius:3px;overflow-wrap:anywhere}
a{color:#0a58ca}li{margin:.5rem 0}@media (prefers-color-scheme:dark){body{color:#ddd;background:#181818}code{background:#2a2a2a}a{color:#8ab4f8}}`
