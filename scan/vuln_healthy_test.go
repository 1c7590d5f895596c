package scan

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/relics"
)

// healthyServers are real servers of today: nothing is wrong with any of them.
func healthyServers() map[string]func(t *testing.T) int {
	openssl := func(args string) func(t *testing.T) int {
		return func(t *testing.T) int { return oldOpenSSL(t, newOldIdentity(t), args) }
	}
	return map[string]func(t *testing.T) int{
		"openssl":             openssl("-www"),
		"openssl TLS 1.2":     openssl("-www -tls1_2"),
		"openssl all suites":  openssl("-www -cipher ALL:@SECLEVEL=0"),
		"openssl TLS 1.0":     openssl("-www -tls1 -cipher ALL:!eNULL:@SECLEVEL=0"),
		"gnutls":              func(t *testing.T) int { return oldGnuTLS(t, newOldIdentity(t), "NORMAL") },
		"gnutls old versions": func(t *testing.T) int { return oldGnuTLS(t, newOldIdentity(t), "NORMAL:+VERS-TLS1.0:+VERS-TLS1.1") },
		"gnutls heartbeat":    healthyHeartbeat,
		"nss":                 func(t *testing.T) int { return oldNSS(t, newOldIdentity(t), "-V tls1.0:tls1.3") },
		"nginx":               func(t *testing.T) int { return healthyNginx(t, "") },
		"nginx early data":    func(t *testing.T) int { return healthyNginx(t, "ssl_early_data on;") },
		"crypto/tls":          func(t *testing.T) int { return healthyGo(t, &tls.Config{}) },
		"crypto/tls TLS 1.0":  func(t *testing.T) int { return healthyGo(t, &tls.Config{MinVersion: tls.VersionTLS10}) },
		"crypto/tls TLS 1.2":  func(t *testing.T) int { return healthyGo(t, &tls.Config{MaxVersion: tls.VersionTLS12}) },
		"our own":             func(t *testing.T) int { return relics.Modern(t).Port },
		"our own, early data": func(t *testing.T) int { return relics.EarlyData(t, false).Port },
		"java":                func(t *testing.T) int { return oldJava(t, newOldIdentity(t), "TLSv1.2", "ECDHE_RSA_WITH_AES") },
	}
}

// healthyTruths are the vulnerabilities that a server has as it comes out of its package.
func healthyTruths(name string) []string {
	switch {
	case strings.HasPrefix(name, "gnutls"): // any number of handshakes that the client begins
		return []string{"client-renegotiation"}
	case name == "java":
		return []string{"client-renegotiation"}
	case name == "nss":
		return []string{"client-renegotiation", "rc4"}
	}
	return nil
}

func healthyHeartbeat(t *testing.T) int {
	id, port := newOldIdentity(t), oldPort(t)
	startOld(t, port, "gnutls-serv", "--http", "--heartbeat", "-p", strconv.Itoa(port), "--x509certfile", id.cert, "--x509keyfile", id.key,
		"--priority", "NORMAL:-VERS-TLS1.3:+VERS-TLS1.0:+VERS-TLS1.1")
	return port
}

func healthyGo(t *testing.T, c *tls.Config) int {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	s.TLS = c
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}

func healthyNginx(t *testing.T, more string) int {
	id, port := newOldIdentity(t), oldPort(t)
	config := filepath.Join(id.dir, "nginx.conf")
	text := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log; events {}\nhttp { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n"+
		"server { listen 127.0.0.1:%[2]d ssl; ssl_certificate %[3]s; ssl_certificate_key %[4]s; ssl_protocols TLSv1.2 TLSv1.3; add_header Strict-Transport-Security max-age=63072000; %[5]s location / { return 200 hello; } } }\n",
		id.dir, port, id.cert, id.key, more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startOld(t, port, "nginx", "-p", id.dir, "-c", config)
	return port
}

func TestHealthyServersAreNotCalledVulnerable(t *testing.T) {
	for name, start := range healthyServers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scanner := New(Options{Timeout: 5 * time.Second, HostTimeout: 30 * time.Second, HTTPPort: 1})
			all, err := scanner.Scan(context.Background(), Target{Host: "127.0.0.1", Port: start(t), ServerName: "lab.test"})
			if err != nil || len(all) != 1 || all[0].Unreachable != "" {
				t.Fatalf("%+v, %v", all, err)
			}
			f := all[0]
			for _, v := range f.Vulnerabilities {
				if v.Verdict == grade.Vulnerable && !slices.Contains(healthyTruths(name), v.ID) {
					t.Errorf("%+v", v)
				}
				if v.Verdict == grade.Inconclusive && v.ID != "debian-weak-key" && len(f.Gaps) == 0 {
					t.Errorf("no verdict, and no gap: %+v", v)
				}
			}
			t.Logf("%d connections, %.1f s, gaps %v", f.Connections, f.Seconds, f.Gaps)
		})
	}
}
