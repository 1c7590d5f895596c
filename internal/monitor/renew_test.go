package monitor

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/scan"
)

// renewing makes an engine, as a new process would, that renews by a function.
func (l *lab) renewing(renew func() error) {
	l.Helper()
	e, err := New(l.c, Options{History: l.h, Now: func() time.Time { return l.now }, Look: LookOptions{Stores: []scan.Store{{Name: "lab", Own: true, Roots: l.ca.Roots()}}},
		Renew: func(context.Context, string) error { return renew() }})
	if err != nil {
		l.Fatal(err)
	}
	l.e = e
}

// What is renewed is not renewed again because its server goes on with the old one: CAs limit how often.
func TestAServerThatTakesNothingUsesUpNoCertificates(t *testing.T) {
	l := newLab(t)
	s := l.server(l.leaf(pkitest.P256, 20*day))
	w := l.watched("web", s.address)
	log := filepath.Join(t.TempDir(), "log")
	w.Renew = config.Renewal{Live: "web", Reload: []string{"sh", "-c", "echo reloaded >> " + log}}
	renewed := 0
	l.renewing(func() error { renewed++; return nil })
	for range 10 {
		l.check(time.Hour + time.Minute)
	}
	text, err := os.ReadFile(log)
	if err != nil || renewed != 1 || strings.Count(string(text), "reloaded") < 5 {
		t.Errorf("renewed %d times, and the server was told to take it: %q, %v", renewed, text, err)
	}
	s.set(func(c *tls.Config) { c.Certificates = []tls.Certificate{pair(l.leaf(pkitest.P256, 10*day))} })
	l.check(2 * time.Hour)
	if renewed != 2 {
		t.Errorf("the next one that runs out was renewed %d times", renewed-1)
	}
}

// A newer certificate that lies on disk has to be loaded, not renewed; and that of another site has nothing to do with it.
func TestWhatLiesOnDiskIsNotRenewed(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	write := func(name string, leaf *pkitest.Leaf) {
		var text []byte
		for _, der := range leaf.Chain {
			text = pki.AppendCertificatePEM(text, der)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	write("other.pem", l.ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileServer, CommonName: "other", SANs: []string{"other.test"}, NotBefore: now.Add(-80 * day), Lifetime: 85 * day}))
	s := l.server(l.leaf(pkitest.P256, 60*day))
	w := l.watched("web", s.address)
	w.Files = []string{filepath.Join(dir, "*.pem")}
	done := filepath.Join(dir, "done")
	w.Renew = config.Renewal{Live: "web", Reload: []string{"touch", done}}
	renewed := 0
	l.renewing(func() error { renewed++; return nil })
	l.check(0)
	if renewed != 0 {
		t.Error("another site's certificate runs out, and this one's was renewed")
	}
	write("web.pem", l.leaf(pkitest.P256, 89*day))
	l.check(3 * time.Hour)
	l.check(3 * time.Hour)
	if _, err := os.Stat(done); err != nil || renewed != 0 {
		t.Errorf("renewed %d times, loaded: %v", renewed, err)
	}
}

// While a renewal fails, there is one incident; and a monitor that is started again and again does not try each time.
func TestARenewalThatFailsIsOneIncident(t *testing.T) {
	l := newLab(t)
	h := newHook(t)
	l.c.Channels = []config.Channel{{Name: "hook", Kind: "webhook", URL: h.URL}}
	s := l.server(l.leaf(pkitest.P256, 20*day))
	l.watched("web", s.address).Renew = config.Renewal{Live: "web"}
	tried, works := 0, false
	renew := func() error {
		if tried++; works {
			s.set(func(c *tls.Config) { c.Certificates = []tls.Certificate{pair(l.leaf(pkitest.P256, 89*day))} })
			return nil
		}
		return errors.New("the CA has a bad day")
	}
	for range 12 {
		l.renewing(renew)
		l.check(15 * time.Minute)
		l.deliver()
	}
	if got := h.said(KindRenewal); got != "opened critical" || tried < 2 || tried > 3 {
		t.Errorf("in three hours it was tried %d times and told %q", tried, got)
	}
	works = true
	for range 6 {
		l.renewing(renew)
		l.check(15 * time.Minute)
		l.deliver()
	}
	if got := h.said(KindRenewal); got != "opened critical, resolved critical" {
		t.Errorf("when it works again it tells %q", got)
	}
}
