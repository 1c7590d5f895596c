package dashboard

import (
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/watch"
)

func TestPagesShowWhatIsKnown(t *testing.T) {
	l := newLab(t, nil)
	l.estate()
	for path, want := range map[string][]string{
		"/":                                     {"Overview", "7</strong><span>targets", "old.example:443", "Most urgent", "has expired", "the grade A"},
		"/targets":                              {"1 to 7 of 7", "shop.example:443", "gone.example:443"},
		"/targets?state=EXPIRED,CRITICAL":       {"1 to 2 of 2", "old.example:443", "soon.example:443"},
		"/targets?q=MAIL&order=name":            {"1 to 1 of 1", "mail.example:25"},
		"/target?name=shop.example:443":         {"192.0.2.7:443", "TLS_CHACHA20_POLY1305_SHA256", "CN=Lab CA 1", "team: web", "A&#43;", `data-plot="left"`, "verified path"},
		"/target?name=%2Fetc%2Fssl%2F%2A.pem":   {"/etc/ssl/shop.pem", "disk"},
		"/target?name=gone.example:443":         {"connection refused", "cannot be looked at"},
		"/certificates":                         {"shop.example", "on disk 1", "served 1"},
		"/certificates?source=disk":             {"1 to 1 of 1"},
		"/certificates?q=old.example&ended=yes": {"old.example", "1 to 1 of 1"},
		"/incidents":                            {"emergency", "old.example", "nobody"},
		"/incidents?all=yes":                    {"old.example"},
		"/api":                                  {"/api/v1/targets", "openapi.json"},
		"/help":                                 {"next and previous row"},
		"/login":                                {"token-file"},
		"/healthz":                              {"ok"},
	} {
		page := l.get(path)
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s says nothing of %q", path, w)
			}
		}
		if strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "<no value>") || strings.Contains(page, " style=") || strings.Contains(page, "onclick") {
			t.Errorf("%s has what a template or the policy does not let through", path)
		}
	}
	page := l.get("/incident?id=" + l.incidentOf("old.example:443"))
	for _, w := range []string{"old.example:443", "opened", "ops: gets it soon", "Nobody has acknowledged it"} {
		if !strings.Contains(page, w) {
			t.Errorf("the incident's page says nothing of %q", w)
		}
	}
}

func TestALogIsShownByItsNewest(t *testing.T) {
	l := newLab(t, nil)
	l.watch("ct:example.com")
	o := l.served("a", 60)
	o.Place, o.Source, o.Behind = "log 2026h2", watch.Logged, 3
	leaf := o.Leaves[0]
	o.Leaves = nil
	for i := range 50 {
		one := leaf
		one.Chain = []watch.Certificate{l.certificate("a", 60+i)}
		one.Logged = &watch.Logging{At: l.now, Index: uint64(1000 + i), Precertificate: true}
		o.Leaves = append(o.Leaves, one)
	}
	l.look("ct:example.com", time.Minute, o, nil)
	page := l.get("/target?name=ct:example.com")
	for _, want := range []string{"entry 1049", "entry 1030", "and 30 more", "3 entries of the log are still to be read"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page says nothing of %q", want)
		}
	}
	if strings.Contains(page, "entry 1029") {
		t.Error("the page shows more than the newest")
	}
}
