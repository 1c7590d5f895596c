package scan

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/wire"
)

// serveNginx starts nginx with one server block: certificates for RSA and ECDSA, and these lines. "DIR" stands for the
// folder of its files.
func serveNginx(t *testing.T, listen, lines string) int {
	t.Helper()
	dir, port := t.TempDir(), oldPort(t)
	ca := pkitest.New(t, pkitest.RSA2048)
	conf := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;\nevents { worker_connections 256; }\nhttp { access_log off; root %[1]s;\n", dir)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	conf += fmt.Sprintf("server { listen 127.0.0.1:%d ssl %s; server_name lab.test;\n", port, listen)
	for _, k := range []pkitest.KeyType{pkitest.RSA2048, pkitest.P256} {
		files := ca.Server(k, "lab.test").Files()
		conf += fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s;\n", files.FullChain, files.Key)
	}
	conf += strings.ReplaceAll(lines, "DIR", dir) + "\n}\n}\n"
	for name, text := range map[string]string{"nginx.conf": conf, "index.html": "hello\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	startOld(t, port, "nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", filepath.Join(dir, "nginx.conf"))
	return port
}

// openSSLSuites finds out which suites a server has in a version, by one handshake of openssl for each that openssl has.
func openSSLSuites(t *testing.T, port int, v wire.Version) []wire.CipherSuite {
	t.Helper()
	openssl := pkitest.Program(t, "openssl")
	flag := map[wire.Version]string{wire.VersionTLS10: "-tls1", wire.VersionTLS11: "-tls1_1", wire.VersionTLS12: "-tls1_2"}[v]
	out, err := pkitest.Run(t, openssl, "ciphers", flag, "-s", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
	if err != nil {
		t.Fatal(out)
	}
	numbers := make(map[string]wire.CipherSuite)
	for _, p := range ciphers.All() {
		if p.OpenSSLName != "" {
			numbers[p.OpenSSLName] = p.Suite
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var taken []wire.CipherSuite
	names := make(chan string)
	for range 2 {
		wg.Go(func() {
			for name := range names {
				cmd := exec.Command(openssl, "s_client", "-connect", "127.0.0.1:"+strconv.Itoa(port), flag, "-cipher", name+":@SECLEVEL=0")
				if out, err := cmd.CombinedOutput(); err == nil && strings.Contains(string(out), "Cipher is "+name) {
					mu.Lock()
					taken = append(taken, numbers[name])
					mu.Unlock()
				}
			}
		})
	}
	for _, name := range strings.FieldsFunc(out, func(r rune) bool { return r == ':' || r == '\n' }) {
		if strings.HasPrefix(name, "TLS_") || numbers[name] == 0 {
			continue
		}
		names <- name
	}
	close(names)
	wg.Wait()
	slices.Sort(taken)
	return taken
}

// audit makes a whole scan, without leaving the machine.
func audit(t *testing.T, port int) *grade.Facts {
	t.Helper()
	all, err := New(Options{Offline: true}).Scan(context.Background(), Target{Host: "127.0.0.1", Port: port, ServerName: "lab.test"})
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	if f := all[0]; f.Unreachable != "" || len(f.Gaps) > 0 {
		t.Errorf("%q, %v", f.Unreachable, f.Gaps)
	}
	return all[0]
}

func TestAnOldServerIsKnownWholly(t *testing.T) {
	port := serveNginx(t, "", "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0; ssl_prefer_server_ciphers on;")
	f := audit(t, port)
	var old []wire.CipherSuite // what TLS 1.0 and 1.1 must have: the suites of TLS 1.2 that are as old
	parts := New(Options{}).parts
	truth := openSSLSuites(t, port, wire.VersionTLS12)
	for _, id := range truth {
		if parts[id].Since < wire.VersionTLS12 {
			old = append(old, id)
		}
	}
	pairs := 0
	for v, want := range map[wire.Version][]wire.CipherSuite{wire.VersionTLS10: old, wire.VersionTLS11: old, wire.VersionTLS12: truth} {
		p := f.Protocol(v)
		got := suiteIDs(p)
		pairs += len(got)
		slices.Sort(got)
		if !slices.Equal(got, want) || !p.Complete || p.Order != grade.Yes {
			t.Errorf("%s: %v, want %v; complete %v, order %s", v, got, want, p.Complete, p.Order)
		}
	}
	if p := f.Protocol(wire.VersionTLS13); len(p.Suites) != 3 || p.Order != grade.Yes {
		t.Errorf("%+v", p)
	}
	const most = 250
	t.Logf("%d pairs, %d connections", pairs, f.Connections)
	if f.Connections > most {
		t.Errorf("%d connections, at most %d are allowed", f.Connections, most)
	}
}

func TestAGoodServerTakesFewConnections(t *testing.T) {
	port := serveNginx(t, "http2", `ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers off; ssl_session_cache shared:SSL:1m;
		ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;
		add_header Strict-Transport-Security "max-age=63072000" always;`)
	f := audit(t, port)
	const most = 100
	t.Logf("%d connections", f.Connections)
	if f.Connections > most {
		t.Errorf("%d connections, at most %d are allowed", f.Connections, most)
	}
	if p := f.Protocol(wire.VersionTLS12); len(p.Suites) != 6 || p.Order != grade.No {
		t.Errorf("%+v", p)
	}
	if got := f.Features; !slices.Contains(got.ALPN, "h2") || got.Resumption13 != grade.Yes || got.SessionIDs != grade.Yes || f.HTTP == nil || f.HTTP.HSTS.MaxAge != 63072000 {
		t.Errorf("%+v, %+v", got, f.HTTP)
	}
}

func TestTheServersPreferenceIsSeenThrough(t *testing.T) {
	const suites = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256;"
	in := []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	for lines, want := range map[string][2]grade.Answer{
		"ssl_prefer_server_ciphers on;":                                                  {grade.Yes, grade.No},
		"ssl_prefer_server_ciphers on; ssl_conf_command Options PrioritizeChaCha;":       {grade.Yes, grade.Yes},
		"ssl_prefer_server_ciphers off;":                                                 {grade.No, grade.Unasked},
		"ssl_prefer_server_ciphers on; ssl_ciphers ECDHE-RSA-CHACHA20-POLY1305:RSA+AES;": {grade.Yes, grade.Unasked},
	} {
		if strings.Contains(lines, "RSA+AES") {
			lines = "ssl_protocols TLSv1.2;" + lines
		} else {
			lines = suites + lines
		}
		f := core(t, serveNginx(t, "", lines), Options{})
		p := f.Protocol(wire.VersionTLS12)
		if p.Order != want[0] || p.PrioritizesChaCha != want[1] || want[0] == grade.Yes && len(p.Suites) == 3 && !slices.Equal(suiteIDs(p), in) {
			t.Errorf("%s: order %q, ChaCha20 first %q, %v", lines, p.Order, p.PrioritizesChaCha, suiteIDs(p))
		}
	}
}

func TestEarlyDataOfOpenSSL(t *testing.T) {
	port := oldOpenSSL(t, newOldIdentity(t), "-tls1_3 -early_data")
	h := newHost(New(Options{}), Target{Host: "127.0.0.1", Port: port, ServerName: "lab.test"}, netip.MustParseAddr("127.0.0.1"))
	h.run(context.Background(), coreProbes()[:1])
	tickets, err := h.tickets13(context.Background())
	if err != nil || len(tickets) == 0 || tickets[0].MaxEarly == 0 {
		t.Fatalf("%+v, %v", tickets, err)
	}
	o := h.working(wire.VersionTLS13)
	o.Resume13, o.EarlyData = tickets[0], []byte("hello")
	s, err := h.finish(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if a := s.Answer(); !a.Resumed || !a.EarlyAccepted {
		t.Errorf("resumed %v, early data taken %v", a.Resumed, a.EarlyAccepted)
	}
	h.session.close()
}
