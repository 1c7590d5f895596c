package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/trust"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/scan"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// audited starts a gateway as a newcomer has it: one site without settings, a redirect, and a certificate that says where its
// revocation is told, as those of a CA of ours do.
func audited(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	b := newWitness(t)
	f := w.ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileServer, SANs: []string{"app.test"},
		CRLDistributionPoints: []string{"http://app.test/ca.crl"}}).Files()
	w.config.Sites = []config.Site{{Name: "app", Certificate: config.Certificates{OCSP: config.StapleOff, Files: []config.CertificateFiles{{Chain: f.FullChain, Key: f.Key}}}, Target: config.Target{URL: b.url}}}
	w.config.Listeners = append(w.config.Listeners, config.Listener{Name: "redirect", Address: "127.0.0.1:0", Protocol: config.ProtocolHTTP})
	return w.start()
}

func TestDefaultSiteIsGradedAPlus(t *testing.T) {
	w := audited(t)
	portOf := func(a net.Addr) int { return a.(*net.TCPAddr).Port }
	target := scan.Target{Host: "app.test", Port: portOf(w.g.Addr("main")), ServerName: "app.test"}
	all, err := scan.New(scan.Options{Offline: true, HTTPPort: portOf(w.g.Addr("redirect")), Stores: []scan.Store{{Name: "test", Own: true, Roots: w.ca.Roots()}},
		LookUp: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}}).Scan(t.Context(), target)
	if err != nil || len(all) != 1 {
		t.Fatal(err)
	}
	r := grade.Judge(all[0], grade.Options{NoSnippets: true})
	if r.Grade != "A+" {
		t.Errorf("grade %v", r.Grade)
		for _, f := range r.Findings {
			t.Logf("%+v", f)
		}
	}
}

// TestTestsslFindsNothingMediumOrWorseAccept takes testssl.sh a minute or two, so it runs only when accepting.
func TestTestsslFindsNothingMediumOrWorseAccept(t *testing.T) {
	if !accept() {
		t.Skip("testssl.sh takes minutes; TLSWRIGHT_ACCEPT=1 runs it")
	}
	testssl := pkitest.Program(t, "testssl")
	w := audited(t)
	_, port, err := net.SplitHostPort(w.addr())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "found.json")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, testssl, "--quiet", "--warnings", "off", "--color", "0", "--ip", "127.0.0.1", "--add-ca", w.ca.RootFile(), "--jsonfile", file, "app.test:"+port)
	cmd.Dir = dir
	out, runErr := cmd.CombinedOutput() // its exit code counts findings
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: %v: %s", err, runErr, out)
	}
	var found []struct{ ID, Severity, Finding string }
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	if len(found) < 50 {
		t.Errorf("testssl.sh says no more than %v", found)
	}
	for _, f := range found {
		if slices.Contains([]string{"MEDIUM", "HIGH", "CRITICAL", "FATAL"}, f.Severity) {
			t.Errorf("%s %s: %s", f.Severity, f.ID, f.Finding)
		}
	}
}

// shaken keeps what the ServerHellos of a gateway said.
type shaken struct {
	mu     sync.Mutex
	groups []wire.Group
}

// Observe implements tlscore.Observer.
func (s *shaken) Observe(o tlscore.Observation) {
	m, ok := o.(tlscore.MessageObserved)
	if !ok || m.Direction != tlscore.Sent || wire.HandshakeType(m.Raw[0]) != wire.TypeServerHello {
		return
	}
	var hello wire.ServerHello
	var share wire.KeyShareHello
	if hello.Parse(m.Raw) != nil {
		return
	}
	if ok, err := hello.Ext(&share); !ok || err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups = append(s.groups, share.Entry.Group)
}

// TestChromiumOpensTheSiteAccept: after the root was put into the store of a fresh profile, as `ca trust` does, Chromium
// shows the site without a warning, by HTTP/2 and with a key exchange that resists quantum computers.
func TestChromiumOpensTheSiteAccept(t *testing.T) {
	if !accept() {
		t.Skip("Chromium takes its time to start; TLSWRIGHT_ACCEPT=1 runs it")
	}
	chromium := pkitest.Program(t, "chromium")
	pkitest.Program(t, "certutil")
	w := newWorld(t)
	page, err := os.MkdirTemp(w.dir, "site")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(page, "index.html"), []byte("<!doctype html><title>app</title><p id=answer>the site itself</p>"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.config.Sites[0] = w.site("app")
	w.config.Sites[0].Target = config.Target{Dir: page}
	seen := &shaken{}
	w.options.Tune = func(_ string, c *tlsnet.Config) { c.Observer = func() tlscore.Observer { return seen } }
	accessLog := filepath.Join(w.dir, "access.log")
	w.config.AccessLog = accessLog
	w.start()
	_, port, err := net.SplitHostPort(w.addr())
	if err != nil {
		t.Fatal(err)
	}
	browse := func(home string) string {
		args := []string{"--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
			"--user-data-dir=" + filepath.Join(home, "profile"), "--virtual-time-budget=10000", "--dump-dom"}
		if os.Geteuid() == 0 {
			args = append(args, "--no-sandbox")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, chromium, append(args, "https://localhost:"+port+"/")...)
		cmd.Env = append(os.Environ(), "HOME="+home)
		cmd.WaitDelay = 10 * time.Second
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("chromium: %v\n%s", err, errs.String())
		}
		return out.String()
	}
	if dom := browse(t.TempDir()); strings.Contains(dom, "the site itself") {
		t.Fatal("Chromium trusts a root that nobody gave it")
	}
	home := t.TempDir()
	store, err := trust.MakeNSS(t.Context(), trust.ChromiumDatabase(home))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Install(t.Context(), w.ca.Root); err != nil {
		t.Fatal(err)
	}
	if dom := browse(home); !strings.Contains(dom, "the site itself") {
		t.Errorf("Chromium shows %s", dom)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(accessLog)
	if err != nil || !strings.Contains(string(log), `"protocol":"HTTP/2.0"`) || !strings.Contains(string(log), strconv.Itoa(http.StatusOK)) {
		t.Errorf("%v: %s", err, log)
	}
	if !slices.Contains(seen.groups, wire.GroupX25519MLKEM768) {
		t.Errorf("groups: %v", seen.groups)
	}
}
