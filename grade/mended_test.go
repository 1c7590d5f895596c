//go:build unix

package grade_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/scan"
)

const mendedHost = "www.example.org"

// bench is a real server that can be started with one configuration after another.
type bench struct {
	t     *testing.T
	dir   string
	port  int
	root  *x509.Certificate
	inter *x509.Certificate
}

func newBench(t *testing.T, program string) *bench {
	t.Helper()
	if _, err := lookUp(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and CI=true", program)
		}
		t.Skipf("%s is not installed", program)
	}
	ca := pkitest.New(t, pkitest.P256)
	b := &bench{t: t, dir: t.TempDir(), root: ca.Root, inter: ca.Intermediate}
	files := ca.Server(pkitest.RSA2048, mendedHost).Files()
	for from, to := range map[string][]string{
		files.Cert: {"cert.pem"}, files.FullChain: {"fullchain.pem"}, files.Chain: {"chain.pem"}, files.Key: {"privkey.pem"},
	} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range to {
			b.write(name, string(text))
		}
	}
	ports, err := freeport.Numbers(1)
	if err != nil {
		t.Fatal(err)
	}
	b.port = ports[0]
	return b
}

func lookUp(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

func (b *bench) write(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// judge starts the server, scans and judges it, and stops it again.
func (b *bench) judge(kind, program string, args ...string) *grade.Result {
	b.t.Helper()
	path, err := lookUp(program)
	if err != nil {
		b.t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a server's workers end with it
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}()
	if !b.await(ended) {
		<-ended
		b.t.Fatalf("%s does not stay up: %s", program, out.String())
	}
	s := scan.New(scan.Options{
		Offline: true, Simulate: true, HostTimeout: time.Minute,
		Stores: []scan.Store{{Name: "test", Roots: []*x509.Certificate{b.root}, Intermediates: []*x509.Certificate{b.inter}}},
		LookUp: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
		},
	})
	all, err := s.Scan(b.t.Context(), scan.Target{Host: mendedHost, Port: b.port, ServerName: mendedHost})
	if err != nil || len(all) != 1 {
		b.t.Fatalf("%d facts, %v: %s", len(all), err, out.String())
	}
	return grade.Judge(all[0], grade.Options{ServerKind: kind, Policies: []grade.Policy{}})
}

// await asks until somebody answers; false: the server has ended instead.
func (b *bench) await(ended <-chan struct{}) bool {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(b.port))
		if err == nil {
			conn.Close()
			return true
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("nobody answers: %v", err)
		case <-ended:
			return false
		case <-again.C:
		}
	}
}

// configuration is a list of directives, one a line; a new one takes the place of an old one of the same name.
type configuration []string

// apply puts the lines of a snippet into a configuration. Names that may be there many times are added.
func (c configuration) apply(text string, many ...string) configuration {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		name, _, _ := strings.Cut(line, " ")
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		i := slices.IndexFunc(c, func(old string) bool { was, _, _ := strings.Cut(old, " "); return was == name })
		switch {
		case slices.Contains(c, line):
		case i >= 0 && !slices.Contains(many, name):
			c[i] = line
		default:
			c = append(c, line)
		}
	}
	return c
}

// fixes are the snippets for a kind of server of all findings that cost something.
func fixes(t *testing.T, r *grade.Result, kind string) []grade.Snippet {
	t.Helper()
	var list []grade.Snippet
	for _, f := range r.Findings {
		if f.Cap == "" {
			continue
		}
		if f.Fix == nil || len(f.Fix.Snippets) == 0 || f.Fix.Snippets[0].Server != kind {
			t.Errorf("%s costs %s and has no fix for %s", f.Rule, f.Cap, kind)
			continue
		}
		list = append(list, f.Fix.Snippets[0])
	}
	return list
}

func TestAnOldNginxWithAllItsFixesGetsAPlus(t *testing.T) {
	b := newBench(t, "nginx")
	server := configuration{
		"ssl_protocols TLSv1 TLSv1.1 TLSv1.2;", "ssl_ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0;",
		"ssl_certificate " + b.dir + "/cert.pem;", "ssl_certificate_key " + b.dir + "/privkey.pem;",
	}
	judge := func() *grade.Result {
		text := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log stderr;\nevents { }\nhttp {\naccess_log off;\nclient_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;\nserver {\nlisten 127.0.0.1:%[2]d ssl;\nserver_name %[3]s;\n%[4]s\nlocation / { return 200 ok; }\n}\n}\n",
			b.dir, b.port, mendedHost, strings.Join(server, "\n"))
		return b.judge("nginx", "nginx", "-e", "stderr", "-p", b.dir, "-c", b.write("nginx.conf", text))
	}
	before := judge()
	if before.Grade != "F" {
		t.Fatalf("the old server has %s", before.Grade)
	}
	for _, s := range fixes(t, before, "nginx") {
		server = server.apply(strings.ReplaceAll(s.Text, "/etc/letsencrypt/live/"+mendedHost, b.dir), "add_header")
	}
	if after := judge(); after.Grade != "A+" {
		t.Errorf("with all fixes it has %s: %q\n%s", after.Grade, after.Missing, strings.Join(server, "\n"))
	}
}

func TestAnOldHAProxyWithAllItsFixesGetsAPlus(t *testing.T) {
	b := newBench(t, "haproxy")
	full, err := os.ReadFile(filepath.Join(b.dir, "fullchain.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(b.dir, "privkey.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pem := b.write("both.pem", string(full)+string(key))
	global := configuration{"ssl-default-bind-options ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.2", "ssl-default-bind-ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0"}
	front := configuration{fmt.Sprintf("bind 127.0.0.1:%d ssl crt %s", b.port, pem), "http-request return status 200 content-type text/plain string ok"}
	judge := func() *grade.Result {
		text := fmt.Sprintf("global\n%s\ndefaults\nmode http\ntimeout client 5s\ntimeout server 5s\ntimeout connect 5s\nfrontend f\n%s\n", strings.Join(global, "\n"), strings.Join(front, "\n"))
		return b.judge("HAProxy", "haproxy", "-db", "-f", b.write("haproxy.cfg", text))
	}
	before := judge()
	if before.Grade != "F" {
		t.Fatalf("the old server has %s", before.Grade)
	}
	// The fix for no TLS 1.3 says more than the one for the old versions, and both name the same option.
	for _, s := range fixes(t, before, "HAProxy") {
		if strings.Contains(s.File, "global") {
			global = global.apply(s.Text)
		} else {
			front = front.apply(s.Text, "http-after-response", "http-request")
		}
	}
	if after := judge(); after.Grade != "A+" {
		t.Errorf("with all fixes it has %s: %q\n%s\n%s", after.Grade, after.Missing, strings.Join(global, "\n"), strings.Join(front, "\n"))
	}
}

func TestAnOldApacheWithAllItsFixesGetsAPlus(t *testing.T) {
	b := newBench(t, "apache2")
	var modules strings.Builder
	for _, m := range []string{"mpm_event", "authz_core", "alias", "headers", "socache_shmcb", "ssl"} {
		fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
	}
	site := configuration{
		"SSLProtocol -all +TLSv1 +TLSv1.1 +TLSv1.2", "SSLCipherSuite ALL:COMPLEMENTOFALL:@SECLEVEL=0", "SSLCompression off",
		"SSLCertificateFile " + b.dir + "/cert.pem", "SSLCertificateKeyFile " + b.dir + "/privkey.pem",
	}
	judge := func() *grade.Result {
		text := fmt.Sprintf("ServerRoot %[1]s\nServerName base.example\nPidFile %[1]s/pid\nErrorLog /dev/stderr\nDefaultRuntimeDir %[1]s\nListen 127.0.0.1:%[2]d\n%[3]s<IfModule unixd_module>\nUser nobody\nGroup nogroup\n</IfModule>\n<VirtualHost *:%[2]d>\nServerName %[4]s\nSSLEngine on\n%[5]s\n</VirtualHost>\n",
			b.dir, b.port, modules.String(), mendedHost, strings.Join(site, "\n"))
		return b.judge("Apache", "apache2", "-DFOREGROUND", "-f", b.write("apache.conf", text))
	}
	before := judge()
	if before.Grade != "B" { // Apache never offers suites without encryption or authentication
		t.Fatalf("the old server has %s", before.Grade)
	}
	for _, s := range fixes(t, before, "Apache") {
		site = site.apply(strings.ReplaceAll(s.Text, "/etc/letsencrypt/live/"+mendedHost, b.dir), "Header")
	}
	if after := judge(); after.Grade != "A+" {
		t.Errorf("with all fixes it has %s: %q\n%s", after.Grade, after.Missing, strings.Join(site, "\n"))
	}
}
