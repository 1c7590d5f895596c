package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed static/*
var staticFiles embed.FS

//go:embed pages/*.html
var pageFiles embed.FS

// file is one that never changes while the program runs.
type file struct {
	kind   string
	body   []byte
	packed []byte // gzip
	tag    string // strong, of the plain body
}

// readFiles reads what browsers load beside pages.
func readFiles() (map[string]*file, error) {
	list, err := staticFiles.ReadDir("static")
	if err != nil {
		return nil, err
	}
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}
	files := make(map[string]*file, len(list))
	for _, e := range list {
		f := &file{kind: kinds[path.Ext(e.Name())]}
		if f.body, err = staticFiles.ReadFile("static/" + e.Name()); err != nil {
			return nil, err
		}
		if f.kind == "" {
			return nil, fmt.Errorf("%s is of no known kind", e.Name())
		}
		if f.packed, err = packed(f.body); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(f.body)
		f.tag = hex.EncodeToString(sum[:10])
		files[e.Name()] = f
	}
	return files, nil
}

func packed(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err := w.Close() // which writes the rest
	return b.Bytes(), err
}

// static sends a file. With its version in the query it may be kept for ever.
func (c *call) static() error {
	f := c.s.files[c.PathValue("name")]
	if f == nil {
		return refusal(http.StatusNotFound, "there is no such file", "")
	}
	h := c.w.Header()
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if c.query.Get("v") == f.tag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body, tag := f.body, `"`+f.tag+`"`
	if takesGzip(c.Request) && len(f.packed) < len(f.body) {
		h.Set("Content-Encoding", "gzip")
		body, tag = f.packed, `"`+f.tag+`-gzip"`
	}
	h.Set("ETag", tag)
	if strings.Contains(c.Header.Get("If-None-Match"), tag) {
		h.Del("Content-Encoding")
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.send(http.StatusOK, body)
	return nil
}

// takesGzip reports whether a client takes gzip. One that would rather not says so by q=0.
func takesGzip(r *http.Request) bool {
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(part, ";")
		if strings.TrimSpace(name) == "gzip" {
			return !strings.HasPrefix(strings.ReplaceAll(quality, " ", ""), "q=0") || strings.ContainsAny(strings.TrimPrefix(strings.TrimSpace(quality), "q=0"), "123456789")
		}
	}
	return false
}

// send writes an answer; HEAD is answered without it.
func (c *call) send(status int, body []byte) {
	c.w.WriteHeader(status)
	if c.Method != http.MethodHead {
		_, _ = c.w.Write(body) // nobody to tell
	}
}

// fromFile is the address of a file, with its version.
func (s *Server) fromFile(name string) (string, error) {
	f := s.files[name]
	if f == nil {
		return "", fmt.Errorf("there is no %s", name)
	}
	return "/static/" + name + "?v=" + f.tag, nil
}

// readViews reads the pages: each with the frame and the parts that all share.
func readViews() (map[string]*template.Template, error) {
	shared, err := template.New("shared").Funcs(functions()).ParseFS(pageFiles, "pages/frame.html", "pages/parts.html")
	if err != nil {
		return nil, err
	}
	list, err := pageFiles.ReadDir("pages")
	if err != nil {
		return nil, err
	}
	views := make(map[string]*template.Template)
	for _, e := range list {
		name := strings.TrimSuffix(e.Name(), ".html")
		if name == "frame" || name == "parts" {
			continue
		}
		copied, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		if views[name], err = copied.ParseFS(pageFiles, "pages/"+e.Name()); err != nil {
			return nil, err
		}
	}
	return views, nil
}
