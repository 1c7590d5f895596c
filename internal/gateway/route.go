package gateway

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
)

// route is a part of a site, loaded.
type route struct {
	c      *config.Route
	name   string
	exact  bool
	path   string // without the final slash; "" is everything
	policy *access.Policy
	target *target
}

// compile reads the route's path.
func (r *route) compile() error {
	p := r.c.Path
	if rest, ok := strings.CutPrefix(p, "="); ok {
		r.exact, p = true, rest
	}
	switch {
	case !strings.HasPrefix(p, "/"):
		return errors.New("a path begins with /, or with =/")
	case p != canonicalPath(p) && p != canonicalPath(p)+"/":
		return fmt.Errorf("the path is one of several spellings; write %s", canonicalPath(p))
	}
	r.path = p
	if !r.exact {
		r.path = strings.TrimSuffix(p, "/")
	}
	return nil
}

// weight orders routes: those that fit less come first.
func (r *route) weight() int {
	w := 4 * len(r.path)
	if r.exact {
		w += 2
	}
	if len(r.c.Methods) > 0 {
		w++
	}
	return w
}

func (r *route) fits(method, p string) bool {
	if len(r.c.Methods) > 0 && !slices.Contains(r.c.Methods, method) && (method != "HEAD" || !slices.Contains(r.c.Methods, "GET")) {
		return false
	}
	if r.exact {
		return p == r.path
	}
	rest, ok := strings.CutPrefix(p, r.path)
	return ok && (rest == "" || rest[0] == '/')
}

// routeOf is the route of a request; nil: none fits, and the site's own target and rules hold. ok is false where programs
// behind us could read the path in another way, and so reach a route with other rules than those that were asked.
func (s *site) routeOf(method, p string) (r *route, ok bool) {
	r = s.match(method, p)
	if len(s.routes) == 0 || isPlainPath(p) {
		return r, true
	}
	return r, s.match(method, canonicalPath(p)) == r
}

func (s *site) match(method, p string) *route {
	for _, r := range s.routes {
		if r.fits(method, p) {
			return r
		}
	}
	return nil
}

// isPlainPath reports whether a path has one reading only.
func isPlainPath(p string) bool {
	return !strings.ContainsAny(p, "%;\\") && !strings.Contains(p, "//") && !strings.Contains(p, "/.") && strings.HasPrefix(p, "/")
}

// canonicalPath is what a path means to the most obliging reader: percent signs read again, backslashes as slashes,
// parameters of segments dropped, dots and doubled slashes resolved.
func canonicalPath(p string) string {
	for range 3 {
		again, err := url.PathUnescape(p)
		if err != nil || again == p {
			break
		}
		p = again
	}
	p = strings.ReplaceAll(p, "\\", "/")
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	p = strings.Join(segments, "/")
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}
