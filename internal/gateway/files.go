package gateway

import (
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"sort"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// Files serves the files of a folder over HTTP: GET and HEAD, ranges and conditional requests, a plain listing for a
// folder without index.html. Whatever may not be served is "not found", like what does not exist: names that start with a
// dot, private keys, the home of tlswright, and what links outside of the folder.
type Files struct {
	tree *tree
	// Hid is told when something that exists was not served, and why; nil: nobody is.
	Hid func(r *http.Request, reason string)
}

// NewFiles opens a folder for serving. home is the folder of tlswright, which is never served; "": there is none.
func NewFiles(dir, home string) (*Files, error) {
	t, err := openTree(dir, home)
	if err != nil {
		return nil, err
	}
	return &Files{tree: t}, nil
}

// Close lets go of the folder.
func (h *Files) Close() error { return h.tree.close() }

// files serves a folder as a target.
func (g *Gateway) files(s *site, dir string) (*Files, error) {
	home := g.o.Home
	if home == "" {
		home = g.o.NeverServe
	}
	f, err := NewFiles(dir, home)
	if err != nil {
		return nil, err
	}
	f.Hid = func(r *http.Request, reason string) {
		g.tell(slog.LevelWarn, Event{Kind: "withheld", Site: s.name, Address: r.RemoteAddr, Method: r.Method, Path: clip(pki.Printable(r.URL.Path), 512), Text: reason})
	}
	return f, nil
}

// ServeHTTP implements http.Handler.
func (h *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are served here", http.StatusMethodNotAllowed)
		return
	}
	resolved, info, err := h.tree.resolve(r.URL.Path)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if !info.IsDir() {
		h.serveFile(w, r, resolved, path.Base(r.URL.Path))
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/") {
		// Relative links of the page need the slash. The answer is relative itself, so that a path such as
		// //elsewhere/ cannot turn into another host.
		target := "./" + url.PathEscape(path.Base(r.URL.Path)) + "/"
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	if at, index, err := h.tree.resolve(path.Join(resolved, "index.html")); err == nil && index.Mode().IsRegular() {
		h.serveFile(w, r, at, "index.html")
		return
	}
	h.serveListing(w, r, resolved)
}

func (h *Files) serveFile(w http.ResponseWriter, r *http.Request, resolved, name string) {
	if strings.HasSuffix(r.URL.Path, "/") && !strings.HasSuffix(resolved, "index.html") {
		http.NotFound(w, r)
		return
	}
	f, info, err := h.tree.open(resolved)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	defer f.Close()
	w.Header().Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	http.ServeContent(w, r, name, info.ModTime(), f)
}

// refuse answers for everything that cannot be handed out.
func (h *Files) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, fs.ErrNotExist) && h.Hid != nil {
		h.Hid(r, pki.Printable(err.Error()))
	}
	http.Error(w, "not found", http.StatusNotFound)
}

type listingEntry struct {
	Name, Link, Size string
}

func (h *Files) serveListing(w http.ResponseWriter, r *http.Request, resolved string) {
	infos, err := h.tree.list(resolved)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	sort.Slice(infos, func(i, j int) bool { return infos[i].Name() < infos[j].Name() })
	page := struct {
		Path    string
		IsTop   bool
		Entries []listingEntry
	}{Path: r.URL.Path, IsTop: resolved == "."}
	for _, info := range infos {
		e := listingEntry{Name: info.Name(), Link: "./" + url.PathEscape(info.Name()), Size: byteCount(info.Size())}
		if info.IsDir() {
			e.Name, e.Link, e.Size = e.Name+"/", e.Link+"/", ""
		}
		page.Entries = append(page.Entries, e)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	if r.Method == http.MethodHead {
		return
	}
	// An error here means that the client has gone.
	_ = listingPage().Execute(w, page)
}

func listingPage() *template.Template {
	return template.Must(template.New("listing").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Path}}</title></head>
<body><h1>{{.Path}}</h1>
<table>
{{- if not .IsTop}}
<tr><td><a href="../">../</a></td><td></td></tr>{{end}}
{{- range .Entries}}
<tr><td><a href="{{.Link}}">{{.Name}}</a></td><td align="right">{{.Size}}</td></tr>{{end}}
</table></body></html>
`))
}

// byteCount is a size for people: "512 bytes", "1.5 MB". Powers of ten, one decimal.
func byteCount(n int64) string {
	switch {
	case n == 1:
		return "1 byte"
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	}
	value, unit := float64(n), 0
	for value >= 999.95 && unit < 4 {
		value /= 1000
		unit++
	}
	return fmt.Sprintf("%.1f %s", value, [...]string{"bytes", "kB", "MB", "GB", "TB"}[unit])
}
