package devhttps

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"html/template"
	"net/http"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// Phone serves, over plain HTTP, what a phone needs before it can trust the application: a page, and the root as Android
// and as iOS take it. The root is public; that it is the right one is told by its fingerprint, which stands in the terminal,
// too. url is where the application is.
func Phone(root *x509.Certificate, url string) http.Handler {
	mux := http.NewServeMux()
	give := func(path, kind, name string, body []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
			_, _ = w.Write(body) // an error here means that the client has gone
		})
	}
	give("/root.crt", "application/x-x509-ca-cert", "tlswright-dev.crt", root.Raw)
	give("/root.mobileconfig", "application/x-apple-aspen-config", "tlswright-dev.mobileconfig", Profile(root))
	page := phonePage()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		_ = page.Execute(w, struct{ Name, SHA256, URL, Scope string }{pki.Name(root.Subject), Fingerprint(root), url, Scope()})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		mux.ServeHTTP(w, r)
	})
}

// Fingerprint is the SHA-256 of a certificate as phones show it: pairs in capitals, with blanks for people.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	text := strings.ToUpper(hex.EncodeToString(sum[:]))
	var b strings.Builder
	for i := 0; i < len(text); i += 2 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(text[i : i+2])
	}
	return b.String()
}

func phonePage() *template.Template {
	return template.Must(template.New("phone").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trust this computer's local root</title>
<style>` + pageStyle + `</style></head>
<body><main><h1>Trust this computer's local root</h1>
<ol>
<li><b>iPhone, iPad:</b> <a href="/root.mobileconfig">install the profile</a> (Settings, Profile Downloaded), then switch it on under
Settings, General, About, Certificate Trust Settings.</li>
<li><b>Android:</b> <a href="/root.crt">download the root</a>, then Settings, Security, Encryption and credentials, Install a certificate, CA certificate.
Firefox for Android takes it only with "Use third party CA certificates" in its secret settings.</li>
<li>Compare the fingerprint with the one in the terminal:<br><code>{{.SHA256}}</code></li>
<li><a href="{{.URL}}">Open the application</a>: <code>{{.URL}}</code></li>
</ol>
<p>The root is <code>{{.Name}}</code>. It may certify local names and addresses only: {{.Scope}}. Remove it from the phone when you no longer need it.</p>
</main></body></html>
`))
}

// Profile is the root as a configuration profile of Apple's, unsigned.
func Profile(root *x509.Certificate) []byte {
	sum := sha256.Sum256(root.Raw)
	id := hex.EncodeToString(sum[:16])
	uuid := func(last string) string {
		return strings.ToUpper(id[:8] + "-" + id[8:12] + "-4" + id[13:16] + "-8" + id[17:20] + "-" + id[20:31] + last)
	}
	name := template.HTMLEscapeString(pki.Name(root.Subject))
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>PayloadType</key><string>Configuration</string><key>PayloadVersion</key><integer>1</integer>
<key>PayloadIdentifier</key><string>tlswright.dev.` + id + `</string><key>PayloadUUID</key><string>` + uuid("1") + `</string>
<key>PayloadDisplayName</key><string>` + name + `</string>
<key>PayloadDescription</key><string>A root for local names and addresses only.</string>
<key>PayloadContent</key><array><dict>
<key>PayloadType</key><string>com.apple.security.root</string><key>PayloadVersion</key><integer>1</integer>
<key>PayloadIdentifier</key><string>tlswright.dev.` + id + `.root</string><key>PayloadUUID</key><string>` + uuid("2") + `</string>
<key>PayloadDisplayName</key><string>` + name + `</string><key>PayloadCertificateFileName</key><string>tlswright-dev.crt</string>
<key>PayloadContent</key><data>` + base64.StdEncoding.EncodeToString(root.Raw) + `</data>
</dict></array>
</dict></plist>
`)
}
