package admin

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzRequests sends whatever comes along, as an admin who may everything: nothing may panic, be answered with trouble of
// our own, or with something that is neither JSON nor a problem document.
func FuzzRequests(f *testing.F) {
	l := newLab(f)
	for _, seed := range []struct{ method, path, query, body string }{
		{"GET", "/v1/certificates", "state=valid&limit=1&after=3", ""}, {"GET", "/v1/accounts", "after=MTc5NTMzODAwMDAwMCBhbGljZQ", ""},
		{"POST", "/v1/certificates", "", `{"csr":"AAAA","profile":"client","names":["a.test"],"days":1}`}, {"POST", "/v1/certificates/4f21c0/revoke", "issuer=default", `{"reason":"superseded","at":"2026-01-01T00:00:00Z"}`},
		{"POST", "/v1/bindings", "", `{"kid":"a","names":["b.test"],"networks":["10.0.0.0/8"]}`}, {"DELETE", "/v1/bindings/a%2Fb", "", ""}, {"GET", "/v1/audit", "actor=x&order=oldest", ""},
		{"POST", "/v1/issuers/default/crl", "", `{"delta":true}`}, {"GET", "/openapi.json", "", ""}, {"GET", "/metrics", "", ""},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.body)
	}
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		u := &url.URL{Path: path, RawQuery: query}
		if !strings.HasPrefix(path, "/") || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || method == "" || method == http.MethodConnect {
			return
		}
		r, err := http.NewRequestWithContext(t.Context(), method, u.String(), strings.NewReader(body))
		if err != nil {
			return
		}
		r.Host = "ca.test"
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		l.server.ServeHTTP(w, r)
		kind := w.Header().Get("Content-Type")
		if w.Code >= 500 || w.Code != http.StatusNoContent && kind != "application/json" && kind != "application/problem+json" {
			t.Errorf("%s %s?%s: %d %s %s", method, path, query, w.Code, kind, w.Body)
		}
	})
}

// FuzzPlaces reads where a page begins, as clients send it back.
func FuzzPlaces(f *testing.F) {
	f.Add("MTc5NTMzODAwMDAwMCBhbGljZQ")
	f.Add("x")
	f.Fuzz(func(t *testing.T, text string) {
		c := &call{query: map[string]string{"after": text}}
		at, err := c.afterPlace()
		if err != nil {
			return
		}
		c.query["after"] = placeToken(at.At, at.ID)
		again, err := c.afterPlace()
		if err != nil || !again.At.Equal(at.At) || again.ID != at.ID {
			t.Errorf("%q: %+v, then %+v %v", text, at, again, err)
		}
	})
}
