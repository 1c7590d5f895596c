package gateway

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// echFile keeps a new key for Encrypted ClientHello in a file, in one step, and returns what the DNS would say.
func echFile(t *testing.T, path string, id uint8, public string) (list []byte) {
	t.Helper()
	key, err := tlscore.GenerateECHKey(wire.ECHConfig{ConfigID: id, PublicName: public})
	if err != nil {
		t.Fatal(err)
	}
	text, err := keystore.MarshalECHKey(key)
	if err == nil {
		err = os.WriteFile(path+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		list, err = tlscore.ECHConfigList(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// echWorld has a site for the public name, one behind it, and one behind it that asks for certificates.
func echWorld(t *testing.T) (w *world, file string, list []byte) {
	w = newWorld(t)
	file = filepath.Join(w.dir, "ech.pem")
	list = echFile(t, file, 7, "public.test")
	w.config.Sites = append(w.config.Sites, w.site("public", "public.test"), w.site("guarded", "guarded.test"))
	w.mutual(&w.config.Sites[2], access.Rule{CN: "alice"})
	w.config.Listeners[0].ECHKeys = []config.ECHKeyFile{{File: file, Place: config.Place{Line: 3, Column: 18}}}
	return w, file, list
}

// ask makes one request of a host with the client of crypto/tls, which encrypts its hello.
func (w *world) askHidden(t *testing.T, host string, list []byte, protocols ...string) (accepted bool, status int, err error) {
	t.Helper()
	roots := x509.NewCertPool()
	for _, r := range w.ca.Roots() {
		roots.AddCert(r)
	}
	c, err := tls.Dial("tcp", w.addr(), &tls.Config{RootCAs: roots, ServerName: host, EncryptedClientHelloConfigList: list, NextProtos: protocols})
	if err != nil {
		return false, 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"); err != nil {
		return false, 0, err
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		return false, 0, err
	}
	if _, rest, ok := strings.Cut(string(answer), " "); ok && strings.HasPrefix(rest, "200") {
		status = 200
	}
	return c.ConnectionState().ECHAccepted, status, nil
}

func TestClientsHideTheirNameFromThePath(t *testing.T) {
	w, _, list := echWorld(t)
	lines := make(chan AccessLine, 10)
	w.options.Answered = func(l AccessLine) { lines <- l }
	w.start()
	accepted, status, err := w.askHidden(t, "app.test", list)
	if err != nil || !accepted || status != 200 {
		t.Fatalf("accepted %t, status %d, %v", accepted, status, err)
	}
	if l := <-lines; l.ECH != "accepted" || l.PublicName != "public.test" || l.ServerName != "app.test" || l.Site != "app" {
		t.Errorf("%+v", l)
	}
	if _, status, err := w.askHidden(t, "app.test", nil); err != nil || status != 200 {
		t.Fatalf("in the open: %d, %v", status, err)
	}
	if l := <-lines; l.ECH != "" || l.PublicName != "" || l.ServerName != "app.test" {
		t.Errorf("%+v", l)
	}
	// The rules are those of the name inside, and not of the public name.
	if _, _, err := w.askHidden(t, "guarded.test", list); err == nil {
		t.Error("without a certificate it came to the site that wants one")
	}
	if d := w.told.denial(t, string(access.NoCertificate)); d.Site != "guarded" || d.ServerName != "guarded.test" {
		t.Errorf("%+v", d)
	}
	// A name that is not there is refused, as it is in the open.
	if _, _, err := w.askHidden(t, "nobody.test", list); err == nil {
		t.Error("a name that is not there was served")
	}
	if s := w.g.Status().Listeners[0].ECH; len(s) != 1 || s[0].PublicName != "public.test" || s[0].ConfigID != 7 || s[0].Old {
		t.Errorf("%+v", s)
	}
	page := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
	w.g.operatorPages().ServeHTTP(page, r)
	if !strings.Contains(page.Body.String(), "public.test, config 7") {
		t.Errorf("%s", page.Body)
	}
	text := w.hellos(t)
	for _, want := range []string{`tlswright_gateway_encrypted_hellos_total{listener="main",result="offered"} 3`, `tlswright_gateway_encrypted_hellos_total{listener="main",result="accepted"} 2`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// hellos are the lines of the metrics about hellos.
func (w *world) hellos(t *testing.T) string {
	t.Helper()
	page := httptest.NewRecorder()
	w.g.operatorPages().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil))
	var out []string
	for _, line := range strings.Split(page.Body.String(), "\n") {
		if strings.Contains(line, "encrypted_hellos") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func TestClientsAreToldWhichKeyToUse(t *testing.T) {
	for _, protocols := range [][]string{nil, {"h2", "http/1.1"}} {
		w, _, list := echWorld(t)
		w.start()
		stale := echFile(t, filepath.Join(w.dir, "stale.pem"), 9, "public.test")
		_, _, err := w.askHidden(t, "app.test", stale, protocols...)
		var rejected *tls.ECHRejectionError
		if !errors.As(err, &rejected) || !bytes.Equal(rejected.RetryConfigList, list) {
			t.Fatalf("%v", err)
		}
		if accepted, status, err := w.askHidden(t, "app.test", rejected.RetryConfigList); err != nil || !accepted || status != 200 {
			t.Fatalf("again: accepted %t, status %d, %v", accepted, status, err)
		}
		if text := w.hellos(t); !strings.Contains(text, `result="offered"} 2`) || !strings.Contains(text, `result="accepted"} 1`) {
			t.Errorf("%s", text)
		}
	}
}

func TestKeysForHiddenNamesAreReadAgain(t *testing.T) {
	w, file, first := echWorld(t)
	w.start()
	if accepted, _, err := w.askHidden(t, "app.test", first); err != nil || !accepted {
		t.Fatalf("%t, %v", accepted, err)
	}
	// What cannot be used leaves all as it was.
	if err := os.WriteFile(file, []byte("no key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.told.wait(t, "a file that cannot be used", func(e Event) bool { return e.Kind == "warning" && strings.Contains(e.Text, "ech.pem") })
	if accepted, _, err := w.askHidden(t, "app.test", first); err != nil || !accepted {
		t.Fatalf("%t, %v", accepted, err)
	}
	second := echFile(t, file, 8, "public.test")
	w.told.wait(t, "keys that were read again", func(e Event) bool { return e.Kind == "ech-keys" && e.Listener == "main" })
	if accepted, _, err := w.askHidden(t, "app.test", second); err != nil || !accepted {
		t.Fatalf("the new key: %t, %v", accepted, err)
	}
	var rejected *tls.ECHRejectionError
	if _, _, err := w.askHidden(t, "app.test", first); !errors.As(err, &rejected) || !bytes.Equal(rejected.RetryConfigList, second) {
		t.Fatalf("the old key: %v", err)
	}
	if s := w.g.Status().Listeners[0].ECH; len(s) != 1 || s[0].ConfigID != 8 {
		t.Errorf("%+v", s)
	}
}

func TestReloadTakesOverKeysForHiddenNames(t *testing.T) {
	w, file, first := echWorld(t)
	w.start()
	next := *w.config
	next.Listeners = append([]config.Listener(nil), w.config.Listeners...)
	newer := filepath.Join(w.dir, "newer.pem")
	second := echFile(t, newer, 8, "public.test")
	next.Listeners[0].ECHKeys = []config.ECHKeyFile{{File: newer}, {File: file, Old: true}}
	changes, err := w.g.Reload(&next)
	if err != nil || len(changes) != 1 || changes[0] != (Change{"listener", "main", "changed"}) {
		t.Fatalf("%v, %v", changes, err)
	}
	for _, list := range [][]byte{first, second} {
		if accepted, status, err := w.askHidden(t, "app.test", list); err != nil || !accepted || status != 200 {
			t.Fatalf("accepted %t, status %d, %v", accepted, status, err)
		}
	}
	stale := echFile(t, filepath.Join(w.dir, "stale.pem"), 9, "public.test")
	var rejected *tls.ECHRejectionError
	if _, _, err := w.askHidden(t, "app.test", stale); !errors.As(err, &rejected) || !bytes.Equal(rejected.RetryConfigList, second) {
		t.Fatalf("clients are told of the old key: %v", err)
	}
	moved := next
	moved.Listeners = append([]config.Listener(nil), next.Listeners...)
	moved.Listeners[0].ECHKeys = []config.ECHKeyFile{{File: newer, Place: config.Place{Line: 9}}, {File: file, Old: true}}
	if changes, err := w.g.Reload(&moved); err != nil || len(changes) != 0 {
		t.Errorf("moved within the file: %v, %v", changes, err)
	}
}

func TestKeysThatHideNothingAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world, file string)
		want   string
	}{
		"no file":               {func(_ *world, file string) { _ = os.Remove(file) }, "no such file"},
		"no key":                {func(_ *world, file string) { _ = os.WriteFile(file, []byte("x"), 0o600) }, "must hold a PRIVATE KEY and an ECHCONFIG"},
		"others can read it":    {func(_ *world, file string) { _ = os.Chmod(file, 0o644) }, "0644"},
		"no site for the name":  {func(w *world, _ string) { w.config.Sites[1].Hosts = []string{"other.test"} }, "public.test leads to no site of this listener"},
		"no certificate for it": {func(w *world, _ string) { w.config.Sites[1].Certificate = w.config.Sites[0].Certificate }, "has no certificate for its public name public.test"},
		"only old ones":         {func(w *world, _ string) { w.config.Listeners[0].ECHKeys[0].Old = true }, "none is marked for clients to retry with"},
	} {
		t.Run(name, func(t *testing.T) {
			w, file, _ := echWorld(t)
			c.change(w, file)
			_, err := New(w.config, w.options)
			var wrong *ConfigError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.want) || wrong.Where == "" {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if name != "only old ones" && (wrong.Place.Line != 3 || !strings.Contains(err.Error(), "ech.pem")) {
				t.Errorf("it does not say where: %v", err)
			}
		})
	}
}

// TestClientsInTheMiddleOfAReload: the doors of a listener get new keys one after the other. A client that comes in between is told
// which ones to use, not that there are none: it would connect again with the name that it hides in the open.
func TestClientsInTheMiddleOfAReload(t *testing.T) {
	w, _, first := echWorld(t)
	w.start()
	r := w.g.state.Load().reach["main"]
	second := filepath.Join(w.dir, "second.pem")
	echFile(t, second, 8, "public.test")
	keys, err := keystore.ReadECHKeys(second, true) // which files there are is read by whoever watches them
	if err != nil {
		t.Fatal(err)
	}
	r.hidden.now.Store(&hiddenKeys{keys: keys})
	for _, d := range r.doors { // the site behind, and not yet the public one
		if d.site.name == "app" {
			if err := d.refresh(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, _, err = w.askHidden(t, "app.test", first)
	var rejected *tls.ECHRejectionError
	if !errors.As(err, &rejected) || len(rejected.RetryConfigList) == 0 {
		t.Errorf("%v", err)
	}
}
