package dashboard

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// writes are all requests that change something: those that the server itself calls so.
func (l *lab) writes() []*page {
	var list []*page
	for _, methods := range l.server.pages {
		for _, p := range methods {
			if p.isWrite {
				list = append(list, p)
			}
		}
	}
	return list
}

func TestNobodyWritesWithoutTheToken(t *testing.T) {
	l := newLab(t, nil)
	l.estate()
	id := l.incidentOf("old.example:443")
	cookie := l.logIn()
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	apiForm := map[string]string{"Content-Type": "application/json"}
	with := func(base map[string]string, more ...string) map[string]string {
		h := map[string]string{}
		for k, v := range base {
			h[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	body := url.Values{"id": {id}, "for": {"1h"}, "csrf": {"0000"}}.Encode()
	if n := len(l.writes()); n != 7 {
		t.Fatalf("%d requests write: extend this test", n)
	}
	for _, p := range l.writes() {
		path := strings.Replace(p.path, "{id}", "x", 1)
		base, text, others := form, body, []map[string]string{
			{}, {"Cookie": "tlswright=" + strings.Repeat("a", 200)}, {"Cookie": "tlswright=9999999999.aa.QQ." + strings.Repeat("0", 64)}, {"Authorization": "Bearer " + labToken},
			{"Cookie": cookie}, // without the form's own token
		}
		if strings.HasPrefix(path, apiPath) {
			base, text, others = apiForm, `{"id":"`+id+`","for":"1h"}`, []map[string]string{
				{}, {"Authorization": "Bearer " + labToken[1:]}, {"Authorization": "Bearer "}, {"Authorization": labToken}, {"Authorization": "Basic " + labToken}, {"Cookie": cookie},
			}
		}
		for _, other := range others {
			h := with(base)
			for k, v := range other {
				h[k] = v
			}
			r, answer := l.ask(p.method, path, h, strings.NewReader(text))
			if r.StatusCode != http.StatusUnauthorized && r.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s with %v: %s\n%s", p.method, path, other, r.Status, answer)
			}
			if strings.Contains(answer, labToken) {
				t.Errorf("%s %s tells the token", p.method, path)
			}
		}
	}
	if i, err := l.h.Incident(t.Context(), id); err != nil || i.Acknowledged != nil {
		t.Errorf("%+v: %v", i, err)
	}
	if list, err := l.h.Silences(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%v: %v", list, err)
	}
}

func TestWithoutATokenNothingCanBeChanged(t *testing.T) {
	for _, change := range []func(*Options){func(o *Options) { o.Token = "" }, func(o *Options) { o.Keeper = nil }} {
		l := newLab(t, change)
		for _, p := range l.writes() {
			r, answer := l.ask(p.method, strings.Replace(p.path, "{id}", "x", 1), map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Bearer "}, nil)
			if r.StatusCode != http.StatusForbidden || !strings.Contains(answer, "only shows") {
				t.Errorf("%s %s: %s", p.method, p.path, r.Status)
			}
		}
		if page := l.get("/login"); !strings.Contains(page, "only shows") {
			t.Error("the login page does not say so")
		}
	}
}

func TestASessionIsWhatItSays(t *testing.T) {
	l := newLab(t, nil)
	l.estate()
	cookie := l.logIn()
	page := func() string {
		_, text := l.ask(http.MethodGet, "/incidents", map[string]string{"Cookie": cookie}, nil)
		return text
	}
	csrf := csrfOf(page())
	if len(csrf) != 64 {
		t.Fatalf("the form's token is %q", csrf)
	}
	form := map[string]string{"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
	r, text := l.ask(http.MethodPost, "/silence", form, strings.NewReader(url.Values{"csrf": {csrf}, "for": {"2h"}, "target": {"*.example:443"}, "note": {"moving"}, "to": {"/incidents"}}.Encode()))
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/incidents" {
		t.Fatalf("%s\n%s", r.Status, text)
	}
	if list, err := l.h.Silences(t.Context()); err != nil || len(list) != 1 || list[0].By != "Ada" || list[0].Note != "moving" || list[0].To.Sub(list[0].From) != 2*time.Hour {
		t.Errorf("%+v: %v", list, err)
	}
	// Where it goes afterwards is one of our own pages.
	for _, to := range []string{"//evil.example/", "https://evil.example/", "/\\evil.example", "/\tx", ""} {
		if r, _ := l.ask(http.MethodPost, "/silence", form, strings.NewReader(url.Values{"csrf": {csrf}, "for": {"2h"}, "to": {to}}.Encode())); r.Header.Get("Location") != "/" {
			t.Errorf("to %q it goes to %q", to, r.Header.Get("Location"))
		}
	}
	// Another site cannot make the browser send it, even if it knew the form's token.
	if r, _ := l.ask(http.MethodPost, "/silence", map[string]string{"Cookie": cookie, "Content-Type": form["Content-Type"], "Origin": "https://evil.example"}, strings.NewReader("csrf="+csrf+"&for=2h")); r.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %s", r.Status)
	}
	l.advance(sessionFor - time.Minute)
	if csrfOf(page()) != csrf {
		t.Error("the session has ended too early")
	}
	if r, _ := l.ask(http.MethodPost, "/logout", form, strings.NewReader("csrf="+csrf)); r.StatusCode != http.StatusSeeOther {
		t.Errorf("log out: %s", r.Status)
	}
	if csrfOf(page()) != "" {
		t.Error("the session goes on after its end")
	}
	cookie = l.logIn()
	l.advance(sessionFor)
	if csrfOf(page()) != "" {
		t.Error("the session goes on after its time")
	}
	if r, _ := l.ask(http.MethodPost, "/login", map[string]string{"Content-Type": form["Content-Type"]}, strings.NewReader("token="+labToken[1:]+"0")); r.StatusCode != http.StatusForbidden || len(r.Cookies()) != 0 {
		t.Errorf("a wrong token: %s, %v", r.Status, r.Cookies())
	}
}

func TestHostileRequestsAreRefused(t *testing.T) {
	l := newLab(t, nil)
	l.estate()
	long := strings.Repeat("a", maxQuery+1)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	token := map[string]string{"Content-Type": "application/json", "Authorization": "Bearer " + labToken}
	for _, c := range []struct {
		method, path string
		header       map[string]string
		body         string
		want         int
	}{
		{"GET", "/", map[string]string{"Host": "evil.example"}, "", 421},
		{"GET", "/", map[string]string{"Host": "127.0.0.1.evil.example:80"}, "", 421},
		{"GET", "/api/v1/summary", map[string]string{"Sec-Fetch-Site": "cross-site"}, "", 403},
		{"GET", "/", map[string]string{"Sec-Fetch-Site": "cross-site"}, "", 200}, // a link in a chat
		{"POST", "/login", map[string]string{"Sec-Fetch-Site": "cross-site", "Content-Type": form["Content-Type"]}, "token=" + labToken, 403},
		{"GET", "/nowhere", nil, "", 404},
		{"GET", "/static/../dashboard.go", nil, "", 404},
		{"GET", "/static/..%2fdashboard.go", nil, "", 404},
		{"GET", "/static/frame.html", nil, "", 404},
		{"GET", "//targets", nil, "", 404},
		{"GET", "/targets/", nil, "", 404},
		{"PUT", "/targets", nil, "", 405},
		{"DELETE", "/api/v1/targets", nil, "", 405},
		{"GET", "/targets?q=" + long, nil, "", 414},
		{"GET", "/targets?q=" + strings.Repeat("a", maxSearch+1), nil, "", 400},
		{"GET", "/targets?q=a&q=b", nil, "", 400},
		{"GET", "/targets?x=1", nil, "", 400},
		{"GET", "/targets?q=%00", nil, "", 400},
		{"GET", "/targets?q=%e2%80%ae", nil, "", 400},
		{"GET", "/targets?q=%ff", nil, "", 400},
		{"GET", "/targets?q=%zz", nil, "", 400},
		{"GET", "/targets?page=0", nil, "", 400},
		{"GET", "/targets?page=-1", nil, "", 400},
		{"GET", "/targets?page=99999999999999999999", nil, "", 400},
		{"GET", "/targets?state=FINE", nil, "", 400},
		{"GET", "/targets?state=" + strings.Repeat("OK,", 30) + "OK", nil, "", 400},
		{"GET", "/targets?order=name%3B+DROP+TABLE+targets", nil, "", 400},
		{"GET", "/api/v1/targets?limit=1001", nil, "", 400},
		{"GET", "/target", nil, "", 400},
		{"GET", "/target?name=none", nil, "", 404},
		{"GET", "/target?name=shop.example:443&days=0", nil, "", 400},
		{"GET", "/target/handshake?name=shop.example:443&place=x", nil, "", 404},
		{"GET", "/certificate?sha256=zz", nil, "", 400},
		{"GET", "/certificate?sha256=" + strings.Repeat("0", 64), nil, "", 404},
		{"GET", "/incident?id=none", nil, "", 404},
		{"GET", "/incident?id='+OR+1=1", nil, "", 404},
		{"GET", "/inventory", nil, "", 404}, // there is no CA
		{"POST", "/login", form, strings.Repeat("a", maxBody+1), 413},
		{"POST", "/login", map[string]string{"Content-Type": "text/plain"}, "token=x", 415},
		{"POST", "/login", form, "%zz", 400},
		{"POST", "/login", form, "token=" + labToken + "&name=%1b%5b2J", 400},
		{"POST", "/api/v1/silences", token, `{"for":"1h","who":"x"}`, 400},
		{"POST", "/api/v1/silences", token, `{"for":"1h"} {}`, 400},
		{"POST", "/api/v1/silences", token, `{"for":"1s"}`, 400},
		{"POST", "/api/v1/silences", token, `{"for":"1000000h"}`, 400},
		{"POST", "/api/v1/silences", token, `{"for":"1h","note":"` + strings.Repeat("a", maxNote+1) + `"}`, 400},
		{"POST", "/api/v1/silences", token, `{"for":"1h","target":"` + strings.Repeat("*a", 100) + `"}`, 400},
		{"POST", "/api/v1/silences", map[string]string{"Authorization": "Bearer " + labToken}, `{"for":"1h"}`, 415},
		{"POST", "/api/v1/silences", token, strings.Repeat(" ", maxBody+1), 413},
		{"POST", "/api/v1/incident/acknowledge", token, `{"id":"none"}`, 404},
		{"DELETE", "/api/v1/silences/none", token, "", 404},
	} {
		r, text := l.ask(c.method, c.path, c.header, strings.NewReader(c.body))
		if r.StatusCode != c.want {
			t.Errorf("%s %.80s: %s, want %d\n%.300s", c.method, c.path, r.Status, c.want, text)
		}
		if isProblem := strings.HasPrefix(r.Header.Get("Content-Type"), "application/problem+json"); strings.HasPrefix(c.path, apiPath) != isProblem && c.want >= 400 {
			t.Errorf("%s %.80s answers with %s", c.method, c.path, r.Header.Get("Content-Type"))
		}
		if h := r.Header; h.Get("Content-Security-Policy") != policy || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") == "" {
			t.Errorf("%s %.80s has the headers %v", c.method, c.path, h)
		}
	}
}

// TestWhatPeersSayStaysText puts into the history what a server may have sent to break out of a page.
func TestWhatPeersSayStaysText(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}javascript:alert(3)`
	l := newLab(t, nil)
	l.watch("evil:443")
	o := l.served("evil", 2)
	c := &o.Leaves[0].Chain[0]
	c.Subject, c.Issuer, c.Names, c.Key, o.Place, o.Suite, o.Error, o.Leaves[0].Name = evil, evil, []string{evil}, evil, evil, evil, evil, evil
	o.Leaves[0].Trust[0].Problem = evil
	l.look("evil:443", time.Hour, o, nil)
	id := l.incidentOf("evil:443")
	for _, path := range []string{"/", "/targets", "/target?name=evil:443", "/certificates", "/certificate?sha256=" + c.Fingerprint, "/incidents", "/incident?id=" + id, "/targets?q=" + url.QueryEscape(`"><script>x`)} {
		page := l.get(path)
		if strings.Contains(page, "<script>") || strings.Contains(page, "<img") {
			t.Errorf("%s lets a peer's markup through", path)
		}
	}
}

func TestFilesAreKeptAndPacked(t *testing.T) {
	l := newLab(t, nil)
	page := l.get("/")
	_, rest, _ := strings.Cut(page, `<link rel="stylesheet" href="/static/dashboard.css`)
	version, _, _ := strings.Cut(rest, `"`)
	r, _ := l.ask(http.MethodGet, "/static/dashboard.css"+version, map[string]string{"Accept-Encoding": "br, gzip"}, nil)
	if r.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") || r.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("%v", r.Header)
	}
	tag := r.Header.Get("ETag")
	if r, body := l.ask(http.MethodGet, "/static/dashboard.css", map[string]string{"If-None-Match": tag, "Accept-Encoding": "gzip"}, nil); r.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("%s, %d bytes", r.Status, len(body))
	}
	for name, f := range l.server.files {
		z, err := gzip.NewReader(bytes.NewReader(f.packed))
		l.must(err)
		plain, err := io.ReadAll(z)
		l.must(err)
		if !bytes.Equal(plain, f.body) {
			t.Errorf("%s is another file when it is packed", name)
		}
		if r, body := l.ask(http.MethodGet, "/static/"+name, map[string]string{"Accept-Encoding": "gzip;q=0"}, nil); r.Header.Get("Content-Encoding") != "" || body != string(f.body) {
			t.Errorf("%s: %v", name, r.Header)
		}
		if r, body := l.ask(http.MethodHead, "/static/"+name, nil, nil); r.StatusCode != http.StatusOK || body != "" {
			t.Errorf("%s: %s", name, r.Status)
		}
	}
}

func TestTokensAreHardToGuess(t *testing.T) {
	for _, bad := range []string{"short", strings.Repeat("a", 64), "ababababababababababababababababab"} {
		if CheckToken(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if err := CheckToken(labToken); err != nil {
		t.Error(err)
	}
}

// FuzzQuery looks for a query that is read otherwise than it is checked: whatever comes through is printable, known and
// within its bounds.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "q=a&state=OK,EXPIRED&order=end&page=3", "q=%00", "q=a&q=b", "page=-1", "q=%e2%80%ae", "order=grade&x", "state=ok%2Cwarning", "q=%zz&;", "page=100001"} {
		f.Add(seed)
	}
	known := []string{"q", "state", "order", "page"}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := parseQuery(text, known)
		if err != nil {
			return
		}
		n, target, err := targetQuery(q, rowsOfPage)
		if err != nil {
			return
		}
		if len(target.Text) > maxSearch || len(target.States) > len(states()) || n < 1 || n > maxPages || target.Offset != (n-1)*rowsOfPage || target.Limit != rowsOfPage || len(q) > len(known) {
			t.Errorf("%q gives %+v", text, target)
		}
		if to := backTo(q.Get("q")); !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
			t.Errorf("%q leads to %q", q.Get("q"), to)
		}
	})
}
