package scan

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
)

// keyPEM makes a private key, and the pin of its public half.
func keyPEM(t testing.TB) (text, pin string) {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := pki.MarshalPrivateKeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pki.PinPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem), p.String()
}

// put writes a file with a mode, whatever the umask is.
func put(t testing.TB, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// look runs Files on one path and finds the fact about a file in it.
func look(t testing.TB, o FilesOptions, path, about string) grade.FileFact {
	t.Helper()
	facts, err := Files([]string{path}, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range facts {
		if f.Path == about {
			return f
		}
	}
	t.Fatalf("nothing about %s in %+v", about, facts)
	return grade.FileFact{}
}

func TestWhoMayReadAKeyIsSaid(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing on Windows")
	}
	text, pin := keyPEM(t)
	dir := t.TempDir()
	for _, c := range []struct {
		mode    os.FileMode
		problem string
	}{
		{0o600, ""}, {0o400, ""}, {0o644, "everybody on this machine can read it"}, {0o666, "can read and replace it"}, {0o604, "everybody"},
	} {
		path := filepath.Join(dir, c.mode.String()+".key")
		put(t, path, text, c.mode)
		f := look(t, FilesOptions{Served: []string{pin}}, path, path)
		if f.Kind != fileKey || f.Key != "ECDSA P-256" || f.Owner == "" {
			t.Errorf("%+v", f)
		}
		got := strings.Join(f.Problems, "\n")
		if (c.problem == "") != (got == "") || !strings.Contains(got, c.problem) {
			t.Errorf("mode %o: %q, want %q", c.mode, got, c.problem)
		}
		if !strings.Contains(f.Text, "not encrypted") || !strings.Contains(f.Text, "a server that was scanned") {
			t.Errorf("text %q", f.Text)
		}
	}
}

func TestAFolderOpenToAllIsAProblemOfItsKeys(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing on Windows")
	}
	text, _ := keyPEM(t)
	open := filepath.Join(t.TempDir(), "open")
	path := filepath.Join(open, "a.key")
	put(t, path, text, 0o600)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	f := look(t, FilesOptions{}, path, path)
	if len(f.Problems) != 1 || !strings.Contains(f.Problems[0], "another file in its place") {
		t.Errorf("%q", f.Problems)
	}
	if err := os.Chmod(open, 0o777|os.ModeSticky); err != nil { // as /tmp: only the owner may replace it
		t.Fatal(err)
	}
	if f := look(t, FilesOptions{}, path, path); len(f.Problems) != 0 {
		t.Errorf("%q", f.Problems)
	}
}

func TestConfigurationsLeadToTheirKeys(t *testing.T) {
	text, _ := keyPEM(t)
	for name, c := range map[string]struct{ file, config, key string }{
		"nginx": {"nginx.conf", "events {}\nhttp {\n  include sites/*.conf;\n}\n", "keys/site.key"},
		"Apache": {"apache2.conf", "ServerRoot \"DIR\"\n<VirtualHost *:443>\n  SSLCertificateFile keys/site.pem\n  SSLCertificateKeyFile \"keys/site.key\"\n",
			"keys/site.key"},
		"HAProxy":    {"haproxy.cfg", "frontend web\n  bind :443 ssl crt DIR/keys alpn h2\n", "keys/site.key"},
		"Postfix":    {"main.cf", "smtpd_tls_key_file = DIR/keys/site.key\n", "keys/site.key"},
		"Dovecot":    {"ssl.conf", "ssl_key = <DIR/keys/site.key\n", "keys/site.key"},
		"lighttpd":   {"lighttpd.conf", "ssl.privkey = \"DIR/keys/site.key\"\n", "keys/site.key"},
		"PostgreSQL": {"postgresql.conf", "ssl_key_file = 'DIR/keys/site.key'   # the key\n", "keys/site.key"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, c.key), text, 0o644)
			if name == "nginx" {
				put(t, filepath.Join(dir, "sites/a.conf"), "server { listen 443 ssl; ssl_certificate_key ../keys/site.key; } # here\n", 0o644)
			}
			config := filepath.Join(dir, c.file)
			put(t, config, strings.ReplaceAll(c.config, "DIR", dir), 0o644)
			facts, err := Files([]string{config}, FilesOptions{})
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(facts, func(f grade.FileFact) bool { return f.Kind == fileKey })
			if at < 0 || !strings.HasSuffix(facts[at].Path, "site.key") {
				t.Fatalf("%+v", facts)
			}
			if runtime.GOOS != "windows" && len(facts[at].Problems) == 0 {
				t.Errorf("%+v", facts[at])
			}
		})
	}
}

func TestConfigurationsThatIncludeThemselvesEnd(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "nginx.conf")
	put(t, config, "http {\n include nginx.conf;\n include *.conf;\n ssl_certificate_key gone.key;\n ssl_certificate_key $name.key;\n}\n", 0o644)
	facts, err := Files([]string{config}, FilesOptions{})
	if err != nil || len(facts) != 2 {
		t.Fatalf("%+v, %v", facts, err)
	}
	if f := facts[1]; f.Kind != fileKey || !strings.Contains(f.Text, "cannot be read") {
		t.Errorf("%+v", f)
	}
	if f := facts[0]; !strings.Contains(f.Text, "variables") {
		t.Errorf("%+v", f)
	}
}

func TestPinSetsWantABackup(t *testing.T) {
	_, used := keyPEM(t)
	_, chain := keyPEM(t)
	_, spare := keyPEM(t)
	hash := func(pin string) string { return strings.TrimPrefix(pin, "sha256/") }
	for name, c := range map[string]struct {
		text    string
		served  []string
		pins    int
		backup  grade.Answer
		problem string
	}{
		"one alone":        {used, nil, 1, grade.No, "a single pin"},
		"nobody scanned":   {used + "\n" + spare, nil, 2, grade.Unknown, ""},
		"with a backup":    {used + "\n" + spare, []string{used, chain}, 2, grade.Yes, ""},
		"both in use":      {used + "\n" + chain, []string{used, chain}, 2, grade.No, "no backup"},
		"twice the same":   {used + "\n" + used, []string{used}, 1, grade.No, "a single pin"},
		"of another site":  {spare + "\n" + chain, []string{used}, 2, grade.Yes, "none of its pins"},
		"curl's form":      {"sha256//" + hash(used) + ";sha256//" + hash(spare), []string{used}, 2, grade.Yes, ""},
		"header":           {`Public-Key-Pins: pin-sha256="` + hash(used) + `"; pin-sha256="` + hash(spare) + `"; max-age=1`, []string{used}, 2, grade.Yes, ""},
		"Android":          {`<pin digest="SHA-256">` + hash(used) + "</pin>\n<pin digest=\"SHA-256\"> " + hash(chain) + " </pin>", []string{used, chain}, 2, grade.No, "no backup"},
		"iOS":              {"<key>kTSKPublicKeyHashes</key><array><string>" + hash(used) + "</string><string>" + hash(spare) + "</string>", []string{used}, 2, grade.Yes, ""},
		"iOS, other array": {used + "<array><string>" + hash(spare) + "</string>", []string{used}, 1, grade.No, "a single pin"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pins.txt")
			put(t, path, c.text, 0o644)
			f := look(t, FilesOptions{Served: c.served}, path, path)
			got := strings.Join(f.Problems, "\n")
			if f.Kind != filePins || f.Pins != c.pins || f.Backup != c.backup || (c.problem == "") != (got == "") || !strings.Contains(got, c.problem) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestFoldersGiveOnlyWhatIsOfUse(t *testing.T) {
	text, _ := keyPEM(t)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a/one.key"), text, 0o600)
	put(t, filepath.Join(dir, "a/copy.key"), text, 0o600)
	put(t, filepath.Join(dir, "readme"), "include nothing", 0o644)
	put(t, filepath.Join(dir, "store.jks"), "\xfe\xed\xfe\xed\x00\x00", 0o600)
	put(t, filepath.Join(dir, "broken.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n", 0o600)
	if err := os.Symlink(filepath.Join(dir, "a/one.key"), filepath.Join(dir, "z.key")); err != nil {
		t.Skip("no symbolic links here")
	}
	facts, err := Files([]string{dir}, FilesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range facts {
		names = append(names, strings.TrimPrefix(f.Path, dir+string(filepath.Separator)))
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "a/copy.key a/one.key broken.key store.jks" {
		t.Errorf("found %s", got)
	}
	if f := look(t, FilesOptions{}, dir, filepath.Join(dir, "a/one.key")); !strings.Contains(f.Text, "the same key as in") {
		t.Errorf("%+v", f)
	}
	if _, err := Files([]string{filepath.Join(dir, "nowhere")}, FilesOptions{}); err == nil {
		t.Error("a file that was named and is not there is no error")
	}
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte("ssl_certificate_key 'a.key'; include *.conf;\nServerRoot \"/nowhere\""))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte(`<pin digest="SHA-256">AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=</pin>`))
	f.Add([]byte("bind :443 ssl crt /nowhere/x\nfrontend = <\"'"))
	l := &fileLook{patterns: pinPatterns(), keys: map[string]string{}}
	f.Fuzz(func(t *testing.T, content []byte) {
		kind := l.kindOf(content)
		for _, n := range namedFiles(content) {
			if n.path == "" {
				continue
			}
			if strings.ContainsAny(n.path, "\n") {
				t.Errorf("a name over two lines: %q", n.path)
			}
		}
		fact := grade.FileFact{Kind: kind}
		if kind == fileKey {
			l.describeKey(&fact, content)
		}
		for _, p := range l.findPins(content) {
			if _, err := pki.ParsePin(p); err != nil {
				t.Errorf("%q is no pin: %v", p, err)
			}
		}
	})
}
