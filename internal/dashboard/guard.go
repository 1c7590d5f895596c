package dashboard

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tlswright/tlswright/pki"
)

// policy lets a page load what the program serves, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func setHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
}

// checkOrigin refuses what a web page made a browser send: by a name that is not ours, or from another site.
func (s *Server) checkOrigin(r *http.Request) error {
	host := r.Host
	if name, _, err := net.SplitHostPort(r.Host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if !slices.ContainsFunc(s.o.Names, func(n string) bool { return strings.EqualFold(strings.Trim(n, "[]"), host) }) {
		return refusal(http.StatusMisdirectedRequest, fmt.Sprintf("%q is none of the dashboard's names", pki.Printable(cut(host, 100))), "add it to dashboard: names:")
	}
	if err := s.origin.Check(r); err != nil {
		return refusal(http.StatusForbidden, "another site made the browser send this", "")
	}
	// Links from elsewhere, a chat or a mail, may lead here: they only read.
	if site := r.Header.Get("Sec-Fetch-Site"); (site == "cross-site" || site == "same-site") && (isAPI(r) || r.Method != http.MethodGet && r.Method != http.MethodHead) {
		return refusal(http.StatusForbidden, "another site made the browser send this", "")
	}
	return nil
}

// parseQuery reads a query of known parameters, each once at most and printable. It is bounded.
func parseQuery(text string, known []string) (url.Values, error) {
	if len(text) > maxQuery {
		return nil, refusal(http.StatusRequestURITooLong, fmt.Sprintf("a query has at most %d bytes", maxQuery), "")
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, refusal(http.StatusBadRequest, "the query cannot be read", "")
	}
	for name, v := range values {
		if !slices.Contains(known, name) {
			return nil, refusal(http.StatusBadRequest, fmt.Sprintf("there is no parameter %q here", pki.Printable(cut(name, 50))), "known are: "+strings.Join(known, ", "))
		}
		if len(v) != 1 {
			return nil, refusal(http.StatusBadRequest, fmt.Sprintf("%q is given more than once", name), "")
		}
		if !utf8.ValidString(v[0]) || pki.Printable(v[0]) != v[0] {
			return nil, refusal(http.StatusBadRequest, fmt.Sprintf("%q holds what cannot be printed", name), "")
		}
	}
	return values, nil
}

// cut shortens a text to so many bytes, at the edge of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
