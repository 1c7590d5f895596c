package gateway

import (
	"html/template"
	"net/http"
)

// writePage answers a refused request with a page for people. It says what they can tell the operator, and of the client
// itself what it has shown; of the rules it says nothing.
func writePage(w http.ResponseWriter, r *http.Request, d *Denial) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(d.Status)
	if r.Method == http.MethodHead {
		return
	}
	_ = refusalPage().Execute(w, struct {
		*Denial
		Words string
	}{d, wordsFor(d)}) // an error here means that the client has gone
}

// wordsFor says to the one who is refused what is wrong, without giving the rules away.
func wordsFor(d *Denial) string {
	switch d.Reason {
	case "no-certificate":
		return "This page is for visitors with a client certificate, and your browser sent none."
	case "no-rule", "denied":
		return "Your certificate is valid, but it does not give access to this page."
	case reasonRevoked:
		return "Your certificate has been revoked."
	case reasonExpired:
		return "Your certificate has expired."
	}
	return "Your certificate is not accepted here."
}

func refusalPage() *template.Template {
	return template.Must(template.New("refusal").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Access denied</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:10vh auto;padding:0 1rem;color:#222;background:#fff}
code{font:14px/1.5 ui-monospace,monospace;background:#f2f2f2;padding:.1em .3em;border-radius:3px;overflow-wrap:anywhere}
dt{color:#666;margin-top:.6rem}dd{margin:0}@media (prefers-color-scheme:dark){body{color:#ddd;background:#181818}code{background:#2a2a2a}dt{color:#999}}</style></head>
<body><main><h1>Access denied</h1>
<p>{{.Words}}</p>
<p>Whoever runs this site can find out why, and change it. Tell them this number:</p>
<p><code>{{.ID}}</code></p>
<dl>{{with .Cert}}<dt>The certificate that you showed</dt><dd><code>{{.Subject}}</code></dd>
<dt>Its serial number</dt><dd><code>{{.Serial}}</code></dd><dt>Issued by</dt><dd><code>{{.Issuer}}</code></dd>{{end}}
<dt>Time</dt><dd>{{.Time.Format "2006-01-02 15:04:05 MST"}}</dd></dl></main></body></html>
`))
}
