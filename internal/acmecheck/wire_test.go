package acmecheck

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLinks(t *testing.T) {
	a := &answer{header: http.Header{"Link": {`<https://ca.test/dir>;rel="index"`, `<https://ca.test/2>; title=x; rel="alternate up", <https://ca.test/3>;rel=alternate`, "", ";", "<>"}}}
	for rel, want := range map[string][]string{"index": {"https://ca.test/dir"}, "alternate": {"https://ca.test/2", "https://ca.test/3"}, "up": {"https://ca.test/2"}, "next": nil} {
		if got := a.links(rel); !slices.Equal(got, want) {
			t.Errorf("%s: %q", rel, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "99999999999999999999": 0, time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): -time.Hour} {
		got := retryAfter(&answer{header: http.Header{"Retry-After": {text}}})
		if (got - want).Abs() > time.Minute {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestStrictPEM(t *testing.T) {
	const block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	for text, good := range map[string]bool{block: true, block + "\n" + block: true, "": true, "x" + block: false, block + "x": false, "-----BEGIN CERTIFICATE-----\nA: b\n\nAAAA\n-----END CERTIFICATE-----\n": false,
		"-----BEGIN CERTIFICATE-----\n": false, "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n": false} {
		if err := strictPEM([]byte(text)); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzAnswer reads what a hostile server might send: nothing may hang or panic, and a link that is found stood there.
func FuzzAnswer(f *testing.F) {
	f.Add(`<https://ca.test/dir>;rel="index"`, "7", `{"type":"urn:ietf:params:acme:error:badNonce"}`)
	f.Add(`<a>;rel=up,<b>;rel="next up"`, "Sun, 22 Nov 2026 06:00:00 GMT", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	f.Fuzz(func(t *testing.T, link, retry, body string) {
		a := &answer{status: 400, header: http.Header{"Link": {link}, "Retry-After": {retry}, "Replay-Nonce": {retry}}, body: []byte(body)}
		for _, rel := range []string{"index", "up", "next"} {
			for _, found := range a.links(rel) {
				if !strings.Contains(link, found) {
					t.Errorf("%q is not in %q", found, link)
				}
			}
		}
		retryAfter(a)
		_ = strictPEM(a.body)
		if a.String() == "" {
			t.Error("no text")
		}
		var seen tally
		seen.see(http.MethodPost, "https://ca.test/", a)
	})
}
