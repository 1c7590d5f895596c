package acmeclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/pkitest"
)

// webServer is an nginx of this machine with a folder of its own.
type webServer struct {
	t       *testing.T
	program string
	dir     string
	config  string
	ports   [3]string // plain, TLS, another
}

// newWebServer writes a configuration: main is what stands in http, besides sites/*. PORT0, PORT1, PORT2 stand for free ports.
func newWebServer(t *testing.T, main string, sites map[string]string) *webServer {
	t.Helper()
	w := &webServer{t: t, program: pkitest.Program(t, "nginx"), dir: t.TempDir()}
	w.config = filepath.Join(w.dir, "nginx.conf")
	for i := range w.ports {
		var err error
		if w.ports[i], err = freeport.Number(); err != nil {
			t.Fatal(err)
		}
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	w.write("nginx.conf", fmt.Sprintf("pid %[1]s/pid; error_log %[1]s/error.log; %[2]s\nevents { }\nhttp { access_log off; default_type text/plain;\n"+
		"client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;\n%[3]s\n  include sites/*;\n}\n", w.dir, user, main))
	for name, text := range sites {
		w.write("sites/"+name, text)
	}
	return w
}

func (w *webServer) write(name, text string) {
	w.t.Helper()
	for i, p := range w.ports {
		text = strings.ReplaceAll(text, fmt.Sprintf("PORT%d", i), p)
	}
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		w.t.Fatal(err)
	}
}

func (w *webServer) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// start runs nginx as it is run: a master, and workers of one generation after another.
func (w *webServer) start() {
	w.t.Helper()
	cmd := exec.Command(w.program, "-p", w.dir, "-c", w.config, "-e", filepath.Join(w.dir, "error.log"), "-g", "daemon off;")
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // a fast end, of the workers, too
		_ = cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("nginx said:\n%s", w.read("error.log"))
		}
	})
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", "127.0.0.1:"+w.ports[0]); err == nil {
			_ = c.Close()
			if text, err := os.ReadFile(filepath.Join(w.dir, "pid")); err == nil && len(bytes.TrimSpace(text)) > 0 {
				return
			}
		}
	}
	w.t.Fatal("nginx does not listen")
}

// options are those by which it is reached.
func (w *webServer) options() InstallOptions {
	return InstallOptions{Nginx: Nginx{Program: w.program, Prefix: w.dir, Config: w.config, Port: w.ports[1]}, Say: func(s string) { w.t.Log(s) }}
}

// shown is the certificate that is shown to who asks for a name.
func (w *webServer) shown(port, name string) []byte {
	w.t.Helper()
	c, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0].Raw
}

// load asks without a break, on fresh connections and on kept ones, until stop tells how often and what failed.
func (w *webServer) load(urls ...string) (stop func() (int64, []error)) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	var asked atomic.Int64
	var mu sync.Mutex
	var errs []error
	for _, url := range urls {
		for _, fresh := range []bool{true, false} {
			client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: fresh, MaxIdleConnsPerHost: 4, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
			wg.Go(func() {
				defer client.CloseIdleConnections()
				for ctx.Err() == nil {
					if err := fetchOnce(client, url); err != nil {
						mu.Lock()
						errs = append(errs, err)
						mu.Unlock()
					}
					asked.Add(1)
				}
			})
		}
	}
	for asked.Load() < int64(10*len(urls)) {
		time.Sleep(time.Millisecond)
	}
	return func() (int64, []error) { cancel(); wg.Wait(); return asked.Load(), errs }
}

func fetchOnce(client *http.Client, url string) error {
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err == nil && (r.StatusCode != http.StatusOK || string(text) != "hello") {
		err = fmt.Errorf("%s: %q", r.Status, text)
	}
	return err
}

// twoSites are one of plain HTTP, and one that has a certificate.
func twoSites(old string) map[string]string {
	return map[string]string{
		"plain": "server {\n    listen 127.0.0.1:PORT0;\n    server_name localhost plain.test;\n    return 200 hello;\n}\n",
		"other": "server {\n    listen 127.0.0.1:PORT2 ssl;\n    server_name other.test;\n    ssl_certificate " + old + "/fullchain.pem;\n    ssl_certificate_key " + old + "/privkey.pem;\n    return 200 hello;\n}\n",
	}
}

func openTree(t *testing.T) *Tree {
	t.Helper()
	tree, err := OpenTree(filepath.Join(t.TempDir(), "acme"))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestInstallingInNginxLosesNoRequest installs three certificates, and installs them again, while clients ask all the time.
func TestInstallingInNginxLosesNoRequest(t *testing.T) {
	tree := openTree(t)
	old := fileFor(t, tree, "old", "other.test")
	w := newWebServer(t, "", twoSites(tree.Live("old")))
	site := filepath.Join(w.dir, "sites/plain") // which is a link, as Debian has them
	if err := errors.Join(os.Rename(site, filepath.Join(w.dir, "plain.conf")), os.Symlink("../plain.conf", site)); err != nil {
		t.Fatal(err)
	}
	w.start()
	stop := w.load("http://127.0.0.1:"+w.ports[0]+"/", "https://127.0.0.1:"+w.ports[2]+"/")

	plain := fileFor(t, tree, "plain", "plain.test")
	o := w.options()
	o.DryRun = true
	before := w.read("sites/plain")
	done, err := tree.InstallNginx(t.Context(), "plain", o)
	if err != nil || len(done.Changed) != 1 || !strings.Contains(done.Changed[0].Diff, "+    ssl_certificate "+tree.Live("plain")+"/fullchain.pem;\n") || w.read("sites/plain") != before {
		t.Fatalf("a dry run: %v %+v", err, done)
	}
	o.DryRun = false
	done, err = tree.InstallNginx(t.Context(), "plain", o)
	if err != nil || len(done.Seen) != 1 || !done.Running || done.Backup == "" {
		t.Fatalf("plain: %v %+v", err, done)
	}
	if !bytes.Equal(w.shown(w.ports[1], "plain.test"), plain.Raw) || !bytes.Equal(w.shown(w.ports[2], "other.test"), old.Raw) {
		t.Error("the wrong certificate is shown")
	}
	if info, err := os.Stat(filepath.Join(w.dir, "sites/plain")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode of the file: %v %v", info.Mode(), err)
	}
	if to, err := os.Readlink(site); err != nil || to != "../plain.conf" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	after := w.read("sites/plain")
	if done, err = tree.InstallNginx(t.Context(), "plain", o); err != nil || len(done.Changed) != 0 || w.read("sites/plain") != after || len(done.Seen) != 1 {
		t.Errorf("again: %v %+v", err, done)
	}
	kept, err := tree.Find("plain")
	if err != nil || kept.Renewal.Installer != NginxServer || kept.Renewal.Nginx.Config != w.config {
		t.Errorf("%+v %v", kept.Renewal, err)
	}

	other := fileFor(t, tree, "new", "other.test")
	if done, err = tree.InstallNginx(t.Context(), "new", o); err != nil || !bytes.Equal(w.shown(w.ports[2], "other.test"), other.Raw) {
		t.Errorf("in the place of another: %v %+v", err, done)
	}
	asked, errs := stop()
	if len(errs) > 0 {
		t.Errorf("%d of %d requests failed: %v", len(errs), asked, errs[0])
	}
	t.Logf("%d requests, %d failed", asked, len(errs))
}

// TestAFailedInstallationIsTakenBack breaks it in every way that there is.
func TestAFailedInstallationIsTakenBack(t *testing.T) {
	tree := openTree(t)
	old := fileFor(t, tree, "old", "other.test")
	sites := twoSites(tree.Live("old"))
	w := newWebServer(t, "", sites)
	w.start()
	stop := w.load("http://127.0.0.1:" + w.ports[0] + "/")
	fileFor(t, tree, "plain", "plain.test")
	before := w.read("sites/plain") + w.read("sites/other") + w.read("nginx.conf")
	check := func(name string, o InstallOptions, text string, undone bool) {
		t.Helper()
		_, err := tree.InstallNginx(t.Context(), "plain", o)
		var failed *InstallError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), text) || failed.Undone != undone {
			t.Errorf("%s: %v", name, err)
		}
		if w.read("sites/plain")+w.read("sites/other")+w.read("nginx.conf") != before {
			t.Errorf("%s: the files are not as they were", name)
		}
		if !bytes.Equal(w.shown(w.ports[2], "other.test"), old.Raw) {
			t.Errorf("%s: another certificate is shown", name)
		}
		if kept, err := tree.Find("plain"); err != nil || kept.Renewal.Installer != "" {
			t.Errorf("%s: noted as installed", name)
		}
	}
	taken := w.options() // the port is another program's: nginx tests well, and then cannot listen
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, taken.Port, _ = net.SplitHostPort(l.Addr().String())
	taken.Patience = time.Second
	check("a port that is taken", taken, "does not", true)
	reload := w.options()
	reload.Reload = "echo no >&2; false"
	check("a reload that fails", reload, "the hook", true)
	key := filepath.Join(tree.Dir(), "archive/plain/privkey1.pem")
	spoiled, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("a key that cannot be read", w.options(), "nginx does not take the changed configuration", true)
	if err := os.WriteFile(key, spoiled, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := w.options()
	missing.Program = filepath.Join(w.dir, "nowhere")
	check("no nginx", missing, "nginx is not to be found", false)

	w.write("sites/broken", "server { listen PORT0 nonsense; }")
	check("a configuration that was broken before", w.options(), "as it is now, before any change", false)
	if err := os.Remove(filepath.Join(w.dir, "sites/broken")); err != nil {
		t.Fatal(err)
	}
	asked, errs := stop()
	if len(errs) > 0 {
		t.Errorf("%d of %d requests failed: %v", len(errs), asked, errs[0])
	}
	if _, err := tree.InstallNginx(t.Context(), "plain", w.options()); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

// TestAnInstallationThatDiedIsTakenBack leaves a journal as a crash between two files does.
func TestAnInstallationThatDiedIsTakenBack(t *testing.T) {
	tree := openTree(t)
	fileFor(t, tree, "old", "other.test")
	fileFor(t, tree, "plain", "plain.test")
	w := newWebServer(t, "", twoSites(tree.Live("old")))
	path := filepath.Join(w.dir, "sites/plain")
	before := w.read("sites/plain")
	release, _, err := tree.holdChanges(NginxServer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.beginChange(NginxServer, "plain", time.Now(), []newText{{path, []byte(before), []byte("half a")}, {filepath.Join(w.dir, "sites/other"), []byte(w.read("sites/other")), []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(replaceFile(path, []byte("half a")), release()); err != nil {
		t.Fatal(err)
	}
	done, err := tree.InstallNginx(t.Context(), "plain", w.options()) // which does not run
	if err != nil || done.Running || len(done.Notes) != 2 || !strings.HasPrefix(w.read("sites/plain"), before[:strings.Index(before, "    return")]) {
		t.Fatalf("%v %+v\n%s", err, done, w.read("sites/plain"))
	}
	c, err := readChange(done.Backup)
	if err != nil || c.State != changeDone {
		t.Errorf("%+v %v", c, err)
	}
	// What somebody else has changed since is not overwritten.
	if err := c.mark(changePending); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.InstallNginx(t.Context(), "plain", w.options()); err == nil || !strings.Contains(err.Error(), "changed by somebody else") {
		t.Errorf("%v", err)
	}
	if w.read("sites/plain") != "# mine\n" {
		t.Error("it was overwritten")
	}
}

// TestRenewalsReachNginx has a renewal reload nginx, and one that cannot be installed be tried again.
func TestRenewalsReachNginx(t *testing.T) {
	tree := openTree(t)
	fileFor(t, tree, "old", "other.test")
	fileFor(t, tree, "plain", "plain.test")
	w := newWebServer(t, "", twoSites(tree.Live("old")))
	w.start()
	if _, err := tree.InstallNginx(t.Context(), "plain", w.options()); err != nil {
		t.Fatal(err)
	}
	client := New(tree, Options{Server: "https://ca.test/directory"})
	renew := func() (*x509.Certificate, error) {
		t.Helper()
		c, err := tree.Find("plain")
		if err != nil {
			t.Fatal(err)
		}
		fresh := Request{Name: "plain", Renewal: Renewal{Names: c.Renewal.Names, Challenge: c.Renewal.Challenge}}
		client.inheritInstaller(&fresh)
		key, err := client.keyFor(&Request{Name: "plain"})
		if err != nil {
			t.Fatal(err)
		}
		leaf := signFor(t, key, "plain.test")
		_, err = client.keep(t.Context(), &fresh, [][]byte{leaf.Raw}, key)
		return leaf, err
	}
	leaf, err := renew()
	if err != nil || !bytes.Equal(w.shown(w.ports[1], "plain.test"), leaf.Raw) {
		t.Fatalf("renewed: %v", err)
	}
	w.write("sites/broken", "server { listen PORT0 nonsense; }")
	leaf, err = renew()
	var hook *HookError
	if !errors.As(err, &hook) || !strings.Contains(err.Error(), "it is not installed") {
		t.Fatalf("%v", err)
	}
	if c, err := tree.Find("plain"); err != nil || !c.Renewal.InstallPending || c.Generation != 3 {
		t.Errorf("%+v %v", c, err)
	}
	o := RenewOptions{Client: func(string) (*Client, error) { return New(tree, Options{Transport: nobody{}}), nil }, Names: []string{"plain"}}
	if results, err := tree.Renew(t.Context(), o); err != nil || len(results) != 1 || results[0].Err == nil {
		t.Errorf("%+v %v", results, err)
	}
	if err := os.Remove(filepath.Join(w.dir, "sites/broken")); err != nil {
		t.Fatal(err)
	}
	if results, err := tree.Renew(t.Context(), o); err != nil || len(results) != 1 || results[0].Err != nil || !results[0].Skipped {
		t.Errorf("%+v %v", results, err)
	}
	if c, err := tree.Find("plain"); err != nil || c.Renewal.InstallPending || !bytes.Equal(w.shown(w.ports[1], "plain.test"), leaf.Raw) {
		t.Errorf("%+v %v", c, err)
	}
}

// nobody answers no request.
type nobody struct{}

func (nobody) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nobody there")
}
