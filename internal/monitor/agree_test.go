package monitor

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
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

// paired watches a server with a file, into which write puts a certificate.
func (l *lab) paired(leaf *pkitest.Leaf) (s *server, write func(*pkitest.Leaf)) {
	l.Helper()
	s = l.server(leaf)
	path := filepath.Join(l.TempDir(), "cert.pem")
	write = func(leaf *pkitest.Leaf) {
		var text []byte
		for _, der := range leaf.Chain {
			text = pki.AppendCertificatePEM(text, der)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			l.Fatal(err)
		}
	}
	write(leaf)
	l.watched("web", s.address).Files = []string{path}
	return s, write
}

// A file is new from the look on that sees it, however long the one before lay there.
func TestANewFileIsGivenTime(t *testing.T) {
	l := newLab(t)
	_, write := l.paired(l.leaf(pkitest.P256, 20*day))
	l.check(0)
	l.check(6 * time.Hour)
	write(l.leaf(pkitest.P256, 89*day))
	l.state(l.check(6*time.Hour), "web", watch.Warning, "runs out")
	l.state(l.check(5*time.Minute), "web", watch.Warning, "runs out")
	l.state(l.check(6*time.Minute), "web", watch.Critical, "not reloaded")
}

func TestAnOutageEndsNoDisagreement(t *testing.T) {
	l := newLab(t)
	h := newHook(t)
	l.c.Channels = []config.Channel{{Name: "hook", Kind: "webhook", URL: h.URL}}
	s, write := l.paired(l.leaf(pkitest.P256, 60*day))
	write(l.leaf(pkitest.P256, 89*day))
	l.check(0)
	l.check(time.Hour)
	var works *tls.Config
	s.set(func(c *tls.Config) {
		works = c.Clone()
		c.Certificates, c.MinVersion, c.MaxVersion = nil, tls.VersionTLS13, tls.VersionTLS10
	})
	l.check(time.Hour)
	s.set(func(c *tls.Config) { *c = *works.Clone() })
	l.check(time.Hour)
	l.deliver()
	l.deliver()
	if got := h.said(watch.KindNotReloaded); got != "opened critical" {
		t.Errorf("told %q", got)
	}
}

// While the DNS is out of order, what was known of a name's addresses goes on running out.
func TestAnOutageOfTheDNSHidesNothing(t *testing.T) {
	l := newLab(t)
	s := l.server(l.leaf(pkitest.P256, 2*day))
	_, port, _ := net.SplitHostPort(s.address)
	l.watched("web", "localhost:"+port)
	isDown := false
	look := func(context.Context, string) ([]netip.Addr, error) {
		if isDown {
			return nil, &net.DNSError{Err: "server misbehaving", Name: "localhost", IsTemporary: true}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	l.trust(LookOptions{Stores: []scan.Store{{Name: "lab", Own: true, Roots: l.ca.Roots()}}, LookUp: look})
	l.state(l.check(0), "web", watch.Critical, "runs out")
	isDown = true
	for range 3 {
		l.state(l.check(time.Hour), "web", watch.Critical, "runs out")
	}
	l.state(l.check(3*day), "web", watch.Expired, "has expired")
	open, _, err := l.h.Incidents(t.Context(), history.IncidentQuery{Open: true, Target: "web"})
	if err != nil || len(open) != 2 {
		t.Errorf("%d incidents are open, %v", len(open), err)
	}
}

// What is told of a channel that fails goes to the others, whatever targets they are for; and it is over when the channel
// is taken out of the file.
func TestChannelsAreNoTargets(t *testing.T) {
	l := newLab(t)
	first, second := newHook(t), newHook(t)
	first.set(true)
	l.c.Channels = []config.Channel{{Name: "first", Kind: "webhook", URL: first.URL}, {Name: "second", Kind: "webhook", URL: second.URL, Targets: []string{"none*"}}}
	l.watched("web", l.server(l.leaf(pkitest.P256, 20*day)).address)
	l.check(0)
	for range 30 {
		l.now = l.now.Add(time.Minute)
		l.deliver()
	}
	if got := second.said(KindChannel); got != "opened critical" {
		t.Errorf("of the failing channel the other one tells %q", got)
	}
	c := *l.c
	c.Channels = c.Channels[1:]
	if err := l.e.Reload(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	l.deliver()
	l.deliver()
	if got := second.said(KindChannel); !strings.HasSuffix(got, "resolved critical") {
		t.Errorf("of a channel that is gone the other one tells %q", got)
	}
	open, _, err := l.h.Incidents(t.Context(), history.IncidentQuery{Open: true})
	if err != nil || len(open) != 1 {
		t.Errorf("%d incidents are open, %v", len(open), err)
	}
}

// halfDeaf is a channel that reaches only some of its people.
type halfDeaf struct{ sent int }

// Send implements notify.Channel.
func (h *halfDeaf) Send(context.Context, notify.Message) error {
	h.sent++
	return &notify.PartialError{Err: errors.New("gone@a.example: no such user")}
}

// What reached some is not sent to them again; that it did not reach the others is told.
func TestAChannelThatReachesOnlySome(t *testing.T) {
	l := newLab(t)
	h := newHook(t)
	l.c.Channels = []config.Channel{{Name: "mail", Kind: "command", Command: []string{"true"}}, {Name: "hook", Kind: "webhook", URL: h.URL}}
	l.watched("web", l.server(l.leaf(pkitest.P256, 20*day)).address)
	l.start()
	deaf := &halfDeaf{}
	l.e.c.Load().channels["mail"] = channel{Channel: deaf}
	l.check(0)
	for range 5 {
		l.now = l.now.Add(time.Hour)
		l.deliver()
	}
	if got := h.said(KindChannel); deaf.sent != 1 || got != "opened critical" {
		t.Errorf("sent %d times, and the other channel tells %q", deaf.sent, got)
	}
}

// Where one address of two is down, nobody is told that all is down; and which one it is.
func TestOneAddressThatIsDown(t *testing.T) {
	l := newLab(t)
	_, port, _ := net.SplitHostPort(l.server(l.leaf(pkitest.P256, 60*day)).address)
	l.watched("web", "localhost:"+port).Policy.Patience = 1
	both := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}
	l.trust(LookOptions{Stores: []scan.Store{{Name: "lab", Own: true, Roots: l.ca.Roots()}}, LookUp: func(context.Context, string) ([]netip.Addr, error) { return both, nil }})
	all := l.check(0)
	l.state(all, "web", watch.Error, "an address of web cannot be looked at: 127.0.0.2:"+port)
	open, _, err := l.h.Incidents(t.Context(), history.IncidentQuery{Open: true})
	if err != nil || len(open) != 1 || open[0].Title != "an address of web cannot be looked at" {
		t.Errorf("open are %+v, %v", open, err)
	}
}

// Whatever is told stands in the log, too: what a look brings about, what time does, and what a changed file does.
func TestWhatIsToldIsLogged(t *testing.T) {
	l := newLab(t)
	l.c.Escalate = map[string]time.Duration{"critical": time.Hour}
	l.watched("web", "127.0.0.1:1").Policy.Patience = 1
	l.watched("other", "127.0.0.1:1").Policy.Patience = 100
	var log strings.Builder
	e, err := New(l.c, Options{History: l.h, Now: func() time.Time { return l.now }, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	l.e = e
	l.check(0)
	l.now = l.now.Add(2 * time.Hour)
	if err := l.e.AfterCheck(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := *l.c
	c.Targets = c.Targets[1:]
	if err := l.e.Reload(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"opened", "escalated", "resolved"} {
		if strings.Count(log.String(), "event="+event) != 1 {
			t.Errorf("%s is not in the log, once:\n%s", event, log.String())
		}
	}
}
