package estate

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// testBase is an estate in a folder of its own.
func testBase(t *testing.T) *Base {
	t.Helper()
	return &Base{Home: t.TempDir(), Now: time.Now, Actor: "test", Version: "test", Log: slog.New(slog.DiscardHandler)}
}

// looseCA is a section on free ports.
func looseCA() *config.CA {
	c := config.DefaultCA()
	c.Listen, c.HTTP = "127.0.0.1:0", "127.0.0.1:0"
	return c
}

// runningCA opens a CA and runs it until the test ends.
func runningCA(t *testing.T, b *Base, c *config.CA) *caPart {
	t.Helper()
	p, err := openCA(t.Context(), b, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, p.close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// heldAddress is one that is taken until the test ends.
func heldAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// trusting is a client that trusts the CA of an estate alone. Its connections are not kept.
func trusting(t *testing.T, b *Base) *http.Client {
	t.Helper()
	ca, err := keystore.ReadCA(b.Home)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Timeout: time.Minute, Transport: &tlsnet.Transport{Config: &tlsnet.Config{Roots: []*x509.Certificate{ca.Root}}, MaxIdleConnsPerHost: -1, AllowPlaintext: true}}
}

func get(client *http.Client, url string) (string, error) {
	r, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = errors.New(r.Status)
	}
	return string(body), err
}

// directory is what the ACME directory says.
func directory(t *testing.T, client *http.Client, base string) (d struct {
	Meta struct {
		Terms    string            `json:"termsOfService"`
		Bound    bool              `json:"externalAccountRequired"`
		Profiles map[string]string `json:"profiles"`
	} `json:"meta"`
}) {
	t.Helper()
	text, err := get(client, base+"/acme/directory")
	if err == nil {
		err = json.Unmarshal([]byte(text), &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestACAIsServed(t *testing.T) {
	b := testBase(t)
	c := looseCA()
	c.Lifetime = 5 * time.Minute
	p := runningCA(t, b, c)
	client := trusting(t, b)
	https, plain := p.urls()
	if d := directory(t, client, https); d.Meta.Profiles["classic"] != "server authentication, 5m0s" {
		t.Errorf("%+v", d)
	}
	for _, l := range p.links() {
		if _, err := get(client, l.URL); err != nil || l.Part != "ca" {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if roots, err := get(client, plain+"/roots.pem"); err != nil || !strings.Contains(roots, "BEGIN CERTIFICATE") {
		t.Errorf("%q, %v", roots, err)
	}
	// The service's own certificate lives as long as those of clients, and says where its status is.
	leaf := p.own.certificate()
	if life := leaf.NotAfter.Sub(leaf.NotBefore) + time.Second; life != c.Lifetime || leaf.OCSPServer[0] != plain+"/ocsp/default" {
		t.Errorf("%v, %v", life, leaf.OCSPServer)
	}
	if at := p.secure(); len(at) != 1 || at["CA"].String() != p.address("listen").String() {
		t.Errorf("%v", at)
	}
}

// asking asks for pages again and again, until stop; none may fail.
func asking(t *testing.T, client *http.Client, urls ...string) (stop func(), requests *atomic.Int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	requests = new(atomic.Int64)
	for _, url := range urls {
		work.Go(func() {
			for ctx.Err() == nil {
				r, err := client.Get(url)
				if err != nil {
					t.Errorf("after %d requests: %v", requests.Load(), err)
					return
				}
				_, err = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
				if err != nil || r.StatusCode >= 500 {
					t.Errorf("after %d requests: %s: %s, %v", requests.Load(), url, r.Status, err)
				}
				requests.Add(1)
			}
		})
	}
	return func() {
		cancel()
		work.Wait()
	}, requests
}

// TestACATakesSettingsOver: while clients keep asking, everything changes, and no request is lost.
func TestACATakesSettingsOver(t *testing.T) {
	b := testBase(t)
	p := runningCA(t, b, looseCA())
	client := trusting(t, b)
	https, plain := p.urls()
	if _, err := admin.InitCA(b.Home, admin.CAOptions{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	stop, requests := asking(t, client, https+"/acme/directory", https+"/crl/default.crl", https+"/ocsp/default/x")
	apply := func(edit func(*config.CA)) error {
		next := *p.settings
		edit(&next)
		return p.apply(t.Context(), &config.Estate{CA: &next})
	}
	first := p.own.certificate()
	for _, edit := range []func(*config.CA){
		func(c *config.CA) { c.Terms, c.NeedsBinding = "https://corp.example/terms", true },
		func(c *config.CA) { c.Lifetime = time.Hour },
		func(c *config.CA) { c.Metrics, c.Admin = "127.0.0.1:0", "127.0.0.1:0" },
		func(c *config.CA) { c.HTTP = "localhost:0" },
	} {
		if err := apply(edit); err != nil {
			t.Fatal(err)
		}
	}
	for begin := requests.Load(); requests.Load() < begin+20; time.Sleep(time.Millisecond) {
		if t.Failed() {
			break
		}
	}
	stop()
	d := directory(t, client, https)
	if d.Meta.Terms != "https://corp.example/terms" || !d.Meta.Bound || d.Meta.Profiles["classic"] != "server authentication, 1h0m0s" {
		t.Errorf("%+v", d)
	}
	if leaf := p.own.certificate(); leaf.Equal(first) || leaf.NotAfter.Sub(leaf.NotBefore) > time.Hour {
		t.Error("the service's certificate is still the old one")
	}
	if leaf, now := p.own.certificate(), baseHTTP(p.settings, p.doors); leaf.OCSPServer[0] != now+"/ocsp/default" {
		t.Errorf("its certificate names %s, and OCSP is at %s", leaf.OCSPServer, now)
	}
	if _, err := get(client, plain+"/roots.pem"); err == nil {
		t.Error("the old address is still served")
	}
	if now, plainNow := p.urls(); now != https || plainNow == plain {
		t.Errorf("%s, %s", now, plainNow)
	}
	metrics, err := get(client, "http://"+p.address("metrics").String()+"/metrics")
	if err != nil || !strings.Contains(metrics, "tlswright_certificate_not_after_timestamp_seconds") {
		t.Errorf("%v", err)
	}
	if p.address("admin") == nil || len(p.secure()) != 2 {
		t.Error("there is no admin API")
	}
	// And back.
	if err := apply(func(c *config.CA) { c.Metrics, c.Admin, c.Lifetime = "", "", 0 }); err != nil || p.address("metrics") != nil {
		t.Error(err)
	}
	if d := directory(t, client, https); d.Meta.Profiles["classic"] != "server authentication, 90 days" {
		t.Errorf("%+v", d)
	}
}

// TestACAReadsItsFilesAgain: a certificate from files that were replaced is taken up with the same settings, a broken one not.
func TestACAReadsItsFilesAgain(t *testing.T) {
	issuer, err := keystore.CreateCA(t.TempDir(), keystore.CAOptions{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "live")
	replace := func() {
		t.Helper()
		id, err := issueFor(issuer, time.Hour, time.Now())
		if err == nil {
			err = keystore.WriteLive(dir, id.Chain[0], id.Chain[1:], id.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	replace()
	c := looseCA()
	c.Certificate, c.Key = filepath.Join(dir, keystore.FullChainFile), filepath.Join(dir, keystore.KeyFile)
	p := runningCA(t, testBase(t), c)
	first := p.own.certificate()
	if err := p.apply(t.Context(), &config.Estate{CA: c}); err != nil || p.own.certificate() != first {
		t.Errorf("files that are the same are taken up: %v", err)
	}
	replace()
	if err := p.apply(t.Context(), &config.Estate{CA: c}); err != nil || p.own.certificate().Equal(first) {
		t.Errorf("files that were replaced are not taken up: %v", err)
	}
	second := p.own.certificate()
	if err := os.WriteFile(c.Certificate, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.apply(t.Context(), &config.Estate{CA: c}); err == nil || p.own.certificate() != second {
		t.Errorf("a broken file is taken up: %v", err)
	}
}

// TestWhatACACannotTakeOverLeavesIt: with an error nothing has changed.
func TestWhatACACannotTakeOverLeavesIt(t *testing.T) {
	b := testBase(t)
	p := runningCA(t, b, looseCA())
	client := trusting(t, b)
	https, _ := p.urls()
	taken := heldAddress(t)
	for name, edit := range map[string]func(*config.CA){
		"chain":    func(c *config.CA) { c.Chains = []string{"nowhere.pem"} },
		"issuer":   func(c *config.CA) { c.Issuers = []string{"nowhere"} },
		"port":     func(c *config.CA) { c.Terms, c.Metrics = "https://x.example", taken },
		"own port": func(c *config.CA) { c.Metrics = p.address("listen").String() },
		"admin":    func(c *config.CA) { c.Admin = "127.0.0.1:0" }, // without an admin CA
		"cert":     func(c *config.CA) { c.Certificate = "nowhere.pem" },
		"quorum":   func(c *config.CA) { c.Quorum = 2 },
	} {
		next, before := looseCA(), p.now
		edit(next)
		if err := p.apply(t.Context(), &config.Estate{CA: next}); err == nil || errors.Is(err, errReopen) {
			t.Errorf("%s: %v", name, err)
		}
		if p.now != before || p.address("metrics") != nil || p.address("admin") != nil {
			t.Errorf("%s: something has changed", name)
		}
		if d := directory(t, client, https); d.Meta.Terms != "" {
			t.Errorf("%s: %+v", name, d)
		}
	}
	for name, edit := range map[string]func(*config.CA){
		"database": func(c *config.CA) { c.Database = "postgres://127.0.0.1:1/x" },
		"swapped":  func(c *config.CA) { c.Listen, c.HTTP = p.address("http").String(), p.address("listen").String() },
		"wider":    func(c *config.CA) { _, port, _ := net.SplitHostPort(p.address("http").String()); c.HTTP = ":" + port },
		"section":  nil,
	} {
		next := &config.Estate{}
		if edit != nil {
			next.CA = looseCA()
			edit(next.CA)
		}
		if err := p.apply(t.Context(), next); !errors.Is(err, errReopen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p.apply(t.Context(), &config.Estate{CA: looseCA()}) != nil {
		t.Error("the same settings are not taken")
	}
}

func TestWhatIsWrongWithACAIsKnownBeforehand(t *testing.T) {
	b := testBase(t)
	if err := checkCA(b, looseCA()); err != nil {
		t.Error(err)
	}
	if _, err := keystore.ReadCA(b.Home); !errors.Is(err, keystore.ErrNoCA) {
		t.Error("a check has made a CA")
	}
	for name, edit := range map[string]func(*config.CA){
		"chain":  func(c *config.CA) { c.Chains = []string{"nowhere.pem"} },
		"issuer": func(c *config.CA) { c.Issuers = []string{"nowhere"} },
		"admin":  func(c *config.CA) { c.Admin = "127.0.0.1:0" },
		"cert":   func(c *config.CA) { c.Certificate = "nowhere.pem" },
		"key":    func(c *config.CA) { c.Key = "nowhere.pem" },
		"quorum": func(c *config.CA) { c.Quorum = 2 },
		"logs":   func(c *config.CA) { c.CTLogs = "nowhere.json" },
	} {
		c := looseCA()
		edit(c)
		if err := checkCA(b, c); err == nil {
			t.Errorf("%s: nothing is wrong", name)
		}
	}
	if _, err := b.OpenOrMakeCA(); err != nil {
		t.Fatal(err)
	}
	c := looseCA()
	c.Issuers = []string{"nowhere"}
	var p *Problem
	if err := checkCA(b, c); !errors.As(err, &p) || p.Key != "issuers" {
		t.Error(err)
	}
}

func TestATakenPortIsAProblemOfItsKey(t *testing.T) {
	b := testBase(t)
	for key, edit := range map[string]func(*config.CA, string){
		"listen":  func(c *config.CA, at string) { c.Listen = at },
		"http":    func(c *config.CA, at string) { c.HTTP = at },
		"metrics": func(c *config.CA, at string) { c.Metrics = at },
	} {
		c := looseCA()
		edit(c, heldAddress(t))
		_, err := openCA(t.Context(), b, c)
		var p *Problem
		if !errors.As(err, &p) || p.Key != key || p.Advice == "" {
			t.Errorf("%s: %+v", key, err)
		}
	}
}

// TestAFileMeansTheSameToAll: who runs the CA alone by a file has the CA that "up" would have, whatever else stands there.
func TestAFileMeansTheSameToAll(t *testing.T) {
	for _, text := range []string{"ca:", "ca: {lifetime: 5m}", sample} {
		whole, err := Read([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		alone, err := ReadCA([]byte(text))
		if err != nil || !reflect.DeepEqual(alone, whole.CA) {
			t.Errorf("%q: %+v, not %+v (%v)", text, alone, whole.CA, err)
		}
	}
	if c, err := ReadCA([]byte("ca: {terms: 'https://x.example'}\ngateway: {broken: 1}")); err != nil || c.Terms == "" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestACAOfItsOwnIsSeen: who serves a CA by itself sees its requests and its refusals.
func TestACAOfItsOwnIsSeen(t *testing.T) {
	b := testBase(t)
	var seen, refused atomic.Int64
	ca, err := OpenCA(t.Context(), b, looseCA(), CAOptions{
		Requests: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen.Add(1)
				h.ServeHTTP(w, r)
			})
		},
		Refused: func(*tlsnet.Conn, error) { refused.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ca.Run(ctx) }()
	client := trusting(t, b)
	if _, err := get(client, ca.Links()[0].URL); err != nil {
		t.Error(err)
	}
	if c, err := tlsnet.Dial(t.Context(), "tcp", ca.Address("listen").String(), &tlsnet.Config{}); err == nil {
		c.Close()
		t.Error("a root of nobody was trusted")
	} else if trust := new(pki.VerifyError); !errors.As(err, &trust) {
		t.Error(err)
	}
	for begin := time.Now(); refused.Load() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatal("a handshake that failed was not told")
		}
	}
	stop()
	if err := errors.Join(<-ended, ca.Close()); err != nil || seen.Load() != 1 {
		t.Errorf("%v, %d requests", err, seen.Load())
	}
	if ca.Address("listen") != nil {
		t.Error("it is closed, and still somewhere")
	}
}
