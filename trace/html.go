package trace

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// pageFiles are the parts of the page. The page is one file all the same: they are put into it.
//
//go:embed html/*.tmpl html/*.css html/*.js
var pageFiles embed.FS

// HTMLOptions are how a page is written. The zero HTMLOptions are good.
type HTMLOptions struct {
	// Title is that of the page; "" is made of the server's name.
	Title string
}

// htmlPage is what the template gets.
type htmlPage struct {
	Title   string
	Lines   []string // what happened, in three lines
	Started string
	Failure []string
	Cut     string
	Secrets bool
	Wrong   bool // something does not add up
	Style   string
	Script  string
	Data    pageData
}

// pageData is what the scripts of the page get, as JSON.
type pageData struct {
	Recording    *Recording        `json:"recording"`
	Hash         string            `json:"hash"`   // of the connection, as WebCrypto names it; "" if it is not known
	Cipher       string            `json:"cipher"` // "AES-GCM", "ChaCha20-Poly1305", "AES-CCM"; "" if it is not known
	TagBytes     int               `json:"tag_bytes"`
	Old          bool              `json:"old"` // TLS 1.2 or before
	Certificates []pageCertificate `json:"certificates"`
	Recipes      []recipe          `json:"recipes"` // of the checks, in their order
}

// WriteHTML writes a Recording as one page, for a browser that may have no network: data, style and scripts are in it,
// and its content security policy lets it load nothing and run nothing else. Secrets are in it if the Recording has them:
// see [Recording.WithoutSecrets]. The error is that of w, or of a Recording that has no JSON.
func WriteHTML(w io.Writer, r *Recording, o HTMLOptions) error {
	t, err := template.ParseFS(pageFiles, "html/*")
	if err != nil {
		return fmt.Errorf("trace: the page's own template: %w", err)
	}
	p := pageOf(r, o)
	// What the template makes of styles and scripts does not depend on the data, but only it knows what that is.
	var empty bytes.Buffer
	if err := t.ExecuteTemplate(&empty, "page.tmpl", htmlPage{}); err != nil {
		return fmt.Errorf("trace: the page's own template: %w", err)
	}
	if p.Style, err = hashOfElement(empty.Bytes(), "<style>", "</style>"); err != nil {
		return err
	}
	if p.Script, err = hashOfElement(empty.Bytes(), "<script>", "</script>"); err != nil {
		return err
	}
	var out bytes.Buffer // so that half a page is never written
	if err := t.ExecuteTemplate(&out, "page.tmpl", p); err != nil {
		return fmt.Errorf("trace: the page: %w", err)
	}
	_, err = w.Write(out.Bytes())
	return err
}

// hashOfElement is the source expression by which a content security policy lets one element through
// (CSP Level 3, hash-source).
func hashOfElement(html []byte, begin, end string) (string, error) {
	_, rest, ok := bytes.Cut(html, []byte(begin))
	content, _, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return "", errors.New("trace: the page's own template has no " + begin)
	}
	sum := sha256.Sum256(content)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", nil
}

// pageOf collects what goes into the page.
func pageOf(r *Recording, o HTMLOptions) htmlPage {
	p := htmlPage{
		Title: pki.Printable(o.Title), Lines: headLines(r), Failure: failureLines(r), Secrets: r.HasSecrets, Cut: pki.Printable(r.Cut),
	}
	if p.Title == "" {
		p.Title = "TLS with " + serverName(r)
	}
	if !r.Started.IsZero() {
		p.Started = r.Started.UTC().Format(time.RFC3339)
	}
	_, wrong, _ := countChecks(r)
	p.Wrong = wrong > 0 || r.Failure != nil
	p.Data = pageData{Recording: r, Old: r.Summary.Version != "" && r.Summary.Version != "TLS 1.3"}
	p.Data.Hash, p.Data.Cipher, p.Data.TagBytes = algorithmsOf(r.Summary.CipherSuite)
	p.Data.Certificates = pageCertificates(r)
	p.Data.Recipes = recipesOf(r)
	return p
}
