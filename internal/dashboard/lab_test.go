package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

// labToken lets who brings it change things.
const labToken = "0123456789abcdef0123456789abcdef"

// lab is a dashboard over a real history, served on loopback.
type lab struct {
	testing.TB
	h      *history.History
	mu     sync.Mutex
	now    time.Time // written under mu
	server *Server
	web    *httptest.Server
}

// keeper changes a history as the monitor's rules want it.
type keeper struct{ l *lab }

func (k keeper) Acknowledge(ctx context.Context, id, by, note string) error {
	return k.l.h.Acknowledge(ctx, k.l.clock(), id, by, note, k.l.rules())
}

func (k keeper) Silence(ctx context.Context, s incident.Silence) (string, error) {
	return k.l.h.Silence(ctx, s)
}

func (k keeper) EndSilence(ctx context.Context, id string) error { return k.l.h.EndSilence(ctx, id) }

func (l *lab) rules() history.Rules {
	return history.Rules{Route: func(*incident.Notice) []string { return []string{"ops", "pager"} }}
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// newLab opens a history and serves it. change may change the options before that.
func newLab(t testing.TB, change func(*Options)) *lab {
	t.Helper()
	l := &lab{TB: t, now: time.Now().UTC().Truncate(time.Second)}
	var err error
	l.h, err = history.Open(t.Context(), filepath.Join(t.TempDir(), "monitor.db"))
	l.must(err)
	t.Cleanup(func() { _ = l.h.Close() })
	o := Options{Source: l.h, Keeper: keeper{l}, Names: []string{"127.0.0.1", "localhost"}, Token: labToken, Version: "1.2.3", Now: l.clock}
	if change != nil {
		change(&o)
	}
	l.server, err = New(o)
	l.must(err)
	l.web = httptest.NewServer(l.server)
	t.Cleanup(l.web.Close)
	return l
}

// clock is read by the server, too.
func (l *lab) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *lab) advance(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

// certificate makes one that is good for so many days.
func (l *lab) certificate(name string, days int) watch.Certificate {
	return watch.Certificate{Fingerprint: fmt.Sprintf("%064x", len(name)*1_000_003+int(name[0])*7919+days), Subject: "CN=" + name, Issuer: "CN=Lab CA 1", Names: []string{name, "www." + name}, Key: "ECDSA P-256",
		Pin: strings.Repeat("ab", 32), Serial: "4f:12:a0", Signature: "ECDSA-SHA256", NotBefore: l.now.AddDate(0, 0, days-180), NotAfter: l.now.AddDate(0, 0, days)}
}

// watch makes targets, by name.
func (l *lab) watch(names ...string) {
	l.Helper()
	var all []history.Wanted
	for _, n := range names {
		all = append(all, history.Wanted{Name: n, Spec: json.RawMessage(`{"Address":"` + n + `","Labels":{"team":"web"}}`), First: l.now.AddDate(-1, 0, 0)})
	}
	_, err := l.h.Synchronize(l.Context(), history.FromFile, all)
	l.must(err)
}

// look files one look at a target, some time ago.
func (l *lab) look(target string, ago time.Duration, o *watch.Observation, change func(*history.Result)) {
	l.Helper()
	at := l.now.Add(-ago)
	_, err := l.h.Force(l.Context(), at, at.Add(time.Minute), "lab", target)
	l.must(err)
	o.Target, o.At = target, at
	r := history.Result{Target: target, At: at, Next: l.now.Add(time.Hour), Took: 12 * time.Millisecond}
	v := watch.Judge(o, nil, watch.Policy{}, at)
	r.Verdict, r.Findings = v, v.Findings
	r.Places = []history.Seen{{Observation: o, State: v.State, Reason: v.Reason}}
	if change != nil {
		change(&r)
	}
	_, err = l.h.File(l.Context(), "lab", []history.Result{r}, l.rules())
	l.must(err)
}

// served is what an address shows.
func (l *lab) served(name string, days int) *watch.Observation {
	leaf := l.certificate(name, days)
	ca := watch.Certificate{Fingerprint: strings.Repeat("c", 64), Subject: "CN=Lab CA 1", Issuer: "CN=Lab Root", Key: "ECDSA P-384", Pin: strings.Repeat("cd", 32), Serial: "01", Signature: "ECDSA-SHA384", IsCA: true,
		NotBefore: l.now.AddDate(-2, 0, 0), NotAfter: l.now.AddDate(5, 0, 0)}
	return &watch.Observation{Place: "192.0.2.7:443", Source: watch.Served, Outcome: watch.Answered, Version: "TLS 1.3", Suite: "TLS_AES_128_GCM_SHA256", Group: "X25519MLKEM768", Took: 12 * time.Millisecond,
		Leaves: []watch.Leaf{{Chain: []watch.Certificate{leaf, ca}, Path: []watch.Certificate{leaf, ca}, Trust: []watch.Trust{{Store: "system", Trusted: true}}, Revocation: "good"}}}
}

// estate fills the history with a few targets in every state, some days of them, changes and incidents.
func (l *lab) estate() {
	l.Helper()
	l.watch("shop.example:443", "mail.example:25", "old.example:443", "gone.example:443", "soon.example:443", "new.example:443", "/etc/ssl/*.pem")
	graded := func(letter string) func(*history.Result) { return func(r *history.Result) { r.Grade = letter } }
	for d := 40; d >= 0; d-- {
		ago := time.Duration(d)*day + 3*time.Minute
		left := 60 - (40 - d)
		o := l.served("shop.example", left+d)
		if d < 20 {
			o = l.served("shop.example", 110)
			o.Suite = "TLS_CHACHA20_POLY1305_SHA256"
		}
		l.look("shop.example:443", ago, o, func(r *history.Result) {
			r.Took = time.Duration(8+d%7*3) * time.Millisecond
			r.Grade = "A"
			if d < 10 {
				r.Grade = "A+"
			}
		})
	}
	l.look("mail.example:25", time.Hour, l.served("mail.example", 21), graded("B"))
	l.look("old.example:443", time.Hour, l.served("old.example", -3), graded("T"))
	l.look("soon.example:443", time.Hour, l.served("soon.example", 3), graded("A"))
	disk := l.served("shop.example", 110)
	disk.Place, disk.Source, disk.Version, disk.Suite, disk.Group = "/etc/ssl/shop.pem", watch.Disk, "", "", ""
	l.look("/etc/ssl/*.pem", 10*time.Minute, disk, nil)
	for i := range 3 {
		l.look("gone.example:443", time.Duration(3-i)*time.Hour, &watch.Observation{Place: "192.0.2.9:443", Source: watch.Served, Outcome: watch.Refused, Error: "connect: connection refused"}, nil)
	}
}

// incidentOf is the id of an open incident of a target.
func (l *lab) incidentOf(target string) string {
	l.Helper()
	list, _, err := l.h.Incidents(l.Context(), history.IncidentQuery{Open: true, Target: target})
	l.must(err)
	if len(list) == 0 {
		l.Fatalf("%s has no incident", target)
	}
	return list[0].ID
}

// ask sends a request, and gives status and body.
func (l *lab) ask(method, path string, header map[string]string, body io.Reader) (*http.Response, string) {
	l.Helper()
	r, err := http.NewRequestWithContext(l.Context(), method, l.web.URL+path, body)
	l.must(err)
	for k, v := range header {
		if k == "Host" {
			r.Host = v
			continue
		}
		r.Header.Set(k, v)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: time.Minute}
	response, err := client.Do(r)
	l.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	l.must(err)
	return response, string(text)
}

// get asks for a page that must be there.
func (l *lab) get(path string) string {
	l.Helper()
	r, text := l.ask(http.MethodGet, path, nil, nil)
	if r.StatusCode != http.StatusOK {
		l.Fatalf("%s: %s\n%s", path, r.Status, text)
	}
	return text
}

// logIn gives the cookie of a session.
func (l *lab) logIn() string {
	l.Helper()
	r, text := l.ask(http.MethodPost, "/login", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, strings.NewReader(url.Values{"token": {labToken}, "name": {"Ada"}}.Encode()))
	if r.StatusCode != http.StatusSeeOther || len(r.Cookies()) != 1 {
		l.Fatalf("log in: %s\n%s", r.Status, text)
	}
	c := r.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || strings.Contains(c.Value, labToken) {
		l.Errorf("the cookie: %v", c)
	}
	return c.Name + "=" + c.Value
}

// csrfOf finds the token in a page's form.
func csrfOf(page string) string {
	_, rest, _ := strings.Cut(page, `name="csrf" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	return token
}
