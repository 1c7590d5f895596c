package scan

import (
	"crypto/tls"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/wire"
)

// simulated are the clients' results with the server at a port of loopback.
func simulated(t *testing.T, port int) map[string]grade.Simulation {
	t.Helper()
	s := New(Options{Simulate: true, AllClients: true, Offline: true})
	h := newHost(s, Target{Host: "localhost", Port: port}, netip.MustParseAddr("127.0.0.1"))
	h.run(t.Context(), slices.DeleteFunc(allProbes(), func(p probe) bool { return p.name != "versions" && p.name != "well-known clients" }))
	f := h.finished()
	if len(f.Gaps) > 0 {
		t.Errorf("gaps: %+v", f.Gaps)
	}
	results := make(map[string]grade.Simulation)
	for _, r := range f.Simulations {
		results[r.Client] = r
	}
	return results
}

// goServer is a server of crypto/tls, which differs from ours in all but the protocol.
func goServer(t *testing.T, c *tls.Config) int {
	t.Helper()
	id := newOldIdentity(t)
	pair, err := tls.LoadX509KeyPair(id.cert, id.key)
	if err != nil {
		t.Fatal(err)
	}
	c.Certificates = []tls.Certificate{pair}
	l, err := tls.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.(*tls.Conn).Handshake() // the client breaks it off
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func TestClientsComeToWhatTheServerLetsThem(t *testing.T) {
	const (
		aes128     = wire.CipherSuite(0x1301)
		gcm        = wire.CipherSuite(0xc02f)
		rsaCBC     = wire.CipherSuite(0x002f)
		tripleDES  = wire.CipherSuite(0x000a)
		notOffered = grade.Answer("no")
	)
	for name, c := range map[string]struct {
		config *tls.Config
		want   map[string]grade.Simulation
	}{
		"modern": {&tls.Config{NextProtos: []string{"h2"}}, map[string]grade.Simulation{
			"Chromium 156":    {OK: grade.Yes, Version: wire.VersionTLS13, Suite: aes128, Group: wire.GroupX25519MLKEM768},
			"Firefox 153 ESR": {OK: grade.Yes, Version: wire.VersionTLS13, Suite: aes128, Group: wire.GroupX25519MLKEM768},
			"Android 7":       {OK: grade.Yes, Version: wire.VersionTLS12, Suite: gcm, Group: wire.GroupSecp256r1, KeyType: "RSA", ALPN: "h2"},
			"Java 7u25":       {OK: notOffered},
		}},
		"another group than the one shared": {&tls.Config{MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.CurveP384}}, map[string]grade.Simulation{
			"Chrome 70 / Windows 10": {OK: grade.Yes, Version: wire.VersionTLS13, Suite: aes128, Group: wire.GroupSecp384r1},
			"Android 7":              {OK: notOffered},
		}},
		"a group that browsers do not have": {&tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP521}, CipherSuites: []uint16{uint16(gcm)}}, map[string]grade.Simulation{
			"Chromium 156":    {OK: notOffered},
			"Firefox 153 ESR": {OK: grade.Yes, Version: wire.VersionTLS13, Suite: aes128, Group: wire.GroupSecp521r1},
			"OpenSSL 1.0.1u":  {OK: grade.Yes, Version: wire.VersionTLS12, Suite: gcm, Group: wire.GroupSecp521r1, KeyType: "RSA"},
		}},
		"old": {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{uint16(rsaCBC)}}, map[string]grade.Simulation{
			"Chromium 156":                     {OK: notOffered},
			"Chrome 70 / Windows 10":           {OK: grade.Yes, Version: wire.VersionTLS10, Suite: rsaCBC, KeyType: "RSA"},
			"Java 6u45":                        {OK: grade.Yes, Version: wire.VersionTLS10, Suite: rsaCBC, KeyType: "RSA"},
			"Internet Explorer 8 / Windows XP": {OK: notOffered},
			"OpenSSL 0.9.8y":                   {OK: grade.Yes, Version: wire.VersionTLS10, Suite: rsaCBC, KeyType: "RSA"},
		}},
		"64-bit blocks": {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{uint16(tripleDES)}}, map[string]grade.Simulation{
			"Internet Explorer 8 / Windows XP": {OK: grade.Yes, Version: wire.VersionTLS10, Suite: tripleDES, KeyType: "RSA"},
			"Safari 16 / macOS 13":             {OK: grade.Yes, Version: wire.VersionTLS12, Suite: tripleDES, KeyType: "RSA"},
			"Firefox 153 ESR":                  {OK: notOffered},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := simulated(t, goServer(t, c.config))
			for client, want := range c.want {
				r := got[client]
				if r.OK != want.OK || want.OK == grade.No && r.Problem == "" {
					t.Errorf("%s: %+v", client, r)
				}
				if want.OK == grade.Yes && (r.Version != want.Version || r.Suite != want.Suite || r.Group != want.Group || r.KeyType != want.KeyType || r.ALPN != want.ALPN) {
					t.Errorf("%s: %+v, want %+v", client, r, want)
				}
			}
		})
	}
}

func TestJavaStopsAtLongDiffieHellman(t *testing.T) {
	id := newOldIdentity(t)
	dh := filepath.Join(id.dir, "dh.pem")
	if out, err := exec.Command(pkitest.Program(t, "openssl"), "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:modp_2048", "-out", dh).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	port := oldOpenSSL(t, id, "-tls1 -cipher DHE-RSA-AES128-SHA:@SECLEVEL=0 -dhparam "+dh)
	got := simulated(t, port)
	for client, want := range map[string]string{"Java 6u45": "have 2048 bits, and it can do 1024", "Java 7u25": "it can do 1024", "Chromium 156": "nothing older than TLS 1.2"} {
		if r := got[client]; r.OK != grade.No || !strings.Contains(r.Problem, want) {
			t.Errorf("%s: %+v", client, r)
		}
	}
	if r := got["OpenSSL 1.0.1u"]; r.OK != grade.Yes || r.Suite != 0x0033 {
		t.Errorf("%+v", r)
	}
}

// TestRealClientsComeToTheSame asks the programs themselves that the hellos were captured from.
func TestRealClientsComeToTheSame(t *testing.T) {
	id := newOldIdentity(t)
	for _, args := range []string{"-www -tls1_2 -cipher AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256", "-www -tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256 -curves P-384",
		"-www -serverpref -cipher CAMELLIA128-SHA:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-CHACHA20-POLY1305 -no_tls1_3"} {
		t.Run(args, func(t *testing.T) {
			port := oldOpenSSL(t, id, args)
			got := simulated(t, port)
			at := net.JoinHostPort("localhost", strconv.Itoa(port))
			for client, command := range map[string][]string{
				"OpenSSL 3.0":             {"openssl", "OpenSSL 3.0", "version", "s_client", "-connect", at, "-4"},
				"curl 7.88 (OpenSSL 3.0)": {"curl", "curl 7.88", "--version", "-4", "-k", "-v", "-s", "-m", "5", "https://" + at + "/"},
				"GnuTLS 3.7":              {"gnutls-cli", "gnutls-cli 3.7", "--version", "--insecure", "--port", strconv.Itoa(port), "localhost"},
			} {
				program := pkitest.Program(t, command[0])
				if version, err := exec.Command(program, command[2]).Output(); err != nil || !strings.Contains(string(version), command[1]) {
					t.Logf("%s is another release than the one whose hello was captured: %.60s", program, version)
					continue
				}
				cmd := exec.Command(program, command[3:]...)
				out, _ := cmd.CombinedOutput() // how it ends does not matter: what it says is compared
				parts, _ := ciphers.Apart(got[client].Suite)
				switch want := settled(string(out)); want {
				case "":
					t.Errorf("%s: what did it settle on?\n%.2000s", client, out)
				case parts.OpenSSLName, got[client].SuiteName:
				default:
					t.Errorf("%s comes to %s, its hello to %+v", client, want, got[client])
				}
			}
		})
	}
}

// settled finds the cipher suite in what a client says.
func settled(out string) string {
	for _, r := range []string{`SSL connection using [A-Za-z0-9.]+ / ([A-Z0-9_-]+)`, `Cipher is ([A-Z0-9_-]+)`} {
		if m := regexp.MustCompile(r).FindStringSubmatch(out); m != nil {
			return m[1]
		}
	}
	// GnuTLS puts its own words together: (TLS1.2)-(ECDHE-X25519)-(RSA-PSS-RSAE-SHA256)-(AES-128-GCM)
	m := regexp.MustCompile(`- Description: \(TLS([0-9.]+)-[^)]*\)-(?:\(([A-Z]+)-[^)]*\)-)?.*\(([A-Z0-9-]+)\)(?:-\((SHA[0-9]+|AEAD)\))?`).FindStringSubmatch(out)
	if m == nil {
		return ""
	}
	switch m[1] + " " + m[3] {
	case "1.3 CHACHA20-POLY1305":
		return "TLS_CHACHA20_POLY1305_SHA256"
	case "1.2 AES-128-GCM":
		return "ECDHE-RSA-AES128-GCM-SHA256"
	case "1.2 CHACHA20-POLY1305":
		return "ECDHE-RSA-CHACHA20-POLY1305"
	}
	return m[0]
}
