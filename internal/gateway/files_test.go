package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newSite lays out a folder with everything that must and must not be served.
func newSite(t testing.TB) *Files {
	t.Helper()
	base := t.TempDir()
	site, home := filepath.Join(base, "site"), filepath.Join(base, "site", "estate")
	files := map[string]string{
		"site/hello.txt":           "hello, world\n",
		"site/page/index.html":     "<p>index</p>",
		"site/plain/a b.txt":       "a",
		"site/plain/sub/c.txt":     "c",
		"site/.secret":             "hidden",
		"site/.git/config":         "hidden",
		"site/server.key":          "not even PEM",
		"site/bundle.pem":          "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\nMHc\n",
		"site/about.txt":           "a PRIVATE KEY is nothing to serve",
		"site/estate/ca/root.pem":  "certificate",
		"outside/password.txt":     "outside",
		"site/plain/.hidden/x.txt": "hidden",
	}
	for name, text := range files {
		at := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"site/good-link":         "plain/sub/c.txt",
		"site/plain/up":          "../hello.txt",
		"site/innocent":          ".secret",
		"site/innocent-dir":      "plain/.hidden",
		"site/escape":            "../outside/password.txt",
		"site/absolute":          filepath.Join(base, "outside/password.txt"),
		"site/loop":              "loop",
		"site/harmless":          "estate/ca",
		"site/chain-to-nowhere":  "missing",
		"site/plain/keyring.txt": "../server.key",
	} {
		if err := os.Symlink(target, filepath.Join(base, link)); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := openTree(site, home)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.close() })
	return &Files{tree: tr}
}

func ask(h http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, "http://localhost"+target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDirNeverServesWhatIsPrivate(t *testing.T) {
	h := newSite(t)
	for _, target := range []string{
		"/.secret", "/.git/config", "/.git/", "/%2esecret", "/server.key", "/bundle.pem", "/estate/", "/estate/ca/root.pem",
		"/escape", "/absolute", "/loop", "/innocent", "/innocent-dir/x.txt", "/harmless/root.pem", "/plain/keyring.txt",
		"/../outside/password.txt", "/plain/../../outside/password.txt", "/%2e%2e/outside/password.txt",
		"/plain/.hidden/x.txt", "/chain-to-nowhere", "/missing",
	} {
		if resp := ask(h, "GET", target); resp.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %s, want 404", target, resp.Status)
		}
	}
}

func TestDirServesTheRest(t *testing.T) {
	h := newSite(t)
	for target, want := range map[string]string{
		"/hello.txt":       "hello, world\n",
		"/page/":           "<p>index</p>",
		"/plain/a%20b.txt": "a",
		"/good-link":       "c",
		"/plain/up":        "hello, world\n",
		"/about.txt":       "a PRIVATE KEY is nothing to serve",
	} {
		resp := ask(h, "GET", target)
		if got := bodyOf(t, resp); resp.StatusCode != http.StatusOK || got != want {
			t.Errorf("GET %s: %s %q, want %q", target, resp.Status, got, want)
		}
	}
}

func TestDirAnswersRanges(t *testing.T) {
	h := newSite(t)
	resp := ask(h, "GET", "/hello.txt", "Range", "bytes=7-11")
	if got := bodyOf(t, resp); resp.StatusCode != http.StatusPartialContent || got != "world" {
		t.Errorf("range: %s %q", resp.Status, got)
	}
	if got := resp.Header.Get("Content-Range"); got != "bytes 7-11/13" {
		t.Errorf("Content-Range %q", got)
	}
	if resp := ask(h, "GET", "/hello.txt", "Range", "bytes=99-"); resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("range past the end: %s", resp.Status)
	}
	etag := ask(h, "HEAD", "/hello.txt").Header.Get("ETag")
	if resp := ask(h, "GET", "/hello.txt", "If-None-Match", etag); resp.StatusCode != http.StatusNotModified {
		t.Errorf("If-None-Match %s: %s", etag, resp.Status)
	}
}

func TestDirListingShowsOnlyWhatIsServed(t *testing.T) {
	h := newSite(t)
	page := bodyOf(t, ask(h, "GET", "/"))
	for _, name := range []string{"hello.txt", "plain/", "page/", "good-link"} {
		if !strings.Contains(page, ">"+name+"<") {
			t.Errorf("listing lacks %s", name)
		}
	}
	for _, name := range []string{"secret", ".git", "server.key", "estate", "escape", "absolute", "innocent", "harmless", "../"} {
		if strings.Contains(page, name) {
			t.Errorf("listing shows %s:\n%s", name, page)
		}
	}
	if page := bodyOf(t, ask(h, "GET", "/plain/")); !strings.Contains(page, `href="./a%20b.txt"`) || !strings.Contains(page, `href="../"`) {
		t.Errorf("listing of /plain/:\n%s", page)
	}
}

func TestDirRedirectStaysOnTheHost(t *testing.T) {
	h := newSite(t)
	for _, target := range []string{"/plain", "//plain"} {
		resp := ask(h, "GET", target)
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusMovedPermanently || got != "./plain/" {
			t.Errorf("GET %s: %s to %q", target, resp.Status, got)
		}
	}
}

func TestDirOnlyReads(t *testing.T) {
	h := newSite(t)
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		if resp := ask(h, method, "/hello.txt"); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %s", method, resp.Status)
		}
	}
}

func TestHomeIsNeverTheServedFolder(t *testing.T) {
	home := t.TempDir()
	inside := filepath.Join(home, "live", "app")
	if err := os.MkdirAll(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{home, inside} {
		if tr, err := openTree(dir, home); err == nil {
			tr.close()
			t.Errorf("openTree(%s) with home %s succeeded", dir, home)
		}
	}
}

func TestKeysAreFoundAnywhereInAFile(t *testing.T) {
	line := "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
	filler := strings.Repeat("0123456789abcde\n", 1<<14) // 256 KiB: several pieces
	for _, at := range []int{0, 1, 64<<10 - 90, 64<<10 - 40, 64<<10 - 20, 64 << 10, len(filler)} {
		text := filler[:at] + line + filler[at:]
		if err := refuseKey(strings.NewReader(text), int64(len(text))); err == nil {
			t.Errorf("a key at %d was not found", at)
		}
	}
	for _, text := range []string{"", "x", filler, line[:20], strings.Repeat("y", 80)} {
		if err := refuseKey(strings.NewReader(text), int64(len(text))); err != nil {
			t.Errorf("%d harmless bytes: %v", len(text), err)
		}
	}
}

func FuzzResolveStaysAmongWhatIsPublic(f *testing.F) {
	for _, seed := range []string{"/hello.txt", "/../outside", "/plain/up", "//", "/.git/config", "/escape", "/a\x00b", "/harmless/../estate"} {
		f.Add(seed)
	}
	h := newSite(f)
	f.Fuzz(func(t *testing.T, name string) {
		at, info, err := h.tree.resolve(name)
		if err != nil {
			return
		}
		if info.Mode().Type() != 0 && !info.IsDir() {
			t.Errorf("%q: resolved to %s, which is %v", name, at, info.Mode())
		}
		for _, step := range splitPath(at) {
			if strings.HasPrefix(step, ".") || step == "estate" {
				t.Errorf("%q: resolved to %s", name, at)
			}
		}
	})
}
