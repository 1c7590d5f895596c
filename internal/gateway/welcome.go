package gateway

import (
	"cmp"
	"html/template"
	"net/http"
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlsnet"
)

// welcomeFacts are what the welcome page says of the connection that it came over.
type welcomeFacts struct {
	Host, Version, Suite, Group, Protocol, From string
	Resumed                                     bool
	Leaf, Issuer, Until, Serial                 string // of the certificate that was shown; "": the session was resumed
	Client                                      string // of the client's certificate; "": it showed none
}

// welcome answers with a page that shows that all works: it is for the first look, and hands out nothing that the client
// does not know.
func (g *Gateway) welcome(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are served here", http.StatusMethodNotAllowed)
		return
	}
	f := welcomeFacts{Host: pki.Printable(r.Host), From: r.RemoteAddr, Protocol: r.Proto}
	if i, ok := tlsnet.InfoFromContext(r.Context()); ok {
		f.Version, f.Suite, f.Group, f.Resumed = i.Facts.Version.String(), i.Facts.CipherSuite.String(), i.Facts.Group.String(), i.Facts.Resumed
		if i.Peer.Verified() {
			f.Client = pki.Name(i.Peer.Chain[0].Subject)
		}
		if own := i.Facts.OwnIdentity; own != nil && len(own.Chain) > 0 {
			if leaf, err := cert.ParseX509(own.Chain[0]); err == nil {
				f.Leaf, f.Issuer, f.Until, f.Serial = cmp.Or(pki.Name(leaf.Subject), pki.Printable(strings.Join(leaf.DNSNames, ", ")), "without a name"), pki.Name(leaf.Issuer), leaf.NotAfter.UTC().Format("2006-01-02 15:04 MST"), leaf.SerialNumber.Text(16)
			}
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return
	}
	_ = welcomePage().Execute(w, f) // an error here means that the client has gone
}

func welcomePage() *template.Template {
	return template.Must(template.New("welcome").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>It works</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:10vh auto;padding:0 1rem;color:#222;background:#fff}
h1{margin-bottom:.2em}code{font:14px/1.5 ui-monospace,monospace;background:#f2f2f2;padding:.1em .3em;border-radius:3px;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.4rem 1.2rem}dt{color:#666}dd{margin:0;overflow-wrap:anywhere}
@media (prefers-color-scheme:dark){body{color:#ddd;background:#181818}code{background:#2a2a2a}dt{color:#999}}</style></head>
<body><main><h1>It works.</h1>
<p>This page came to you from tlswright, over a connection that nobody could read or change on its way.</p>
<dl>{{with .Version}}<dt>Protocol</dt><dd>{{.}}, {{$.Protocol}}{{if $.Resumed}}, resumed{{end}}</dd>{{end}}
{{with .Group}}<dt>Key exchange</dt><dd>{{.}}</dd>{{end}}
{{with .Suite}}<dt>Cipher suite</dt><dd>{{.}}</dd>{{end}}
{{with .Leaf}}<dt>Certificate</dt><dd>{{.}}, until {{$.Until}}</dd><dt>Issued by</dt><dd>{{$.Issuer}}</dd><dt>Serial number</dt><dd><code>{{$.Serial}}</code></dd>{{end}}
<dt>You</dt><dd>{{.From}}{{with .Client}}, with a certificate for {{.}}{{end}}</dd>
</dl>
<p>To have your own application here, write its address where <code>tlswright.yaml</code> says <code>target: welcome</code>,
such as <code>target: http://127.0.0.1:3000</code>, and save the file: it counts at once. Where there is no such file yet,
<code>tlswright init</code> writes one.</p>
</main></body></html>
`))
}
