package devhttps

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/internal/trust"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/jks"
)

func newTestCA(t *testing.T) *CA {
	t.Helper()
	ca, made, err := OpenOrMake(t.Context(), t.TempDir(), time.Now())
	if err != nil || !made {
		t.Fatalf("made %t, error %v", made, err)
	}
	return ca
}

func TestTheRootIsConfinedAndItsKeyGone(t *testing.T) {
	ca := newTestCA(t)
	now := time.Now()
	for _, names := range [][]string{{"example.com"}, {"localhost.example.com"}, {"8.8.8.8"}, {"notlocalhost"}, {"shop.localhost", "example.com"}} {
		if _, err := ca.Issue(names, time.Hour, now); err == nil {
			t.Errorf("issued for %q", names)
		}
	}
	for _, c := range [][]byte{ca.Root.Raw, ca.Intermediate.Raw} {
		certs, err := pki.ParseCertificatesPEM(pki.AppendCertificatePEM(nil, c))
		if err != nil || len(certs[0].PermittedDNSDomains) == 0 || len(certs[0].PermittedIPRanges) == 0 || len(certs[0].ExtKeyUsage) != 1 {
			t.Errorf("%v is not confined (%v)", certs[0].Subject, err)
		}
	}
	if _, err := ca.RootIssuer(); err == nil {
		t.Error("the root's key is on the disk")
	}
	err := filepath.WalkDir(ca.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && runtime.GOOS != "windows" && (d.IsDir() || strings.HasSuffix(path, ".key")) && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestACertificateIsForAllNamesOfAnApplication(t *testing.T) {
	ca := newTestCA(t)
	names, err := Names("shop", append([]string{"shop.test", "192.168.1.7"}, LANNames()...)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, life := range []time.Duration{minLifetime, DefaultLifetime, maxLifetime} {
		id, err := ca.Issue(names, life, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		v, err := pki.Verify(id.Chain[0], pki.VerifyOptions{Roots: ca.Roots(), Intermediates: id.Chain[1:], Time: time.Now(), Usage: pki.UsageServer})
		if err != nil {
			t.Fatal(err)
		}
		leaf := v.Certificates[0]
		for _, n := range []string{"localhost", "shop.localhost", "a.shop.localhost", "127.0.0.1", "::1", "shop.test", "192.168.1.7"} {
			if err := leaf.VerifyHostname(n); err != nil {
				t.Error(err)
			}
		}
		if got := leaf.NotAfter.Sub(leaf.NotBefore); got > life {
			t.Errorf("it lives for %v, more than %v", got, life)
		}
	}
}

func TestNamesOfTheInternetAreRefusedWithAdvice(t *testing.T) {
	for name, hint := range map[string]string{
		"example.com": "use example.localhost", "shop.dev": "use shop.localhost", "8.8.8.8": "below localhost", "2001:db8::1": "below localhost",
		"*.localhost": "name the host", "*.test": "name the host", "a..test": "letters", "A_B.test": "letters", "-.test": "letters", "": "letters",
		"test.": "letters", "xn--.com": "letters", "localhost.evil.com": "use localhost.localhost",
	} {
		err := CheckName(name)
		var known *NameError
		if !errors.As(err, &known) || !strings.Contains(known.Hint(), hint) {
			t.Errorf("%q: %v, hint %q", name, err, hint)
		}
	}
	for _, name := range []string{"localhost", "app.localhost", "*.app.localhost", "x.test", "db.internal", "box.local", "nas.home.arpa", "10.1.2.3", "fd00::1", "127.0.0.9"} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
}

func TestLabelsAreMadeOfAnything(t *testing.T) {
	for text, want := range map[string]string{
		"My Shop": "my-shop", "..": "", "a__b": "a-b", "Café": "caf", "日本": "", strings.Repeat("x", 99): strings.Repeat("x", 63), "-a-": "a", "v1.2": "v1-2", "a--b": "a--b",
	} {
		if got := Label(text); got != want {
			t.Errorf("%q becomes %q, not %q", text, got, want)
		}
	}
}

func TestManyAtOnceMakeOneRoot(t *testing.T) {
	home := t.TempDir()
	var mu sync.Mutex
	roots, made := map[string]bool{}, 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			ca, isNew, err := OpenOrMake(t.Context(), home, time.Now())
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			roots[pki.Fingerprint(ca.Root.Raw)] = true
			if isNew {
				made++
			}
		})
	}
	wg.Wait()
	if len(roots) != 1 || made != 1 {
		t.Errorf("%d roots, made %d times", len(roots), made)
	}
}

func TestARootAboutToEndIsRefused(t *testing.T) {
	home := t.TempDir()
	if _, _, err := OpenOrMake(t.Context(), home, time.Now()); err != nil {
		t.Fatal(err)
	}
	var old *ExpiredError
	if _, _, err := OpenOrMake(t.Context(), home, time.Now().Add(caLifetime)); !errors.As(err, &old) || !strings.Contains(old.Hint(), "--undo") {
		t.Errorf("error %v", err)
	}
}

// getenv is an environment of a test.
func getenv(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestTheEnvironmentAddsTheRootToWhatIsThere(t *testing.T) {
	ca, other := newTestCA(t), pkitest.New(t, pkitest.P256)
	base := filepath.Join(t.TempDir(), "corporate.pem")
	if err := keystore.WriteCertificates(base, other.Root.Raw); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"SSL_CERT_FILE": base, "JAVA_TOOL_OPTIONS": "-Xmx1g"}
	for range 3 { // a shell that calls it again has our variables already
		vars, all, err := ca.Environment(EnvOptions{Getenv: getenv(env), Java: true})
		if err != nil || !all {
			t.Fatalf("all %t, error %v", all, err)
		}
		for _, v := range vars {
			env[v.Name] = v.Value
		}
		text, err := os.ReadFile(env["SSL_CERT_FILE"])
		if err != nil {
			t.Fatal(err)
		}
		certs, err := pki.ParseCertificatesPEM(text)
		if err != nil || len(certs) != 2 || !certs[0].Equal(other.Root) || !certs[1].Equal(ca.Root) {
			t.Fatalf("%d certificates in the bundle, error %v", len(certs), err)
		}
		store, err := os.ReadFile(filepath.Join(ca.Dir, javaFile))
		if err != nil {
			t.Fatal(err)
		}
		entries, err := jks.Decode(store, []byte(javaPassword), nil)
		if err != nil || len(entries) != 2 {
			t.Errorf("%d roots for Java, error %v", len(entries), err)
		}
		if got := env["JAVA_TOOL_OPTIONS"]; !strings.HasPrefix(got, "-Xmx1g ") || strings.Count(got, "trustStore=") != 1 {
			t.Errorf("JAVA_TOOL_OPTIONS is %q", got)
		}
	}
}

func TestScriptsSurviveAnyPath(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	value := `/a b/it's $HOME "quoted" \n ` + "`id`;x"
	out, err := exec.CommandContext(t.Context(), "sh", "-c", Script("sh", []Variable{{Name: "V", Value: value}}, false)+`printf %s "$V"`).Output()
	if err != nil || string(out) != value {
		t.Errorf("sh has %q (%v)", out, err)
	}
	if got := Script("powershell", []Variable{{Name: "V", Value: "it's"}}, false); got != "$env:V = 'it''s'\n" {
		t.Errorf("PowerShell gets %q", got)
	}
	if got := Script("fish", []Variable{{Name: "V", Value: `it's \`}}, false); got != `set -gx V 'it\'s \\'`+"\n" {
		t.Errorf("fish gets %q", got)
	}
}

func TestThePageWaitsForTheApplicationAlone(t *testing.T) {
	waiting := Waiting(`http://localhost:3000/<script>`)
	ask := func(accept, method string, reason relay.Reason) (bool, *httptest.ResponseRecorder) {
		r, w := httptest.NewRequest(method, "/", nil), httptest.NewRecorder()
		r.Header.Set("Accept", accept)
		return waiting(w, r, &relay.Error{Status: http.StatusBadGateway, Reason: reason, Text: "x"}), w
	}
	done, w := ask("text/html,*/*", "GET", relay.ReasonConnect)
	if body := w.Body.String(); !done || w.Code != 502 || !strings.Contains(body, `http-equiv="refresh"`) || strings.Contains(body, "<script>") {
		t.Errorf("a browser gets %d %s", w.Code, body)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("the page may be kept")
	}
	if done, w = ask("*/*", "GET", relay.ReasonConnect); !done || strings.Contains(w.Body.String(), "<html") {
		t.Errorf("a program gets %s", w.Body)
	}
	if done, _ = ask("text/html", "GET", relay.ReasonNoAnswer); done {
		t.Error("an application that breaks off is taken for one that does not run")
	}
}

func TestPhonesGetTheRoot(t *testing.T) {
	ca := newTestCA(t)
	server := httptest.NewServer(Phone(ca.Root, "https://192.168.1.7:3443"))
	defer server.Close()
	get := func(path string, status int) []byte {
		t.Helper()
		r, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != status {
			t.Errorf("%s: status %d, error %v", path, r.StatusCode, err)
		}
		return body
	}
	if !bytes.Equal(get("/root.crt", 200), ca.Root.Raw) {
		t.Error("the root is another one")
	}
	if page := string(get("/", 200)); !strings.Contains(page, Fingerprint(ca.Root)) || !strings.Contains(page, "https://192.168.1.7:3443") {
		t.Error(page)
	}
	get("/ca/intermediate.key", 404)
	profile := get("/root.mobileconfig", 200)
	var data []string
	for d := xml.NewDecoder(bytes.NewReader(profile)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok && len(text) > 300 {
			data = append(data, string(text))
		}
	}
	if len(data) != 1 {
		t.Fatalf("%d certificates in the profile", len(data))
	}
	if der, err := base64.StdEncoding.DecodeString(data[0]); err != nil || !bytes.Equal(der, ca.Root.Raw) {
		t.Errorf("the profile holds another root (%v)", err)
	}
}

// stubStore is a system's store of one file, whose program may fail.
func stubStore(t *testing.T) *trust.System {
	t.Helper()
	dir := t.TempDir()
	script := `cat "$0"/*.crt > "$1" 2>/dev/null; test ! -e "$0/broken"`
	other := pkitest.New(t, pkitest.P256)
	if err := keystore.WriteCertificates(filepath.Join(dir, "other.crt"), other.Root.Raw); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(dir, "bundle.pem")
	return &trust.System{Anchors: dir, Suffix: ".crt", Bundle: bundle, Update: []string{"sh", "-c", script, dir, bundle}}
}

func TestWhatWasMadeIsUndoneAfterFailures(t *testing.T) {
	pkitest.Program(t, "certutil")
	ca, system, now := newTestCA(t), stubStore(t), time.Now()
	ctx, user := t.Context(), t.TempDir()
	find := func() *Stores {
		t.Helper()
		s, err := FindStores(ca, trust.Options{Home: user, JavaHome: user, System: system})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := find()
	made := &Store{Store: trust.NSS(trust.ChromiumDatabase(user)), Program: chromium, isNew: true}
	s.All = append(slices.DeleteFunc(s.All, func(st *Store) bool { return st.Kind() == "nss" }), made)
	for _, st := range s.All {
		if err := s.Prove(ctx, st, now); err == nil {
			t.Errorf("%s trusts a root that was never installed", st.Kind())
		}
		if err := s.Install(ctx, st); err != nil {
			t.Fatal(err)
		}
		if err := s.Prove(ctx, st, now); err != nil {
			t.Error(err)
		}
	}
	// The system's program fails; the key of the CA is lost, too. What can be undone is, and the rest later.
	broken := filepath.Join(system.Anchors, "broken")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(ca.Dir, "ca", "intermediate.key")); err != nil {
		t.Fatal(err)
	}
	var err error
	if ca, err = OpenRoot(filepath.Dir(ca.Dir)); err != nil {
		t.Fatal(err)
	}
	s = find()
	failed := 0
	for _, st := range s.All {
		if _, err := s.Remove(ctx, st, now); err != nil {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d stores failed", failed)
	}
	if _, err := os.Stat(filepath.Join(user, ".pki")); !os.IsNotExist(err) {
		t.Errorf("the database that was made is still there (%v)", err)
	}
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	for _, st := range find().All {
		if _, err := s.Remove(ctx, st, now); err != nil {
			t.Error(err)
		}
	}
	roots, err := system.Roots(ctx)
	if err != nil || len(roots) != 1 {
		t.Errorf("%d roots are left, error %v", len(roots), err)
	}
}

func TestADatabaseThatIsUsedStays(t *testing.T) {
	pkitest.Program(t, "certutil")
	ca, user, now := newTestCA(t), t.TempDir(), time.Now()
	s, err := FindStores(ca, trust.Options{Home: user, JavaHome: user, System: stubStore(t)})
	if err != nil {
		t.Fatal(err)
	}
	st := &Store{Store: trust.NSS(trust.ChromiumDatabase(user)), Program: chromium, isNew: true}
	if err := s.Install(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	if err := st.Store.Install(t.Context(), pkitest.New(t, pkitest.P256).Root); err != nil { // somebody else's
		t.Fatal(err)
	}
	if held, err := s.Remove(t.Context(), st, now); err != nil || !held {
		t.Fatalf("held %t, error %v", held, err)
	}
	if roots, err := st.Roots(t.Context()); err != nil || len(roots) != 1 {
		t.Errorf("%d roots, error %v", len(roots), err)
	}
}
