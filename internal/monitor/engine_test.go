package monitor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/notify"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/scan"
)

// lab is an engine with a clock of its own, whose targets trust one CA.
type lab struct {
	*testing.T
	ca  *pkitest.CA
	now time.Time
	h   *history.History
	c   *config.Monitor
	e   *Engine

	results map[string]history.Result
}

func newLab(t *testing.T) *lab {
	t.Helper()
	h, err := history.Open(t.Context(), filepath.Join(t.TempDir(), "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return &lab{T: t, ca: pkitest.New(t, pkitest.P256), now: time.Now(), h: h, c: &config.Monitor{}}
}

// start makes the engine.
func (l *lab) start() {
	l.Helper()
	e, err := New(l.c, Options{History: l.h, Now: func() time.Time { return l.now }, Look: LookOptions{Stores: []scan.Store{{Name: "lab", Own: true, Roots: l.ca.Roots()}}}})
	if err != nil {
		l.Fatal(err)
	}
	l.e = e
}

// check looks at everything once, some time later.
func (l *lab) check(later time.Duration) map[string]history.Result {
	l.Helper()
	if l.e == nil {
		l.start()
	}
	l.now = l.now.Add(later)
	all := make(map[string]history.Result)
	if err := l.e.Check(l.Context(), nil, func(r history.Result) { all[r.Target] = r }); err != nil {
		l.Fatal(err)
	}
	return all
}

// server is one whose certificates can be replaced while it runs.
type server struct {
	address string
	stop    func()       // ends listening
	looks   atomic.Int64 // connections
	mu      sync.Mutex
	config  *tls.Config
}

func (s *server) set(change func(*tls.Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.config.Clone()
	change(c)
	s.config = c
}

func pair(l *pkitest.Leaf) tls.Certificate {
	return tls.Certificate{Certificate: l.Chain, PrivateKey: l.Key}
}

func (l *lab) server(leaves ...*pkitest.Leaf) *server {
	l.Helper()
	return l.serverAt("127.0.0.1", leaves...)
}

func (l *lab) serverAt(ip string, leaves ...*pkitest.Leaf) *server {
	l.Helper()
	s := &server{config: &tls.Config{}}
	for _, leaf := range leaves {
		s.config.Certificates = append(s.config.Certificates, pair(leaf))
	}
	nl, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil && ip != "127.0.0.1" && runtime.GOOS != "linux" {
		l.Skip("only 127.0.0.1 of the loopback addresses can be used here:", err)
	}
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { nl.Close() })
	s.address, s.stop = nl.Addr().String(), func() { nl.Close() }
	go func() {
		for {
			c, err := nl.Accept()
			if err != nil {
				return
			}
			s.looks.Add(1)
			go func() {
				s.mu.Lock()
				config := s.config
				s.mu.Unlock()
				t := tls.Server(c, config)
				defer t.Close()
				if n, _ := t.Read(make([]byte, 4096)); n > 0 { // a full scan asks for a page
					_, _ = io.WriteString(t, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				}
			}()
		}
	}()
	return s
}

// watched adds a target for a server.
func (l *lab) watched(name, address string) *config.Watched {
	l.c.Targets = append(l.c.Targets, config.Watched{Name: name, Address: address, ServerName: "localhost", Schedule: config.Schedule{Grade: -1, Timeout: 30 * time.Second}})
	return &l.c.Targets[len(l.c.Targets)-1]
}

// leaf issues a certificate that lasts so long from the real now, of a life of 90 days.
func (l *lab) leaf(k pkitest.KeyType, left time.Duration) *pkitest.Leaf {
	l.Helper()
	now := time.Now()
	return l.ca.Issue(k, pki.Request{Profile: pki.ProfileServer, CommonName: "localhost", SANs: []string{"localhost"}, NotBefore: now.Add(left - 90*day), Lifetime: 90 * day})
}

func (l *lab) state(all map[string]history.Result, name string, want watch.State, reason string) {
	l.Helper()
	v := all[name].Verdict
	if v.State != want || !strings.Contains(v.Reason, reason) {
		l.Errorf("%s is %v (%s), want %v (… %s …)", name, v.State, v.Reason, want, reason)
	}
}

func TestServersAreJudged(t *testing.T) {
	l := newLab(t)
	l.watched("healthy", l.server(l.leaf(pkitest.P256, 60*day)).address)
	l.watched("soon", l.server(l.leaf(pkitest.P256, 20*day)).address)
	l.watched("very soon", l.server(l.leaf(pkitest.P256, 3*day)).address)
	l.watched("over", l.server(l.ca.Expired(pkitest.P256)).address)
	l.watched("not yet", l.server(l.ca.NotYetValid(pkitest.P256)).address)
	l.watched("another name", l.server(l.ca.WrongName(pkitest.P256)).address)
	l.watched("a stranger's", l.server(l.ca.WrongCA(pkitest.P256)).address)
	l.watched("two keys", l.server(l.leaf(pkitest.P256, 60*day), l.leaf(pkitest.RSA2048, 3*day)).address)
	old := l.server(l.leaf(pkitest.RSA2048, 60*day))
	old.set(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 })
	l.watched("TLS 1.0 only", old.address)
	strict := l.server(l.leaf(pkitest.P256, 60*day))
	strict.set(func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
	l.watched("asks for a certificate", strict.address)
	lone := l.leaf(pkitest.P256, 60*day)
	lone.Chain = lone.Chain[:1]
	l.watched("incomplete", l.server(lone).address)
	l.watched("nobody", "127.0.0.1:1")
	l.watched("no such name", "no-such-name.invalid:443").Schedule.Timeout = 5 * time.Second // nobody answers where there is no DNS

	all := l.check(0)
	l.state(all, "healthy", watch.OK, "59 days are left")
	l.state(all, "soon", watch.Warning, "runs out")
	l.state(all, "very soon", watch.Critical, "runs out")
	l.state(all, "over", watch.Expired, "has expired")
	l.state(all, "not yet", watch.Critical, "not valid yet")
	l.state(all, "another name", watch.Critical, "another name")
	l.state(all, "a stranger's", watch.Critical, "")
	l.state(all, "two keys", watch.Critical, "runs out")
	l.state(all, "TLS 1.0 only", watch.OK, "")
	l.state(all, "asks for a certificate", watch.OK, "")
	l.state(all, "incomplete", watch.Critical, "")
	l.state(all, "nobody", watch.Error, "refused")
	l.state(all, "no such name", watch.Error, "no-such-name.invalid")
	if o := all["two keys"].Places[0].Observation; len(o.Leaves) != 2 {
		t.Errorf("of two kinds of keys %d are seen", len(o.Leaves))
	}
	if o := all["TLS 1.0 only"].Places[0].Observation; o.Version != "TLS 1.0" {
		t.Errorf("it is seen with %s", o.Version)
	}
	// The leaf does not say where its issuer can be had, but by now others have sent it.
	l.state(l.check(time.Minute), "incomplete", watch.Critical, "intermediate certificates are missing")
}

func TestAChangeAndAnOutageAreKept(t *testing.T) {
	l := newLab(t)
	s := l.server(l.leaf(pkitest.P256, 60*day))
	l.watched("web", s.address)
	l.check(0)
	s.set(func(c *tls.Config) { c.Certificates = []tls.Certificate{pair(l.leaf(pkitest.P256, 80*day))} })
	l.check(time.Hour)
	changes, err := l.h.Changes(t.Context(), "web", time.Time{}, history.Page{})
	if err != nil || len(changes) != 3 { // certificate, key, end
		t.Errorf("%d changes, %v: %+v", len(changes), err, changes)
	}
}

func TestServedAndDiskAreCompared(t *testing.T) {
	l := newLab(t)
	older, newer := l.leaf(pkitest.P256, 20*day), l.leaf(pkitest.P256, 89*day)
	s := l.server(older)
	w := l.watched("web", s.address)
	path := filepath.Join(t.TempDir(), "cert.pem")
	write := func(leaf *pkitest.Leaf) {
		var text []byte
		for _, der := range leaf.Chain {
			text = pki.AppendCertificatePEM(text, der)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(older)
	w.Files = []string{path}
	l.state(l.check(0), "web", watch.Warning, "runs out")
	write(newer)
	l.state(l.check(time.Minute), "web", watch.Warning, "runs out")    // just renewed
	l.state(l.check(time.Hour), "web", watch.Critical, "not reloaded") // and never reloaded
	s.set(func(c *tls.Config) { c.Certificates = []tls.Certificate{pair(newer)} })
	l.state(l.check(time.Hour), "web", watch.OK, "")
}

// hook is a webhook that can be out of order.
type hook struct {
	*httptest.Server
	mu   sync.Mutex
	down bool
	got  []notify.Payload
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var p notify.Payload
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			t.Error(err)
		}
		h.got = append(h.got, p)
	}))
	t.Cleanup(h.Close)
	return h
}

// said are the events that arrived, for a kind of trouble.
func (h *hook) said(kind string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for _, p := range h.got {
		if p.Kind == kind {
			list = append(list, string(p.Event)+" "+p.Severity.String())
		}
	}
	return strings.Join(list, ", ")
}

func (h *hook) set(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
}

func (l *lab) deliver() {
	l.Helper()
	if _, err := l.e.Deliver(l.Context()); err != nil {
		l.Fatal(err)
	}
}

func TestPeopleAreToldOnce(t *testing.T) {
	l := newLab(t)
	h := newHook(t)
	l.c.Channels = []config.Channel{{Name: "hook", Kind: "webhook", URL: h.URL}}
	s := l.server(l.leaf(pkitest.P256, 35*day))
	l.watched("web", s.address)
	l.watched("the same certificate elsewhere", s.address)
	for range 40 {
		l.check(day)
		l.deliver()
	}
	if got, want := h.said("expiry"), "opened warning, raised critical, raised emergency"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	s.set(func(c *tls.Config) { c.Certificates = []tls.Certificate{pair(l.leaf(pkitest.P256, 200*day))} })
	for range 3 {
		l.check(time.Hour)
		l.deliver()
	}
	if got := h.said("expiry"); !strings.HasSuffix(got, "emergency, resolved emergency") {
		t.Errorf("told %q", got)
	}
}

func TestAChannelThatWasDownGetsItOnce(t *testing.T) {
	l := newLab(t)
	first, second := newHook(t), newHook(t)
	first.set(true)
	l.c.Channels = []config.Channel{{Name: "first", Kind: "webhook", URL: first.URL}, {Name: "second", Kind: "webhook", URL: second.URL}}
	l.watched("web", l.server(l.leaf(pkitest.P256, 20*day)).address)
	l.check(0)
	for range 60 {
		l.now = l.now.Add(time.Minute)
		l.deliver()
	}
	if got := second.said(KindChannel); got != "opened critical" {
		t.Errorf("of the failing channel the other one tells %q", got)
	}
	first.set(false)
	for range 30 {
		l.now = l.now.Add(time.Minute)
		l.deliver()
	}
	if got := first.said("expiry"); got != "opened warning" {
		t.Errorf("after an hour the channel got %q", got)
	}
	if got := second.said(KindChannel); got != "opened critical, resolved critical" {
		t.Errorf("of the channel that works again the other one tells %q", got)
	}
	if sent, err := l.e.TestAlert(t.Context(), ""); err != nil || len(sent) != 2 {
		t.Errorf("a test went to %v, %v", sent, err)
	}
	if _, err := l.e.TestAlert(t.Context(), "third"); err == nil {
		t.Error("a channel that does not exist was tested")
	}
}

// A certificate that runs out is renewed, the server made to take it, and the incident ends when the new one is served.
func TestTheLoopCloses(t *testing.T) {
	l := newLab(t)
	s := l.server(l.leaf(pkitest.P256, 20*day))
	w := l.watched("web", s.address)
	done := filepath.Join(t.TempDir(), "reloaded")
	w.Renew = config.Renewal{Live: "web", Reload: []string{"touch", done}}
	renewed := 0
	e, err := New(l.c, Options{History: l.h, Now: func() time.Time { return l.now }, Look: LookOptions{Stores: []scan.Store{{Name: "lab", Own: true, Roots: l.ca.Roots()}}},
		Renew: func(_ context.Context, name string) error {
			if renewed++; renewed == 1 {
				return errors.New("the CA has a bad day")
			}
			s.set(func(c *tls.Config) { c.Certificates = []tls.Certificate{pair(l.leaf(pkitest.P256, 89*day))} })
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	l.e = e
	kinds := func() string {
		open, _, err := l.h.Incidents(t.Context(), history.IncidentQuery{Open: true})
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, i := range open {
			list = append(list, i.Key.Kind)
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	l.check(0)
	if got := kinds(); got != "expiry renewal" {
		t.Errorf("after a renewal that failed: %q", got)
	}
	l.check(time.Minute)
	if renewed != 1 {
		t.Errorf("it was tried %d times within a minute", renewed)
	}
	r := l.check(2 * time.Hour)["web"]
	if _, err := os.Stat(done); err != nil || renewed != 2 || r.Next.Sub(r.At) > time.Minute {
		t.Errorf("renewed %d times, looked at again in %v, %v", renewed, r.Next.Sub(r.At), err)
	}
	if got := kinds(); got != "expiry" {
		t.Errorf("before the new one was seen: %q", got)
	}
	l.check(time.Minute)
	l.check(time.Minute)
	if got := kinds(); got != "" {
		t.Errorf("after it was seen: %q", got)
	}
}

func TestTheDaemonLooksAndEnds(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"a", "b", "c"} {
		w := l.watched(name, l.server(l.leaf(pkitest.P256, 60*day)).address)
		w.Schedule.Every = time.Second
	}
	looked := make(chan string, 100)
	e, err := New(l.c, Options{History: l.h, Look: LookOptions{Stores: []scan.Store{{Name: "lab", Own: true, Roots: l.ca.Roots()}}},
		Looked: func(target string, v watch.Verdict, _ time.Duration) {
			if v.State != watch.OK {
				t.Errorf("%s is %v: %s", target, v.State, v.Reason)
			}
			select {
			case looked <- target:
			default:
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	count := make(map[string]int)
	for count["a"] < 2 || count["b"] < 2 || count["c"] < 2 {
		count[<-looked]++
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	due, err := l.h.Claim(t.Context(), time.Now().Add(time.Minute), time.Now().Add(2*time.Minute), "somebody else", 10)
	if err != nil || len(due) != 3 {
		t.Errorf("the daemon keeps %d of 3 targets to itself: %v", 3-len(due), err)
	}
}

func TestSettingsThatDoNotFit(t *testing.T) {
	l := newLab(t)
	for name, c := range map[string]config.Monitor{
		"nothing":          {Targets: []config.Watched{{Name: "x"}}},
		"a strange port":   {Targets: []config.Watched{{Address: "a.example:port"}}},
		"twice":            {Targets: []config.Watched{{Address: "a.example:443"}, {Address: "a.example:443"}}},
		"addresses":        {Targets: []config.Watched{{Address: "a.example:443", Addresses: "some"}}},
		"cron":             {Targets: []config.Watched{{Address: "a.example:443", Schedule: config.Schedule{Cron: "often"}}}},
		"too often":        {Targets: []config.Watched{{Address: "a.example:443", Schedule: config.Schedule{Every: time.Millisecond}}}},
		"a channel":        {Channels: []config.Channel{{Name: "x", Kind: "pigeon"}}},
		"channels' names":  {Channels: []config.Channel{{Name: "x", Kind: "command", Command: []string{"true"}}, {Name: "x", Kind: "command", Command: []string{"true"}}}},
		"a severity":       {Escalate: map[string]time.Duration{"terrible": time.Hour}},
		"a channel's name": {Channels: []config.Channel{{Kind: "command", Command: []string{"true"}}}},
	} {
		if _, err := New(&c, Options{History: l.h}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestSchedules(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	s, err := compile(config.Watched{Address: "a.example:443", Schedule: config.Schedule{Every: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := s.next(now, 0), s.next(now, 0.999); a.Sub(now) != 57*time.Minute || b.Sub(now) <= 62*time.Minute || b.Sub(now) >= 63*time.Minute+time.Second {
		t.Errorf("every hour is from %v to %v", a.Sub(now), b.Sub(now))
	}
	if s, err = compile(config.Watched{Address: "a.example:443", Schedule: config.Schedule{Cron: "30 3 * * *"}}); err != nil {
		t.Fatal(err)
	}
	if next := s.next(now, 0.5); !next.Equal(time.Date(2026, 11, 23, 3, 30, 0, 0, time.UTC)) {
		t.Errorf("half past three is %v", next)
	}
	var previous time.Duration
	for tries := range 20 {
		d := backOff(tries)
		if d < previous || d > longestRetry {
			t.Errorf("after %d failures it waits %v", tries, d)
		}
		previous = d
	}
}
