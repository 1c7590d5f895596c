package publish

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
)

//go:embed page.html
var pageText string

// pageData is what the page shows. All strings have passed pki.Printable.
type pageData struct {
	Title   string
	Roots   []rootData
	Issuers []issuerData
	Host    string
}

type rootData struct {
	Name, SHA256, Key, NotBefore, NotAfter string
}

type issuerData struct {
	Name, Subject, NotAfter string
	CRLs                    []string
	Set                     string
}

// page shows the roots, their fingerprints and how to trust them.
func (p *Publisher) page(w http.ResponseWriter, r *http.Request) {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		p.trouble(w, "make the page", err)
		return
	}
	data := pageData{Title: p.o.Title, Host: pki.Printable(r.Host)}
	for _, c := range p.o.Roots {
		name := pki.Printable(c.Subject.CommonName)
		if name == "" {
			name = pki.Name(c.Subject)
		}
		if data.Title == "" {
			data.Title = name
		}
		data.Roots = append(data.Roots, rootData{Name: name, SHA256: spaced(pki.Fingerprint(c.Raw)), Key: pki.DescribeKey(c.PublicKey),
			NotBefore: c.NotBefore.UTC().Format(time.DateOnly), NotAfter: c.NotAfter.UTC().Format(time.DateOnly)})
	}
	for _, i := range p.o.Issuers {
		c := i.Authority.Issuer.Certificate
		d := issuerData{Name: i.Name, Subject: pki.Name(c.Subject), NotAfter: c.NotAfter.UTC().Format(time.DateOnly), Set: "/sets/" + i.Name + ".set"}
		if shards := i.Authority.Publication.Shards; shards > 1 {
			for n := range shards {
				d.CRLs = append(d.CRLs, fmt.Sprintf("/crl/%s/%d.crl", i.Name, n))
			}
		} else {
			d.CRLs = []string{"/crl/" + i.Name + ".crl"}
		}
		data.Issuers = append(data.Issuers, d)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		p.trouble(w, "make the page", err)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	p.send(w, "text/html; charset=utf-8", b.Bytes(), 5*time.Minute)
}

// spaced breaks a fingerprint into groups that can be compared by eye.
func spaced(hex string) string {
	hex = strings.ReplaceAll(hex, ":", "")
	var groups []string
	for len(hex) > 4 {
		groups, hex = append(groups, hex[:4]), hex[4:]
	}
	return strings.Join(append(groups, hex), " ")
}
