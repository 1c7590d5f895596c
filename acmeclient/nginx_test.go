package acmeclient

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// fileFor files a certificate for names in a tree, as if it had been obtained.
func fileFor(t *testing.T, tree *Tree, name string, names ...string) *x509.Certificate {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	leaf := signFor(t, key, names...)
	if _, err := tree.save(name, [][]byte{leaf.Raw}, key, Renewal{Server: "https://ca.test/directory", Names: names, Challenge: Challenge{Way: Manual}}); err != nil {
		t.Fatal(err)
	}
	return leaf
}

// signFor makes a certificate for a key, by that key.
func signFor(t *testing.T, key crypto.Signer, names ...string) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour), DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// confOf makes a configuration of texts by file name; the first is the main file.
func confOf(t *testing.T, texts ...string) *nginxConf {
	t.Helper()
	dir := t.TempDir()
	var dump strings.Builder
	for i := 0; i < len(texts); i += 2 {
		path := filepath.Join(dir, texts[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(texts[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&dump, "# configuration file %s:\n%s\n", path, texts[i+1])
	}
	c, err := readNginx([]byte(dump.String()))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wishFor is a wish of a certificate for these names.
func wishFor(names ...string) nginxWish {
	return nginxWish{names: names, leaf: &x509.Certificate{PublicKeyAlgorithm: x509.ECDSA}, cert: "/live/x/fullchain.pem", key: "/live/x/privkey.pem", port: "443"}
}

// TestPlansOfNginx looks at what becomes of a configuration.
func TestPlansOfNginx(t *testing.T) {
	const tail = "    ssl_certificate /live/x/fullchain.pem;\n    ssl_certificate_key /live/x/privkey.pem;\n    ssl_protocols TLSv1.2 TLSv1.3;\n    ssl_ciphers " + sensibleCiphers +
		";\n    ssl_prefer_server_ciphers off;\n    ssl_session_cache shared:tlswright:10m;\n    ssl_session_tickets off;\n"
	const settings = "ssl_protocols TLSv1.3; ssl_ciphers x; ssl_session_cache off; ssl_session_tickets on; "
	for _, c := range []struct {
		name, before, after string
		wish                nginxWish
	}{
		{name: "plain gets HTTPS", wish: wishFor("a.test"),
			before: "http {\n  server {\n    listen 80;\n    listen [::]:80; # six\n    server_name b.test a.test;\n    root /x;\n  }\n}\n",
			after:  "http {\n  server {\n    listen 80;\n    listen [::]:80; # six\n    server_name b.test a.test;\n    listen 443 ssl;\n    listen [::]:443 ssl;\n" + tail + "    root /x;\n  }\n}\n"},
		{name: "what nginx does unasked is said", wish: wishFor("a.test"),
			before: "http {\nserver {\n    server_name A.test;\n}\n}\n",
			after:  "http {\nserver {\n    server_name A.test;\n    listen 80;\n    listen 443 ssl;\n" + tail + "}\n}\n"},
		{name: "redirect", wish: nginxWish{names: []string{"a.test"}, leaf: wishFor().leaf, cert: "/live/x/fullchain.pem", key: "/live/x/privkey.pem", port: "8443", redirect: true},
			before: "http {\nserver {\n    listen 127.0.0.1:8080 default_server;\n    server_name a.test;\n    root /x;\n}\n}\n",
			after: "http {\nserver {\n    listen 127.0.0.1:8080 default_server;\n    server_name a.test;\n    return 301 https://$host:8443$request_uri;\n}\nserver {\n    server_name a.test;\n    listen 127.0.0.1:8443 ssl;\n" +
				tail + "    root /x;\n}\n}\n"},
		{name: "another certificate is replaced, and the plain block left alone", wish: wishFor("a.test"),
			before: "http { " + settings + "\nserver { listen 80; server_name a.test; return 301 https://$host$request_uri; }\nserver { listen 443 ssl; server_name a.test; ssl_certificate /old.pem; ssl_certificate_key '/old key.pem'; }\n}\n",
			after:  "http { " + settings + "\nserver { listen 80; server_name a.test; return 301 https://$host$request_uri; }\nserver { listen 443 ssl; server_name a.test; ssl_certificate /live/x/fullchain.pem; ssl_certificate_key /live/x/privkey.pem; }\n}\n"},
		{name: "a block on one line", wish: wishFor("a.test"),
			before: "http { " + settings + "server { listen unix:/run/a; listen 127.0.0.1 proxy_protocol; server_name a.test; } }",
			after: "http { " + settings + "server { listen unix:/run/a; listen 127.0.0.1 proxy_protocol; server_name a.test;\n    listen 127.0.0.1:443 ssl proxy_protocol;\n" +
				"    ssl_certificate /live/x/fullchain.pem;\n    ssl_certificate_key /live/x/privkey.pem;\n } }"},
		{name: "old versions around are overruled", wish: wishFor("a.test"),
			before: "http { " + strings.Replace(settings, "TLSv1.3", "TLSv1 TLSv1.2", 1) + "\nserver {\n\tlisten 443 ssl;\n\tserver_name a.test;\n\tssl_certificate /live/x/fullchain.pem;\n\tssl_certificate_key /live/x/privkey.pem;\n}\n}",
			after: "http { " + strings.Replace(settings, "TLSv1.3", "TLSv1 TLSv1.2", 1) +
				"\nserver {\n\tlisten 443 ssl;\n\tserver_name a.test;\n\tssl_certificate /live/x/fullchain.pem;\n\tssl_certificate_key /live/x/privkey.pem;\n\tssl_protocols TLSv1.2 TLSv1.3;\n}\n}"},
	} {
		conf := confOf(t, "nginx.conf", c.before)
		p, err := planNginx(conf, c.wish)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := string(p.result(conf.main))
		if got != c.after {
			t.Errorf("%s:\n%s", c.name, unifiedDiff("wanted and got", []byte(c.after), []byte(got)))
		}
		again, err := planNginx(confOf(t, "nginx.conf", got), c.wish)
		if err != nil || len(again.edits) > 0 || len(again.checks) != len(p.checks) {
			t.Errorf("%s: done twice it is not the same: %v %v", c.name, err, again)
		}
	}
}

// TestWhichBlockServesAName follows nginx's ranking.
func TestWhichBlockServesAName(t *testing.T) {
	conf := confOf(t, "nginx.conf", `
stream { server { listen 443; } }
http {
  include sites/*;
  upstream u { server 127.0.0.1:1; }
  server { listen 80; server_name ~^(?<sub>.+)\.re\.test$; }
}`, "sites/a", "server { listen 80; server_name *.a.test; location / { content_by_lua_block { x = '}' -- }\n } } }",
		"sites/b", "server { listen 80; server_name www.a.test \"x y.test\"; }", "sites/.hidden", "server { server_name www.a.test; }", "sites/c", "server { listen 80; server_name .c.test c.*; }")
	for name, want := range map[string]string{"www.a.test": "b:1", "mail.a.test": "a:1", "x.re.test": "nginx.conf:6", "c.test": "c:1", "deep.c.test": "c:1", "c.example": "c:1", "none.test": "",
		"*.a.test": "a:1 b:1"} {
		var got []string
		for _, s := range serving(conf.servers(), name) {
			got = append(got, filepath.Base(s.place()))
		}
		if slices.Sort(got); strings.Join(got, " ") != want {
			t.Errorf("%s is served by %q, want %q", name, got, want)
		}
	}
}

// TestPlansThatAreRefused would take something away from somebody.
func TestPlansThatAreRefused(t *testing.T) {
	tree, err := OpenTree(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	fileFor(t, tree, "two", "a.test", "b.test")
	two := tree.Live("two") + "/fullchain.pem"
	for want, text := range map[string]string{
		"no server block is for these names: a.test":    "http { server { listen 80; server_name b.test; } }",
		"get one for both":                              "http { server { listen 443 ssl; server_name a.test b.test; ssl_certificate " + two + "; ssl_certificate_key x; } }",
		"has 1 certificates and 0 keys":                 "http { server { listen 443 ssl; server_name a.test; ssl_certificate /a; } }",
		"no server block is for these names":            "http { server { listen 80; server_name a.test; location / { return 301 https://$host$request_uri; } } }",
		"which FILE:1 uses, too: name it in each block": "http { server { listen 443 ssl; server_name a.test; include tls; } server { listen 443 ssl; server_name b.test; include tls; } }",
	} {
		conf := confOf(t, "nginx.conf", text, "tls", "ssl_certificate /a; ssl_certificate_key /b;")
		_, err := planNginx(conf, wishFor("a.test"))
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), conf.main.path, "FILE"), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	conf := confOf(t, "nginx.conf", "http { server { listen 443 ssl; server_name a.test; include tls; } server { listen 443 ssl; server_name b.test; include tls; } }", "tls", "ssl_certificate /a; ssl_certificate_key /b;")
	if p, err := planNginx(conf, wishFor("a.test", "b.test")); err != nil || len(p.edits) != 2 {
		t.Errorf("a file that only our blocks use: %v", err)
	}
}

// TestHeadingsInCommentsMeanNothing feeds a dump whose files pretend to be several.
func TestHeadingsInCommentsMeanNothing(t *testing.T) {
	c := confOf(t, "nginx.conf", "events { }\n# configuration file /etc/shadow:\nhttp { include sites; }\n", "sites", "# configuration file /etc/passwd:\n")
	if len(c.names) != 2 {
		t.Errorf("%q", c.names)
	}
	for _, dump := range []string{"", "hello", "# configuration file /nowhere/at/all:\nx", "# configuration file " + c.main.path + ":\nother"} {
		if _, err := readNginx([]byte(dump)); err == nil {
			t.Errorf("%q is taken", dump)
		}
	}
}

func FuzzNginxIsReadAndWritten(f *testing.F) {
	for _, s := range []string{"", "a;", "http { server { listen 80; server_name a.test; } }", "a \"b\\\"c\" 'd' ${e} \\{ { b { c; } }", "x_by_lua_block { a = [[}]] -- }\n }", "http{server{server_name a.test;listen [::1]:80 ssl;ssl_certificate x;ssl_certificate_key y;}}", "#", "a {", "}", "a\x00;"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := parseNginx("/x/nginx.conf", text)
		if err != nil {
			return
		}
		file.real = file.path
		conf := &nginxConf{main: file, byName: map[string]*nginxFile{file.path: file}, names: []string{file.path}}
		wish := wishFor("a.test", "*.b.test")
		wish.redirect = len(text)%2 == 1
		p, err := planNginx(conf, wish)
		if err != nil {
			return
		}
		out := p.result(file)
		again, err := parseNginx(file.path, out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%q\n%q", err, text, out)
		}
		if unifiedDiff("x", text, out) == "" != (len(p.edits) == 0) {
			t.Error("the difference says otherwise")
		}
		_ = again
	})
}
