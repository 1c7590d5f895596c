package acmecheck_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/internal/acmecheck"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// lab is a server of ours on loopback; all names lead there.
type lab struct {
	options   acmecheck.Options
	authority *authority.Authority
}

// newLab makes one; edit changes the server's options, wrap stands between it and the client.
func newLab(t *testing.T, edit func(*acmeserver.Options), wrap func(http.Handler) http.Handler) *lab {
	t.Helper()
	return newLabOf(t, pki.P256, edit, wrap)
}

// newLabOf is newLab with a CA whose keys are of a kind.
func newLabOf(t *testing.T, k pki.KeyType, edit func(*acmeserver.Options), wrap func(http.Handler) http.Handler) *lab {
	t.Helper()
	home := filepath.Join(t.TempDir(), "ca")
	if _, err := keystore.CreateCA(home, keystore.CAOptions{KeyType: k}, time.Now()); err != nil {
		t.Fatal(err)
	}
	a, err := authority.OpenHome(t.Context(), home, authority.HomeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	port, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	validator, err := challenge.New(challenge.Options{Gate: fetch.Gate{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, NoCAA: true,
		Perspectives: []challenge.Perspective{{Resolver: resolve.New(resolve.Options{Server: serveNames(t), Timeout: 20 * time.Second})}},
		Timeout:      time.Minute, HTTPPort: int(netip.MustParseAddrPort(port).Port())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(validator.Close)
	o := acmeserver.Options{Store: a.Store, Validator: validator, Directories: []acmeserver.Directory{{Authority: a, Terms: "https://ca.test/terms"}}}
	if edit != nil {
		edit(&o)
	}
	server, err := acmeserver.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	handler := http.Handler(server)
	if wrap != nil {
		handler = wrap(server)
	}
	web := httptest.NewTLSServer(handler)
	t.Cleanup(func() {
		web.Close()
		_ = server.Close()
	})
	return &lab{authority: a, options: acmecheck.Options{Directory: web.URL + "/acme/directory", Transport: web.Client().Transport, Name: "www.selftest.test", Listen: port,
		Patience: 20 * time.Second}}
}

// serveNames is a DNS server for which every name has the loopback address.
func serveNames(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(ready) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)})
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = s.Shutdown() })
	return pc.LocalAddr().String()
}

func (l *lab) run(t *testing.T) *acmecheck.Report {
	t.Helper()
	r, err := acmecheck.Run(t.Context(), l.options)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func full(o *acmeserver.Options) {
	d := &o.Directories[0]
	d.Policy = order.Policy{Default: "classic", Star: order.StarPolicy{MinLifetime: time.Hour, MaxDuration: 60 * 24 * time.Hour},
		Profiles: map[string]order.Profile{"classic": {Description: "ninety days"}, "shortlived": {Description: "six days", Lifetime: 6 * 24 * time.Hour}}}
	d.Alternates = append(d.Alternates, d.Authority.Chain)
}

// TestOurServerPasses: no rule fails, and with everything on offer next to none is passed over.
func TestOurServerPasses(t *testing.T) {
	l := newLab(t, full, nil)
	heard := 0
	l.options.Tell = func(acmecheck.Result) { heard++ }
	r := l.run(t)
	for _, c := range r.Results {
		if c.Outcome == acmecheck.Failed {
			t.Errorf("%s, %s: %s", c.Section, c.Check, c.Detail)
		}
		if c.Outcome == acmecheck.NotApplicable && !strings.Contains(c.Check, "binding") {
			t.Errorf("%s, %s: does not apply: %s", c.Section, c.Check, c.Detail)
		}
		if c.Outcome == acmecheck.NotApplicable && c.Detail == "" || !strings.HasPrefix(c.Section, "RFC ") && !strings.HasPrefix(c.Section, "draft-") {
			t.Errorf("%+v", c)
		}
	}
	if heard != len(r.Results) || r.Passed+r.Failed+r.NotApplicable != heard || r.Passed < 80 {
		t.Errorf("%d results, %d heard of, %d passed", len(r.Results), heard, r.Passed)
	}
	t.Logf("%d passed, %d do not apply, %d requests", r.Passed, r.NotApplicable, r.Requests)
	l.nothingLeft(t, r)
}

// TestServerWithMLDSAKeysPasses: what it certifies is checked as anything else.
func TestServerWithMLDSAKeysPasses(t *testing.T) {
	for _, c := range newLabOf(t, pki.MLDSA44, full, nil).run(t).Results {
		if c.Outcome == acmecheck.Failed {
			t.Errorf("%s, %s: %s", c.Section, c.Check, c.Detail)
		}
	}
}

// nothingLeft checks that a run has cleaned up behind itself.
func (l *lab) nothingLeft(t *testing.T, r *acmecheck.Report) {
	t.Helper()
	if len(r.Left) > 0 {
		t.Errorf("left: %q", r.Left)
	}
	for c, err := range l.authority.Search(t.Context(), authority.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if c.State == store.StateIssued {
			t.Errorf("a certificate is not revoked: %v", c.Names)
		}
	}
}

func TestBoundAccounts(t *testing.T) {
	secret := []byte("a secret that is long enough, really")
	l := newLab(t, func(o *acmeserver.Options) {
		full(o)
		o.Directories[0].RequireBinding = true
		err := o.Store.AddACMEBinding(t.Context(), store.ACMEBinding{KID: "kid-1", Key: secret, Body: []byte(`{}`), CreatedAt: time.Now()}, store.By{Actor: "test", At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
	}, nil)
	without := l.run(t)
	if without.Failed > 0 || without.NotApplicable < 40 {
		t.Errorf("without a key: %+v", without)
	}
	l.options.Binding = &acmecheck.Binding{KID: "kid-1", Key: secret}
	r := l.run(t)
	for _, c := range r.Results {
		if c.Outcome == acmecheck.Failed || strings.Contains(c.Check, "binding") && c.Outcome != acmecheck.Passed {
			t.Errorf("%+v", c)
		}
	}
	l.nothingLeft(t, r)
}

// TestWithoutListener: what needs a proof does not apply, and the rest passes.
func TestWithoutListener(t *testing.T) {
	l := newLab(t, nil, nil)
	l.options.Listen = ""
	r := l.run(t)
	if r.Failed > 0 || r.Passed < 50 || r.NotApplicable < 15 {
		t.Errorf("%d passed, %d failed, %d do not apply", r.Passed, r.Failed, r.NotApplicable)
	}
}

// TestUnsteadyServer: nonces refused, overload and lost connections are no faults by RFC 8555.
func TestUnsteadyServer(t *testing.T) {
	l := newLab(t, func(o *acmeserver.Options) {
		o.Chaos = acmeserver.Chaos{RejectNonces: 15, Drop: 2, FreshAuthz: true, RetryDates: true}
	}, nil)
	l.options.Listen = ""
	for _, c := range l.run(t).Results {
		if c.Outcome == acmecheck.Failed {
			t.Errorf("%+v", c)
		}
	}
}

// rewritten answers with what change makes of the server's answers.
func rewritten(change func(q *http.Request, a *httptest.ResponseRecorder)) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			a := httptest.NewRecorder()
			h.ServeHTTP(a, q)
			change(q, a)
			for k, v := range a.Header() {
				w.Header()[k] = v
			}
			w.Header().Del("Content-Length")
			w.WriteHeader(a.Code)
			_, _ = w.Write(a.Body.Bytes())
		})
	}
}

// TestFaultsAreFound has servers break a rule each, and wants it found.
func TestFaultsAreFound(t *testing.T) {
	body := func(a *httptest.ResponseRecorder, text string) { a.Body = bytes.NewBufferString(text) }
	for name, f := range map[string]struct {
		change func(q *http.Request, a *httptest.ResponseRecorder)
		want   []string // parts of rules that must fail
	}{
		"takes everything": {func(_ *http.Request, a *httptest.ResponseRecorder) {
			if a.Code >= 400 && !bytes.Contains(a.Body.Bytes(), []byte("badNonce")) {
				a.Code = 200
			}
		}, []string{"alg none", "a MAC", "unprotected", "several signatures", "kid and jwk together", "jwk is refused", "kid is refused", "does not hold is refused", "was changed is refused",
			"another resource", "another spelling", "without url", "GET is refused", "order of nothing", "no punycode", "not ready", "sees neither", "another content type", "onlyReturnExisting",
			"without agreement", "unknown scheme", "broken inner", "key of another account cannot", "signs no more"}},
		"no nonces with answers": {func(q *http.Request, a *httptest.ResponseRecorder) {
			if q.Method == http.MethodPost {
				a.Header().Del("Replay-Nonce")
			}
		}, []string{"successful answers to POST", "comes with one that is good"}},
		"nonces for ever": {func(_ *http.Request, a *httptest.ResponseRecorder) { a.Header().Set("Cache-Control", "max-age=60") }, []string{"HEAD of newNonce", "GET of newNonce"}},
		"no problem documents": {func(_ *http.Request, a *httptest.ResponseRecorder) {
			if a.Code >= 400 {
				a.Header().Set("Content-Type", "text/html")
			}
		}, []string{"problem document"}},
		"own error types": {func(_ *http.Request, a *httptest.ResponseRecorder) {
			body(a, strings.ReplaceAll(a.Body.String(), "error:unauthorized", "error:forbidden"))
		}, []string{"registered error types", "another resource"}},
		"no links": {func(_ *http.Request, a *httptest.ResponseRecorder) { a.Header().Del("Link") }, []string{"link to the directory", "links up"}},
		"no dates": {func(_ *http.Request, a *httptest.ResponseRecorder) {
			body(a, strings.ReplaceAll(a.Body.String(), `"expires"`, `"ends"`))
		}, []string{"all it must have", "valid authorization has expires"}},
		"talkative chains": {func(_ *http.Request, a *httptest.ResponseRecorder) {
			if strings.HasPrefix(a.Body.String(), "-----BEGIN") {
				body(a, "subject=www\n"+a.Body.String())
			}
		}, []string{"no other text"}},
		"chains upside down": {func(_ *http.Request, a *httptest.ResponseRecorder) {
			if parts := strings.SplitAfter(a.Body.String(), "END CERTIFICATE-----\n"); len(parts) > 2 {
				body(a, parts[0]+parts[0])
			}
		}, []string{"certified by the one behind"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, full, rewritten(f.change))
			r := l.run(t)
			for _, want := range f.want {
				found := false
				for _, c := range r.Results {
					found = found || strings.Contains(c.Check, want) && c.Outcome == acmecheck.Failed && c.Detail != ""
				}
				if !found {
					t.Errorf("not found: %s", want)
				}
			}
		})
	}
}

func TestNoServer(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	for _, url := range []string{"", "ca.test", "ftp://ca.test/", web.URL} {
		if _, err := acmecheck.Run(t.Context(), acmecheck.Options{Directory: url}); err == nil {
			t.Errorf("%q is checked", url)
		}
	}
}

// TestCanceledRunCleansUp cancels in the middle.
func TestCanceledRunCleansUp(t *testing.T) {
	l := newLab(t, nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.options.Tell = func(r acmecheck.Result) {
		if strings.Contains(r.Check, "certificate") && r.Group == "finalizing" && r.Outcome == acmecheck.Passed {
			cancel()
		}
	}
	r, err := acmecheck.Run(ctx, l.options)
	if err == nil {
		t.Error("no error")
	}
	l.nothingLeft(t, r)
	if text, err := json.Marshal(r); err != nil || !bytes.Contains(text, []byte(`"outcome":"not applicable"`)) && r.NotApplicable > 0 {
		t.Errorf("%s %v", text, err)
	}
}
