package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/tlsnet"
)

func TestSitesAreChosenByServerName(t *testing.T) {
	w := newWorld(t)
	one, two := w.site("one", "one.test"), w.site("two", "*.two.test")
	one.Target, two.Target = config.Target{Status: 204}, config.Target{Status: 404}
	w.config.Sites = []config.Site{one, two}
	w.start()
	for host, want := range map[string]int{"one.test": 204, "www.two.test": 404} {
		for _, alpn := range tlsnet.HTTPProtocols() {
			if resp, _ := get(t, w.http(nil, alpn), "https://"+host+"/"); resp.StatusCode != want {
				t.Errorf("%s over %s: %s, want %d", host, alpn, resp.Status, want)
			}
		}
	}
	if _, err := w.http(nil).Get("https://three.test/"); err == nil || !strings.Contains(err.Error(), "unrecognized_name") {
		t.Errorf("a name that nobody has: %v", err)
	}
	d := w.told.denial(t, reasonUnknownName)
	if d.ServerName != "three.test" || d.Alert != "unrecognized_name" || !strings.Contains(d.Nearest, "one.test") || d.Fix == "" {
		t.Errorf("told: %+v", d)
	}
}

func TestRequestsGoToTheUpstream(t *testing.T) {
	w := newWorld(t)
	w.config.Sites[0].Target = config.Target{URL: backend(t)}
	w.mutual(&w.config.Sites[0], access.Rule{Name: "allow[0]", CN: "alice"})
	w.start()
	alice := issueClient(w.ca, "alice")
	for _, alpn := range tlsnet.HTTPProtocols() {
		c := w.http(alice, alpn)
		req, err := http.NewRequest("POST", "https://app.test/path?q=1", strings.NewReader("content"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Client-Cert", ":Zm9yZ2Vk:")
		req.Header.Set("X-Forwarded-For", "6.6.6.6")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body := readAll(t, resp)
		for _, want := range []string{"POST /path?q=1 host=app.test", "content", "Client-Cert: :MII", "X-Forwarded-For: 127.0.0.1\n", "X-Forwarded-Proto: https"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q in:\n%s", alpn, want, body)
			}
		}
		if strings.Contains(body, "Zm9yZ2Vk") || strings.Contains(body, "6.6.6.6") {
			t.Errorf("%s: a forged header came through:\n%s", alpn, body)
		}
	}
	bob := issueClient(w.ca, "bob", "bob.corp.test")
	if _, err := w.http(bob).Get("https://app.test/"); err == nil || !strings.Contains(err.Error(), "access_denied") {
		t.Errorf("bob: %v", err)
	}
	d := w.told.denial(t, string(access.NoRule))
	if d.Cert == nil || !strings.Contains(d.Cert.Subject, "bob") || d.Cert.SANs[0] != "DNS:bob.corp.test" || d.Site != "app" || d.Layer != "tls" || !strings.Contains(d.Nearest, "alice") {
		t.Errorf("told: %+v", d)
	}
}
