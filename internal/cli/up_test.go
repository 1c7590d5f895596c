package cli

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/tlsnet"
)

// startWhole is `whole NAME ARG...`: runs `tlswright up ARG...` until it says what comes next.
func startWhole(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: whole NAME ARG...")
	}
	s := launch(ts, args[0], append([]string{"up"}, args[1:]...))
	ts.Value(serversKey{}).(map[string]*server)[args[0]] = s
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if strings.Contains(ts.ReadFile(args[0]+".out"), "next: ") {
			return
		}
		select {
		case err := <-s.ended:
			ts.Fatalf("it ended at once: %v\n%s", err, ts.ReadFile(args[0]+".err"))
		case <-time.After(5 * time.Millisecond):
		}
	}
	ts.Fatalf("it does not come up:\n%s", ts.ReadFile(args[0]+".err"))
}

// whole is a `tlswright up --json` that runs, and what it has said.
type whole struct {
	t     *testing.T
	dir   string // with tlswright.yaml and the home
	ports []int  // ca, its http side, gateway, dashboard
	cmd   *exec.Cmd
	ended chan error

	mu     sync.Mutex
	events []wholeEvent
	heard  chan struct{} // closed and replaced at each event
}

// wholeEvent is any line of --json.
type wholeEvent struct {
	Event, Part, What, How, URL, File, SHA256, Text, Target, State, Reason, Site string
	Details                                                                      map[string]string
}

// newWhole writes the file, with the ports in the place of CA, WEB, GATE and DASH.
func newWhole(t *testing.T, text string) *whole {
	t.Helper()
	ports, err := freeport.Numbers(4)
	if err != nil {
		t.Fatal(err)
	}
	w := &whole{t: t, dir: t.TempDir(), ports: ports, heard: make(chan struct{})}
	w.write(text)
	return w
}

func (w *whole) home() string { return filepath.Join(w.dir, "home") }

// write puts a file in the place of the one that is there, as editors do.
func (w *whole) write(text string) {
	w.t.Helper()
	for i, name := range []string{"CA", "WEB", "GATE", "DASH"} {
		text = strings.ReplaceAll(text, ":"+name, fmt.Sprintf(":%d", w.ports[i]))
	}
	next := filepath.Join(w.dir, "next")
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(w.dir, defaultConfig)); err != nil {
		w.t.Fatal(err)
	}
}

// start runs the program until it says that it is ready.
func (w *whole) start(args ...string) {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	name := filepath.Join(w.dir, "tlswright")
	if err := os.Symlink(self, name); err != nil && !os.IsExist(err) { // see TestMain
		w.t.Fatal(err)
	}
	w.cmd = exec.Command(name, append([]string{"up", "--json"}, args...)...)
	w.cmd.Dir = w.dir
	w.cmd.Env = append(os.Environ(), "TLSWRIGHT_HOME="+w.home(), "SSL_CERT_FILE="+filepath.Join(w.dir, "none"), "SSL_CERT_DIR="+filepath.Join(w.dir, "none"))
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	var trouble strings.Builder
	w.cmd.Stderr = &trouble
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.ended = make(chan error, 1)
	go func() {
		w.read(out)
		err := w.cmd.Wait()
		if trouble.Len() > 0 {
			err = fmt.Errorf("%w: %s", err, trouble.String())
		}
		w.ended <- err
	}()
	w.t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	w.wait("to be ready", func(e wholeEvent) bool { return e.Event == "ready" })
}

func (w *whole) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e wholeEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			e = wholeEvent{Event: "not JSON", Text: lines.Text()}
		}
		w.mu.Lock()
		w.events = append(w.events, e)
		close(w.heard)
		w.heard = make(chan struct{})
		w.mu.Unlock()
	}
}

// said gives the events so far that fit.
func (w *whole) said(fits func(wholeEvent) bool) (list []wholeEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if fits(e) {
			list = append(list, e)
		}
	}
	return list
}

// wait waits for an event, which may have been already.
func (w *whole) wait(what string, fits func(wholeEvent) bool) {
	w.t.Helper()
	w.waitFor(what, func() bool { return len(w.said(fits)) > 0 })
}

// waitFor looks again at each event.
func (w *whole) waitFor(what string, is func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	for {
		w.mu.Lock()
		heard := w.heard
		w.mu.Unlock()
		if is() {
			return
		}
		select {
		case <-heard:
		case err := <-w.ended:
			w.t.Fatalf("it ended before it came %s: %v", what, err)
		case <-ctx.Done():
			w.t.Fatalf("it did not come %s; it said %+v", what, w.said(func(wholeEvent) bool { return true }))
		}
	}
}

// stop ends it as Ctrl-C does.
func (w *whole) stop() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGINT); err != nil {
		w.t.Fatal(err)
	}
	select {
	case err := <-w.ended:
		if err != nil {
			w.t.Errorf("it did not end well: %v", err)
		}
	case <-time.After(time.Minute):
		w.t.Fatal("it does not end")
	}
}

// roots are those of its CA.
func (w *whole) roots() []*x509.Certificate {
	w.t.Helper()
	roots, err := keystore.ReadCertificates(filepath.Join(w.home(), "ca", "root.pem"))
	if err != nil {
		w.t.Fatal(err)
	}
	return roots
}

// get fetches a page over the CA's root; with an error the status is 0.
func (w *whole) get(address string) (status int, body string, err error) {
	t := &tlsnet.Transport{Config: &tlsnet.Config{Roots: w.roots()}}
	defer t.CloseIdleConnections()
	c := &http.Client{Transport: t, Timeout: 30 * time.Second}
	if strings.HasPrefix(address, "http:") {
		c.Transport = nil
	}
	r, err := c.Get(address)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r.StatusCode, string(text), err
}

const wholeFile = `
ca: {listen: "127.0.0.1:CA", http: "127.0.0.1:WEB", lifetime: 1d}
gateway:
  allow-private: true
  listeners: ["127.0.0.1:GATE"]
  sites:
    app: {hosts: [localhost], target: welcome}
monitor: {dashboard: "127.0.0.1:DASH", every: 1s, grade: none, allow-private: true}
`

// TestUpFromAFile: everything that the file describes answers; a change of the file counts, one that is wrong does not; after
// a kill all goes on where it was.
func TestUpFromAFile(t *testing.T) {
	w := newWhole(t, wholeFile)
	w.start()
	site := fmt.Sprintf("https://localhost:%d/", w.ports[2])
	pages := fmt.Sprintf("http://127.0.0.1:%d/", w.ports[3])
	for address, want := range map[string]string{site: "It works", pages: "", fmt.Sprintf("https://localhost:%d/acme/directory", w.ports[0]): "newOrder", fmt.Sprintf("http://127.0.0.1:%d/roots.pem", w.ports[1]): "BEGIN CERTIFICATE"} {
		if status, body, err := w.get(address); err != nil || status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %v %q", address, status, err, body)
		}
	}
	if root := w.said(func(e wholeEvent) bool { return e.Event == "root" }); len(root) != 1 || len(root[0].SHA256) != 64 {
		t.Errorf("the root: %+v", root)
	}
	for _, target := range []string{"own: CA", "own: site app"} {
		w.wait("to watch "+target, func(e wholeEvent) bool { return e.Target == target && e.State == "OK" })
	}

	// A site more, and another lifetime: told key by key, and the monitor watches the new one without being told.
	changed := strings.Replace(strings.Replace(wholeFile, "lifetime: 1d", "lifetime: 2d", 1), "target: welcome}", "target: welcome}\n    more: {hosts: [127.0.0.1], target: 404}", 1)
	w.write(changed)
	w.wait("to have another site", func(e wholeEvent) bool {
		return e.Event == "changed" && e.Part == "gateway" && e.What == "site more" && e.How == "added"
	})
	w.wait("to have another lifetime", func(e wholeEvent) bool {
		return e.Event == "changed" && e.Part == "ca" && e.What == "lifetime" && e.How == "1d -> 2d"
	})
	w.wait("to watch the other site", func(e wholeEvent) bool { return e.Target == "own: site more" && e.State == "OK" })
	if status, _, err := w.get(fmt.Sprintf("https://127.0.0.1:%d/", w.ports[2])); err != nil || status != 404 {
		t.Errorf("the new site: %d %v", status, err)
	}

	// What is wrong changes nothing: neither what cannot be read, nor what cannot be had.
	for _, wrong := range []string{strings.Replace(changed, "welcome", "wellcome", 1), strings.Replace(changed, "target: welcome", "certificate: {chain: none.pem, key: none.key}, target: welcome", 1)} {
		before := len(w.all("warning"))
		w.write(wrong)
		w.waitFor("to refuse what is wrong", func() bool { return len(w.all("warning")) > before })
		if status, _, err := w.get(site); err != nil || status != 200 {
			t.Errorf("after a wrong file: %d %v", status, err)
		}
	}

	// Dead without a word, and up again on the same home.
	if err := w.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-w.ended
	w.mu.Lock()
	w.events = nil
	w.mu.Unlock()
	w.write(wholeFile)
	w.start()
	if status, _, err := w.get(site); err != nil || status != 200 {
		t.Errorf("after a kill: %d %v", status, err)
	}
	w.stop()
	if last := w.all("stopped"); len(last) != 1 {
		t.Error("it did not say that it has stopped")
	}
}

// all gives the events of a kind.
func (w *whole) all(kind string) []wholeEvent {
	return w.said(func(e wholeEvent) bool { return e.Event == kind })
}
