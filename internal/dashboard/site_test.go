package dashboard

import (
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// siteLab is a dashboard that is served as a file says.
type siteLab struct {
	*lab
	ca  *pkitest.CA
	dir string
	c   config.Dashboard
}

func newSiteLab(t *testing.T) *siteLab {
	s := &siteLab{lab: newLab(t, nil), ca: pkitest.New(t, pkitest.P256), dir: t.TempDir()}
	s.c = config.Dashboard{Listen: "127.0.0.1:0", Certificate: s.file("cert.pem"), Key: s.file("key.pem")}
	s.issue("monitor.example", "localhost")
	return s
}

func (s *siteLab) file(name string) string { return filepath.Join(s.dir, name) }

// issue puts a certificate into the files.
func (s *siteLab) issue(names ...string) *pkitest.Leaf {
	s.Helper()
	leaf := s.ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileServer, CommonName: names[0], SANs: names, NotBefore: time.Now().Add(-time.Hour)})
	s.must(keystore.WriteKey(s.file("key.pem"), leaf.Key))
	s.must(keystore.WriteCertificates(s.file("cert.pem"), leaf.Chain...))
	return leaf
}

// serve serves until the test ends.
func (s *siteLab) serve(now func() time.Time) *Site {
	s.Helper()
	site, err := Listen(s.c, now)
	s.must(err)
	d, err := New(site.Options(Options{Source: s.h, Keeper: keeper{s.lab}, Now: now}))
	s.must(err)
	web, serve := site.Server(d, log.New(io.Discard, "", 0))
	done := make(chan error, 1)
	go func() { done <- serve() }()
	s.Cleanup(func() {
		s.must(web.Close())
		<-done
	})
	return site
}

// over sends a request over TLS; leaf may be nil.
func (s *siteLab) over(site *Site, method, path, body string, leaf *pkitest.Leaf) (*http.Response, string) {
	s.Helper()
	c := &tlsnet.Config{Roots: s.ca.Roots(), ServerName: "monitor.example"}
	if leaf != nil {
		c.Identities = []tlsnet.Identity{{Chain: leaf.Chain, Key: leaf.Key}}
	}
	t := &tlsnet.Transport{Config: c}
	defer t.CloseIdleConnections()
	r, err := http.NewRequestWithContext(s.Context(), method, "https://"+site.Addr().String()+path, strings.NewReader(body))
	s.must(err)
	r.Host = "monitor.example"
	r.Header.Set("Content-Type", "application/json")
	response, err := t.RoundTrip(r)
	s.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	s.must(err)
	return response, string(text)
}

func TestASiteOverTLS(t *testing.T) {
	s := newSiteLab(t)
	s.must(keystore.WriteCertificates(s.file("ops.pem"), s.ca.Root.Raw))
	s.c.ClientCA = s.file("ops.pem")
	s.estate()
	site := s.serve(time.Now)
	if !strings.HasPrefix(site.URL(), "https://monitor.example:") || !strings.HasSuffix(site.IncidentURL("x y"), "/incident?id=x+y") {
		t.Errorf("%s, %s", site.URL(), site.IncidentURL("x y"))
	}
	if r, text := s.over(site, http.MethodGet, "/", "", nil); r.StatusCode != http.StatusOK || !strings.Contains(text, "read-only") {
		t.Errorf("%s\n%s", r.Status, text)
	}
	order := `{"for":"1h"}`
	if r, text := s.over(site, http.MethodPost, "/api/v1/silences", order, nil); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a certificate: %s\n%s", r.Status, text)
	}
	ada := s.ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileClient, CommonName: "Ada", NotBefore: time.Now().Add(-time.Hour)})
	if r, text := s.over(site, http.MethodPost, "/api/v1/silences", order, ada); r.StatusCode != http.StatusOK || !strings.Contains(text, `"by":"Ada"`) {
		t.Errorf("with a certificate: %s\n%s", r.Status, text)
	}
	// A browser with a certificate fills in forms, which must be ours.
	_, page := s.over(site, http.MethodGet, "/incidents", "", ada)
	if len(csrfOf(page)) != 64 {
		t.Error("who shows a certificate gets no forms")
	}
	if strings.Contains(page, `action="/logout"`) {
		t.Error("who shows a certificate can log out, to no effect")
	}
}

func TestARenewedCertificateIsServed(t *testing.T) {
	s := newSiteLab(t)
	site := s.serve(s.clock)
	serial := func() string {
		r, _ := s.over(site, http.MethodGet, "/healthz", "", nil)
		info, _ := tlsnet.InfoFromResponse(r)
		return info.Peer.Leaf.SerialNumber.String()
	}
	first := serial()
	leaf := s.issue("monitor.example")
	later := s.now.Add(time.Hour)
	s.must(os.Chtimes(s.file("cert.pem"), later, later))
	s.advance(reloadEvery)
	c, err := x509.ParseCertificate(leaf.Chain[0])
	s.must(err)
	if got := serial(); got == first || got != c.SerialNumber.String() {
		t.Errorf("the certificate %s is still served", got)
	}
	s.must(os.WriteFile(s.file("cert.pem"), []byte("half of a file"), 0o644))
	s.advance(reloadEvery)
	if got := serial(); got != c.SerialNumber.String() {
		t.Errorf("a file that is being written made it serve %s", got)
	}
}

func TestWhatOthersReachNeedsTLS(t *testing.T) {
	var plain *PlainError
	if _, err := Listen(config.Dashboard{Listen: "0.0.0.0:0"}, time.Now); !errors.As(err, &plain) || plain.Hint() == "" {
		t.Errorf("%v", err)
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(config.Dashboard{Listen: "127.0.0.1:0", Token: token}, time.Now); err == nil || !strings.Contains(err.Error(), "openssl rand") {
		t.Errorf("%v", err)
	}
}

func TestIncidentsOfAnotherProcessHaveAnAddress(t *testing.T) {
	for _, c := range []struct {
		d    config.Dashboard
		want string
	}{
		{config.Dashboard{Listen: "127.0.0.1:9780"}, "http://127.0.0.1:9780/incident?id=x"},
		{config.Dashboard{Listen: "0.0.0.0:443", Certificate: "c", Names: []string{"monitor.example"}}, "https://monitor.example:443/incident?id=x"},
		{config.Dashboard{Listen: "[::1]:80"}, "http://[::1]:80/incident?id=x"},
		{config.Dashboard{Listen: "0.0.0.0:443", Certificate: "c"}, ""}, {config.Dashboard{Listen: "127.0.0.1:0"}, ""}, {config.Dashboard{}, ""},
	} {
		got := ""
		if link := IncidentURL(&c.d); link != nil {
			got = link("x")
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.d, got, c.want)
		}
	}
}
