package gateway

import (
	"errors"
	"fmt"
	"net/http"
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
	path   string         // without the final slash; "" is everything
	policy *access.Policy // beside the site's
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

// weight orders routes: the longest path comes first, an exact one before its prefix, those for some methods before those
// for all.
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

func (r *route) samePath(other *route) bool { return r.path == other.path && r.exact == other.exact }

func (r *route) fitsPath(p string) bool {
	if r.exact {
		return p == r.path
	}
	rest, ok := strings.CutPrefix(p, r.path)
	return ok && (rest == "" || rest[0] == '/')
}

func (r *route) fitsMethod(method string) bool {
	return len(r.c.Methods) == 0 || slices.Contains(r.c.Methods, method) || method == http.MethodHead && slices.Contains(r.c.Methods, http.MethodGet)
}

// routeOf is the route of a request; nil with the status 0: none fits, and the site's own target and rules hold. Any other
// status is what the request is answered: 405 where the path has routes for other methods only, 400 where programs behind
// us could read the path in another way, and so reach a route with other rules than those that were asked.
func (s *site) routeOf(method, p string) (r *route, status int) {
	r, status = s.match(method, p)
	if len(s.routes) == 0 || isPlainPath(p) {
		return r, status
	}
	if other, _ := s.match(method, canonicalPath(p)); other != r {
		return nil, http.StatusBadRequest
	}
	return r, status
}

// match finds the route. The longest path decides; a shorter one, whose rules may be laxer, is no way out.
func (s *site) match(method, p string) (*route, int) {
	for i, r := range s.routes {
		if !r.fitsPath(p) {
			continue
		}
		for _, same := range s.routes[i:] {
			if !same.samePath(r) {
				break
			}
			if same.fitsMethod(method) {
				return same, 0
			}
		}
		return nil, http.StatusMethodNotAllowed
	}
	return nil, 0
}

// methodsOf lists the methods that routes of a path are for.
func (s *site) methodsOf(p string) string {
	var out []string
	for _, r := range s.routes {
		if r.fitsPath(p) && (len(out) == 0 || !r.exact) {
			out = append(out, r.c.Methods...)
		}
	}
	return strings.Join(out, ", ")
}

// isPlainPath reports whether a path has one reading only.
func isPlainPath(p string) bool {
	return !strings.ContainsAny(p, "%;\\") && !strings.Contains(p, "//") && !strings.Contains(p, "/.") && strings.HasPrefix(p, "/")
}

// climbs reports whether a path has a segment that some reader takes for the folder above.
func climbs(p string) bool {
	if isPlainPath(p) {
		return false
	}
	for range 3 {
		again, err := url.PathUnescape(p)
		if err != nil || again == p {
			break
		}
		p = again
	}
	for _, s := range strings.FieldsFunc(p, func(r rune) bool { return r == '/' || r == '\\' }) {
		if s, _, _ = strings.Cut(s, ";"); s == ".." {
			return true
		}
	}
	return false
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
