package gateway

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
)

// TestCheckSaysWhatHappens asks Check and does the same in truth.
func TestCheckSaysWhatHappens(t *testing.T) {
	for _, page := range []bool{false, true} {
		w := newWorld(t)
		s := &w.config.Sites[0]
		s.Page = page
		s.Target = config.Target{Status: 204}
		w.mutual(s, access.Rule{Name: "clients.allow[0]", CN: "alice"}, access.Rule{Name: "clients.allow[1]", CN: "bob"})
		s.Clients.Policy.Deny = []access.Rule{{Name: "clients.deny[0]", OU: "gone"}}
		s.Routes = []config.Route{{Path: "/admin", Policy: allow("alice")}, {Path: "/write", Methods: []string{"POST"}}}
		w.start()
		leaves := map[string]*pkitest.Leaf{"none": nil, "alice": issueClient(w.ca, "alice"), "bob": issueClient(w.ca, "bob"), "mallory": issueClient(w.ca, "mallory"),
			"expired": w.ca.ExpiredClient(pkitest.P256, "alice"), "stranger": w.ca.Stranger().Client(pkitest.P256, "alice"), "server": w.ca.Server(pkitest.P256, "alice.test")}
		for name, leaf := range leaves {
			for _, path := range []string{"/", "/admin/x", "/write", "/x/..%2fadmin"} {
				var v Verdict
				if leaf == nil {
					v = w.g.Check(nil, nil, Question{Host: "app.test", Path: path})
				} else {
					v = w.g.Check(parse(t, leaf.Chain[0]), leaf.Chain[1:], Question{Host: "app.test", Path: path})
				}
				req, err := http.NewRequest("GET", "https://app.test/", nil)
				if err != nil {
					t.Fatal(err)
				}
				req.URL.Opaque = "//app.test" + path
				resp, err := w.http(leaf, "http/1.1").Do(req)
				switch {
				case name == "stranger": // our client sends no certificate of a CA that the site does not name
				case err != nil && (v.Allowed || v.Layer != "tls" || v.Alert == "" || !strings.Contains(err.Error(), v.Alert)):
					t.Errorf("page %v, %s for %s: %v, but check says %+v", page, name, path, err, v)
				case err == nil && resp.StatusCode == 204 && !v.Allowed, err == nil && resp.StatusCode != 204 && (v.Allowed || v.Status != resp.StatusCode):
					t.Errorf("page %v, %s for %s: %s, but check says %+v", page, name, path, resp.Status, v)
				}
				if v.Text == "" || v.Reason == "" || len(v.Steps) == 0 || !v.Allowed && v.Fix == "" {
					t.Errorf("page %v, %s for %s: %+v", page, name, path, v)
				}
				if resp != nil {
					_ = resp.Body.Close()
				}
			}
		}
		if v := w.g.Check(nil, nil, Question{Host: "nobody.test"}); v.Allowed || v.Reason != reasonUnknownName {
			t.Errorf("a name that nobody has: %+v", v)
		}
	}
}

// TestSettingsThatBindToNothingAreErrors has the trap among them in which a proxy asks nobody for certificates, because
// the site that does is behind no listener.
func TestSettingsThatBindToNothingAreErrors(t *testing.T) {
	for name, edit := range map[string]func(*world){
		"no listener": func(w *world) { w.config.Listeners = nil },
		"a site that nobody leads to": func(w *world) {
			w.config.Sites = append(w.config.Sites, w.site("two", "two.test"))
			w.config.Listeners[0].Sites = []string{"app"}
		},
		"a site that there is not":     func(w *world) { w.config.Listeners[0].Sites = []string{"app", "none"} },
		"two sites of one name":        func(w *world) { w.config.Sites = append(w.config.Sites, w.site("app", "two.test")) },
		"two sites of one host":        func(w *world) { w.config.Sites = append(w.config.Sites, w.site("two", "APP.test.")) },
		"two sites for all":            func(w *world) { w.config.Sites = []config.Site{w.site("one"), w.site("two")} },
		"two listeners of one name":    func(w *world) { w.config.Listeners = append(w.config.Listeners, w.config.Listeners[0]) },
		"a protocol that there is not": func(w *world) { w.config.Listeners[0].Protocol = "quic" },
		"clients without a CA":         func(w *world) { w.config.Sites[0].Clients = &config.Clients{} },
		"a CA that is not there":       func(w *world) { w.mutual(&w.config.Sites[0]); w.config.Sites[0].Clients.CA = []string{"/none"} },
		"an own CA that is not there":  func(w *world) { w.config.Sites[0].Clients = &config.Clients{OwnCA: true} },
		"a rule that is none":          func(w *world) { w.mutual(&w.config.Sites[0], access.Rule{IP: "not an address"}) },
		"lists that nobody looks at":   func(w *world) { w.mutual(&w.config.Sites[0]); w.config.Sites[0].Clients.CRL = []string{"x"} },
		"a mode that there is not":     func(w *world) { w.mutual(&w.config.Sites[0]); w.config.Sites[0].Clients.Mode = "maybe" },
		"HTTP behind a listener of TLS": func(w *world) {
			w.config.Listeners[0].Protocol = config.ProtocolTLS
			w.config.Sites[0].Target = config.Target{Status: 204}
		},
		"routes without HTTP":      func(w *world) { w.stream(config.Target{URL: "tcp://127.0.0.1:1"}).Routes = []config.Route{{Path: "/"}} },
		"streams behind HTTPS":     func(w *world) { w.config.Sites[0].Target = config.Target{URL: "tcp://127.0.0.1:1"} },
		"early data without HTTP":  func(w *world) { w.stream(config.Target{Echo: true}).EarlyData = 1 },
		"early data of clients":    func(w *world) { w.mutual(&w.config.Sites[0]); w.config.Sites[0].EarlyData = 1 },
		"a target that is none":    func(w *world) { w.config.Sites[0].Target = config.Target{} },
		"two targets":              func(w *world) { w.config.Sites[0].Target.Status = 204 },
		"a URL that leads nowhere": func(w *world) { w.config.Sites[0].Target = config.Target{URL: "gopher://x"} },
		"a URL with a password":    func(w *world) { w.config.Sites[0].Target = config.Target{URL: "http://u:p@127.0.0.1"} },
		"a CA for plain HTTP": func(w *world) {
			w.config.Sites[0].Target = config.Target{URL: "http://127.0.0.1:1", CA: w.ca.RootFile()}
		},
		"PROXY for HTTP": func(w *world) {
			w.config.Sites[0].Target = config.Target{URL: "http://127.0.0.1:1", ProxyProtocol: true}
		},
		"a pin without a backup": func(w *world) {
			w.config.Sites[0].Target = config.Target{URL: "https://127.0.0.1:1", Pins: []string{"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
		},
		"a folder that is not there":   func(w *world) { w.config.Sites[0].Target = config.Target{Dir: "/none"} },
		"two routes of one path":       func(w *world) { w.config.Sites[0].Routes = []config.Route{{Path: "/a"}, {Path: "/a/"}} },
		"a route of several spellings": func(w *world) { w.config.Sites[0].Routes = []config.Route{{Path: "/a/../b"}} },
		"a profile that is none":       func(w *world) { w.config.Sites[0].Profile = "ancient" },
		"no CA of our own":             func(w *world) { w.config.Sites[0].Certificate = config.Certificates{Own: true} },
		"no folder for live":           func(w *world) { w.config.Sites[0].Certificate = config.Certificates{Live: "x"} },
		"two sources":                  func(w *world) { w.config.Sites[0].Certificate.Own = true },
		"two sites behind plain": func(w *world) {
			w.config.Sites = append(w.config.Sites, w.site("two", "two.test"))
			w.config.Listeners[0].Protocol = config.ProtocolPlain
		},
	} {
		w := newWorld(t)
		edit(w)
		g, err := New(w.config, w.options)
		if err == nil {
			t.Errorf("%s: no error", name)
			_ = g.Close()
			continue
		}
		var c *ConfigError
		if !errors.As(err, &c) || c.Where == "" {
			t.Errorf("%s: %T %v", name, err, err)
		}
	}
}

func TestListenBindsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	w.config.Listeners = append(w.config.Listeners, config.Listener{Name: "taken", Address: taken.Addr().String(), Protocol: config.ProtocolHTTPS})
	g, err := New(w.config, w.options)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Listen(); err == nil || !strings.Contains(err.Error(), "taken") || g.Addr("main") != nil {
		t.Errorf("%v; main at %v", err, g.Addr("main"))
	}
}

func TestUnixSocketsAreListenedOn(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "s")
	w.config.Listeners[0].Address = "unix:" + path
	// One that a crash has left is in nobody's way.
	old, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = old.Close()
	w.start()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tc, err := tlsClient(c, w)
	if err != nil {
		t.Fatal(err)
	}
	_ = tc.Close()
	second, err := New(w.config, w.options)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := second.Listen(); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second gateway on the same socket: %v", err)
	}
}

func TestSystemdHandsSocketsOver(t *testing.T) {
	env := map[string]string{"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:mail"}
	for name, want := range map[string]int{"web": 3, "mail": 4, "0": 3, "1": 4, "2": 0, "none": 0} {
		got, err := inheritedNumber(name, 7, func(k string) string { return env[k] })
		if got != want || (want == 0) != (err != nil) {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
	if _, err := inheritedNumber("web", 8, func(k string) string { return env[k] }); err == nil {
		t.Error("the sockets of another process were taken")
	}
	if os.Getenv("TLSWRIGHT_TEST_SYSTEMD") != "" {
		l, err := inherited("web")
		if err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte("inherited"))
		_ = c.Close()
		Notify(Ready)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ready := filepath.Join(t.TempDir(), "notify")
	told, err := net.ListenPacket("unixgram", ready)
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	// The number of the process must be known to it: a shell says it and becomes it.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run='^TestSystemdHandsSocketsOver$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=web", "TLSWRIGHT_TEST_SYSTEMD=1", "NOTIFY_SOCKET="+ready)
	cmd.ExtraFiles = []*os.File{f}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 64)
	n, _ := c.Read(b)
	if string(b[:n]) != "inherited" {
		t.Errorf("got %q", b[:n])
	}
	if n, _, err := told.ReadFrom(b); err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("systemd was told %q, %v", b[:n], err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
