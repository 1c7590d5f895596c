package grade

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/pkitest"
)

// allSnippets are the snippets for a kind of server, by fix.
func allSnippets(server string) map[fixKind][]Snippet {
	found := make(map[fixKind][]Snippet)
	for _, table := range []map[fixKind][]Snippet{tlsSnippets, certificateSnippets, webSnippets} {
		for kind, rows := range table {
			for _, row := range rows {
				if row.Server == server {
					found[kind] = append(found[kind], row)
				}
			}
		}
	}
	return found
}

// workshop is a folder with a certificate, where snippets are tried out.
type workshop struct {
	t    *testing.T
	dir  string
	port int
}

const workshopHost = "www.example.org"

func newWorkshop(t *testing.T, programs ...string) *workshop {
	t.Helper()
	for _, name := range programs {
		if _, err := findProgram(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed, and CI=true", name)
			}
			t.Skipf("%s is not installed", name)
		}
	}
	w := &workshop{t: t, dir: t.TempDir()}
	files := pkitest.New(t, pkitest.P256).Server(pkitest.P256, workshopHost).Files()
	cert, key := read(t, files.FullChain), read(t, files.Key)
	for name, text := range map[string]string{
		"fullchain.pem": cert, "chain.pem": read(t, files.Chain), "cert.pem": read(t, files.Cert), "privkey.pem": key, "certs/" + workshopHost + ".pem": cert + key,
		"certs.list": filepath.Join(w.dir, "certs", workshopHost+".pem") + " " + workshopHost + "\n",
	} {
		w.write(name, text)
	}
	ports, err := freeport.Numbers(1)
	if err != nil {
		t.Fatal(err)
	}
	w.port = ports[0]
	return w
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (w *workshop) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// fit puts the workshop's files, port and name in the place of those that a snippet names.
func (w *workshop) fit(text string) string {
	addr := "127.0.0.1:" + strconv.Itoa(w.port)
	return strings.NewReplacer(
		hostMark, workshopHost, "/etc/letsencrypt/live/HOST", w.dir, "/etc/haproxy/certs.list", filepath.Join(w.dir, "certs.list"), "/etc/haproxy/certs/", filepath.Join(w.dir, "certs")+"/",
		"bind :443", "bind "+addr, "listen 443", "listen "+addr, "listen 80", "listen "+addr, "http://HOST", "http://"+addr,
		// Only OpenSSL 3.5 and Caddy 2.10 know the group; a test of its own sees what the others make of the rest.
		"X25519MLKEM768:", "", "x25519mlkem768 ", "", "X25519MLKEM768 ", "", "namedGroups=X25519MLKEM768,", "namedGroups=",
	).Replace(text)
}

// run starts a program in the workshop and fails the test if it does not like what it is given.
func (w *workshop) run(name string, args ...string) string {
	w.t.Helper()
	out, err := w.start(name, args...)
	if err != nil {
		w.t.Errorf("%s: %v\n%s", name, err, out)
	}
	return out
}

// refused starts a program that cannot come to a good end.
func (w *workshop) refused(name string, args ...string) string {
	w.t.Helper()
	out, err := w.start(name, args...)
	if err == nil {
		w.t.Errorf("%s came to an end it should not have come to: %s", name, out)
	}
	return out
}

func (w *workshop) start(name string, args ...string) (string, error) {
	w.t.Helper()
	path, err := findProgram(name)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "HOME="+w.dir, "XDG_CONFIG_HOME="+w.dir, "XDG_DATA_HOME="+w.dir, "APACHE_RUN_DIR="+w.dir, "GOTOOLCHAIN=local", "GOFLAGS=", "OPENSSL_CONF="+filepath.Join(w.dir, "openssl.cnf"))
	if home, err := os.UserHomeDir(); err == nil && name == "go" {
		cmd.Env = append(cmd.Env, "HOME="+home)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// findProgram also looks where Debian keeps servers, which is not in everybody's PATH.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

// eachSnippet runs a test for every piece of configuration of a kind of server; commands have a test of their own.
func eachSnippet(t *testing.T, server string, try func(*testing.T, Snippet)) {
	t.Helper()
	n := 0
	for kind, rows := range allSnippets(server) {
		for _, row := range rows {
			if isCommand(row) {
				continue
			}
			n++
			t.Run(string(kind), func(t *testing.T) { try(t, row) })
		}
	}
	if n == 0 {
		t.Errorf("there are no snippets for %s", server)
	}
}

func isCommand(s Snippet) bool {
	return strings.HasPrefix(s.File, "a shell") || strings.HasPrefix(s.File, "the packages") || strings.HasPrefix(s.File, "the command")
}

func TestNginxTakesItsSnippets(t *testing.T) {
	eachSnippet(t, nginx, func(t *testing.T, s Snippet) {
		w := newWorkshop(t, "nginx")
		server := fmt.Sprintf("server {\nlisten 127.0.0.1:%d ssl;\nserver_name base.example;\nssl_certificate %s/fullchain.pem;\nssl_certificate_key %s/privkey.pem;\n", w.port, w.dir, w.dir)
		body := server + w.fit(s.Text) + "}\n"
		if strings.Contains(s.Text, "server {") {
			body = server + "}\n" + w.fit(s.Text)
		}
		if strings.Contains(s.Text, "ssl_certificate ") {
			body = fmt.Sprintf("server {\nlisten 127.0.0.1:%d ssl;\n%s}\n", w.port, w.fit(s.Text))
		}
		if strings.HasPrefix(s.Text, "listen ") {
			body = strings.Replace(server, fmt.Sprintf("listen 127.0.0.1:%d ssl;\n", w.port), w.fit(s.Text), 1) + "}\n"
		}
		path := w.write("nginx.conf", fmt.Sprintf("pid %s/nginx.pid;\nerror_log stderr;\nevents { }\nhttp {\naccess_log off;\nclient_body_temp_path %s;\nproxy_temp_path %s;\nfastcgi_temp_path %s;\nuwsgi_temp_path %s;\nscgi_temp_path %s;\n%s}\n",
			w.dir, w.dir, w.dir, w.dir, w.dir, w.dir, body))
		w.run("nginx", "-t", "-q", "-e", "stderr", "-c", path)
	})
}

func TestApacheTakesItsSnippets(t *testing.T) {
	const modules = "/usr/lib/apache2/modules"
	eachSnippet(t, apache, func(t *testing.T, s Snippet) {
		w := newWorkshop(t, "apache2")
		var load strings.Builder
		for _, m := range []string{"mpm_event", "authz_core", "alias", "headers", "env", "setenvif", "socache_shmcb", "ssl", "http2"} {
			fmt.Fprintf(&load, "LoadModule %s_module %s/mod_%s.so\n", m, modules, m)
		}
		inside, outside := w.fit(s.Text), ""
		if strings.Contains(s.File, "outside") || strings.Contains(s.Text, "<VirtualHost") || strings.HasPrefix(s.Text, "Server") {
			inside, outside = "", w.fit(s.Text)
		}
		path := w.write("apache.conf", fmt.Sprintf("ServerRoot %s\nServerName base.example\nPidFile %s/apache.pid\nErrorLog /dev/stderr\nListen 127.0.0.1:%d\n%s%s<VirtualHost 127.0.0.1:%d>\nSSLEngine on\nSSLCertificateFile %s/fullchain.pem\nSSLCertificateKeyFile %s/privkey.pem\n%s</VirtualHost>\n",
			w.dir, w.dir, w.port, load.String(), outside, w.port, w.dir, w.dir, inside))
		w.run("apache2", "-t", "-f", path)
	})
}

func TestHAProxyTakesItsSnippets(t *testing.T) {
	eachSnippet(t, haproxy, func(t *testing.T, s Snippet) {
		w := newWorkshop(t, "haproxy")
		global, front, back := "", "", ""
		switch {
		case strings.Contains(s.File, "global"):
			global = w.fit(s.Text)
		case strings.Contains(s.File, "backend"):
			back = w.fit(s.Text)
		default:
			front = w.fit(s.Text)
		}
		path := w.write("haproxy.cfg", fmt.Sprintf("global\n%s\ndefaults\nmode http\ntimeout client 5s\ntimeout server 5s\ntimeout connect 5s\nfrontend f\nbind 127.0.0.1:%d ssl crt %s/certs/\n%s\ndefault_backend b\nbackend b\n%s\nserver s 127.0.0.1:%d\n",
			global, w.port, w.dir, front, back, w.port))
		w.run("haproxy", "-c", "-q", "-f", path)
	})
}

func TestCaddyTakesItsSnippets(t *testing.T) {
	eachSnippet(t, caddy, func(t *testing.T, s Snippet) {
		w := newWorkshop(t, "caddy")
		text := w.fit(s.Text)
		switch {
		case strings.Contains(s.File, "in the block of"):
			text = workshopHost + " {\n" + text + "}\n"
		case strings.Contains(s.File, "in reverse_proxy"):
			text = workshopHost + " {\nreverse_proxy 127.0.0.1:1 {\n" + text + "}\n}\n"
		}
		w.run("caddy", "validate", "--adapter", "caddyfile", "--config", w.write("Caddyfile", text))
	})
}

func TestGoTakesItsSnippets(t *testing.T) {
	w := newWorkshop(t, "go")
	var source strings.Builder
	source.WriteString("package try\n\nimport (\n\"crypto/tls\"\n\"net/http\"\n)\n\nvar _ = tls.Config{}\nvar _ http.Handler\n")
	n := 0
	for _, rows := range allSnippets(goLang) {
		for _, row := range rows {
			if isCommand(row) {
				continue
			}
			n++
			head := ""
			if !strings.Contains(row.Text, "certificate, err :=") {
				head = "var certificate tls.Certificate\nvar err error\n"
			}
			tail := "_, _ = certificate, err\n"
			if strings.Contains(row.Text, "config :=") {
				tail += "_ = config\n"
			}
			fmt.Fprintf(&source, "func f%d(w http.ResponseWriter, r *http.Request, value string, response []byte) {\n%s%s%s}\n", n, head, w.fit(row.Text), tail)
		}
	}
	w.write("go.mod", "module try\n\ngo 1.24\n")
	w.write("try.go", source.String())
	w.run("go", "vet", "./...")
}

func TestJavaTakesItsSnippets(t *testing.T) {
	w := newWorkshop(t, "java")
	var flags []string
	methods, properties := "", ""
	for _, rows := range allSnippets(java) {
		for _, row := range rows {
			switch {
			case row.File == javaStart && strings.HasPrefix(row.Text, "-D"):
				flags = append(flags, strings.Fields(w.fit(row.Text))...)
			case row.File == javaServer:
				methods += "static void set(javax.net.ssl.SSLServerSocket server) {\n" + row.Text + "}\n"
			case row.File == javaSecurity:
				properties += row.Text
			case strings.HasPrefix(row.Text, "<"):
				wellFormed(t, row.Text)
			}
		}
	}
	if methods == "" || properties == "" || len(flags) < 3 {
		t.Fatal("snippets are missing")
	}
	source := w.write("Try.java", `public class Try {
`+methods+`public static void main(String[] a) throws Exception {
	javax.net.ssl.SSLServerSocket s = (javax.net.ssl.SSLServerSocket) javax.net.ssl.SSLContext.getDefault().getServerSocketFactory().createServerSocket();
	set(s);
	System.out.println(String.join(" ", s.getSSLParameters().getProtocols()) + " " + java.security.Security.getProperty("jdk.tls.disabledAlgorithms"));
}
}
`)
	args := append(flags, "-Djava.security.properties="+w.write("java.security", properties), source)
	if out := w.run("java", args...); !strings.Contains(out, "TLSv1.3 TLSv1.2 SSLv3, TLSv1, TLSv1.1,") || !strings.Contains(out, "ECDH") {
		t.Errorf("Java says %s", out)
	}
}

// wellFormed checks a piece of XML.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%v in\n%s", err, text)
			return
		}
	}
}

func TestOpenSSLTakesItsSnippets(t *testing.T) {
	eachSnippet(t, openSSL, func(t *testing.T, s Snippet) {
		w := newWorkshop(t, "openssl")
		// The machine-wide section is read forgivingly; one that a program names is not. Nobody listens on the port, but the
		// configuration comes first.
		conf := "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\ntry = tls\n[tls]\n"
		args := []string{"s_client", "-ssl_config", "try", "-connect", "127.0.0.1:" + strconv.Itoa(w.port)}
		w.write("openssl.cnf", conf+w.fit(s.Text))
		if out := w.refused("openssl", args...); strings.Contains(out, "Error using configuration") || !strings.Contains(out, "connect") {
			t.Error(out)
		}
		w.write("openssl.cnf", conf+"Nonsense"+w.fit(s.Text))
		if out := w.refused("openssl", args...); !strings.Contains(out, "Error using configuration") {
			t.Errorf("nonsense is let pass, so this test is worth nothing: %s", out)
		}
	})
}

func TestPostfixAndDovecotTakeTheirSnippets(t *testing.T) {
	t.Run("Postfix", func(t *testing.T) {
		w := newWorkshop(t, "postconf")
		var all strings.Builder // in one file, because postconf takes its time
		for _, rows := range allSnippets(postfix) {
			for _, row := range rows {
				if !isCommand(row) {
					all.WriteString(w.fit(row.Text))
				}
			}
		}
		w.write("main.cf", "compatibility_level = 3.6\n"+all.String())
		w.write("master.cf", "")
		if out := w.run("postconf", "-c", w.dir, "-n"); strings.Contains(out, "unused parameter") || !strings.Contains(out, "smtpd_tls_protocols = >=TLSv1.2") {
			t.Error(out)
		}
	})
	eachSnippet(t, dovecot, func(t *testing.T, s Snippet) {
		w := newWorkshop(t, "doveconf")
		w.run("doveconf", "-n", "-c", w.write("dovecot.conf", "ssl = no\n"+w.fit(s.Text)))
	})
}

func TestCommandsAreShell(t *testing.T) {
	w := newWorkshop(t, "bash")
	for _, server := range ServerKinds() {
		for kind, rows := range allSnippets(server) {
			for _, row := range rows {
				if isCommand(row) && row.File != javaStart {
					path, _ := findProgram("bash")
					cmd := exec.Command(path, "-n", "-c", w.fit(row.Text))
					if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
						t.Errorf("%s %s: %v %s", server, kind, err, out)
					}
				}
			}
		}
	}
}
