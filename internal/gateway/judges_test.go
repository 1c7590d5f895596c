package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// accept says whether the judges take their full time: `make accept`.
func accept() bool { return os.Getenv("TLSWRIGHT_ACCEPT") == "1" }

// many is how often something is tried: all when accepting, else a few times.
func many(few, all int) int {
	if accept() {
		return all
	}
	return few
}

// caller is one of six clients that others judge a server by.
type caller struct {
	name string
	leaf *pkitest.Leaf // nil: it has no certificate

	reason, rule string // of the refusal; "": it is let in
	alert        string // as curl with OpenSSL 3.0 puts it
}

// callers are a client that is let in and five that are not, each for another reason.
func callers(w *world) []caller {
	return []caller{
		{name: "ok", leaf: issueClient(w.ca, "alice")},
		{name: "no certificate", reason: "no-certificate", rule: "clients.mode: require", alert: "certificate required"},
		{name: "unknown CA", leaf: issueClient(w.ca.Stranger(), "alice"), reason: reasonUnknownCA, rule: "clients.ca", alert: "unknown ca"},
		{name: "expired", leaf: w.ca.ExpiredClient(pkitest.P256, "alice"), reason: reasonExpired, rule: "clients.ca", alert: "certificate expired"},
		{name: "other name", leaf: issueClient(w.ca, "mallory"), reason: "no-rule", rule: ruleDefault, alert: "access denied"},
		{name: "server certificate", leaf: w.ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileServer, SANs: []string{"alice.test"}}), reason: reasonUsage, rule: "clients.ca", alert: "bad certificate"},
	}
}

// curl asks the gateway as curl does, and returns what it printed.
func (w *world) curl(leaf *pkitest.Leaf, more ...string) (string, error) {
	w.t.Helper()
	_, port, err := net.SplitHostPort(w.addr())
	if err != nil {
		w.t.Fatal(err)
	}
	args := []string{"-sS", "-m", "20", "--cacert", w.ca.RootFile(), "--resolve", "app.test:" + port + ":127.0.0.1"}
	if leaf != nil {
		f := leaf.Files()
		args = append(args, "--cert", f.FullChain, "--key", f.Key)
	}
	args = append(args, more...)
	return pkitest.Run(w.t, pkitest.Program(w.t, "curl"), append(args, "https://app.test:"+port+"/")...)
}

// forAlice lets in alice alone.
func forAlice(w *world) {
	s := &w.config.Sites[0]
	s.Target = config.Target{Status: 204}
	w.mutual(s, access.Rule{Name: "sites.app.clients.allow[0]", CN: "alice"})
}

// TestEveryRefusalSaysWhyWhomAndWhatToDo is the table by which other servers were found mute.
func TestEveryRefusalSaysWhyWhomAndWhatToDo(t *testing.T) {
	for _, protocol := range []config.Protocol{config.ProtocolHTTPS, config.ProtocolTLS} {
		t.Run(string(protocol), func(t *testing.T) {
			w := newWorld(t)
			forAlice(w)
			if protocol == config.ProtocolTLS {
				w.config.Listeners[0].Protocol = protocol
				w.config.Sites[0].Target = config.Target{Echo: true}
			}
			w.start()
			for _, c := range callers(w) {
				judgeCaller(t, w, c, protocol)
			}
		})
	}
}

func judgeCaller(t *testing.T, w *world, c caller, protocol config.Protocol) {
	t.Helper()
	if c.reason == "" && protocol == config.ProtocolTLS {
		conn, err := w.raw("app.test", c.leaf)
		if err != nil {
			t.Fatal(err)
		}
		back := make([]byte, 5)
		if _, err := io.WriteString(conn, "hello"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, back); err != nil || string(back) != "hello" {
			t.Errorf("%s: %v: %q came back", c.name, err, back)
		}
		return
	}
	out, err := w.curl(c.leaf, "-o", "/dev/null", "-w", "%{http_code}")
	if c.reason == "" {
		if err != nil || out != "204" {
			t.Errorf("%s: %v: %s", c.name, err, out)
		}
		return
	}
	if err == nil || !strings.Contains(out, "alert") && !strings.Contains(out, c.alert) {
		t.Errorf("%s: the client does not say which alert it got: %v: %s", c.name, err, out)
	}
	d := w.told.denial(t, c.reason)
	if d.ID == "" || d.Text == "" || d.Fix == "" || d.Site != "app" || d.Listener != "main" || d.Remote == "" || d.ServerName != "app.test" || d.Alert == "" || d.Layer != "tls" || d.Rule != c.rule {
		t.Errorf("%s: told: %+v", c.name, d)
	}
	if c.rule == ruleDefault && d.Nearest == "" {
		t.Errorf("%s: it is not told what would be let in: %+v", c.name, d)
	}
	if (d.Cert == nil) != (c.leaf == nil) {
		t.Fatalf("%s: certificate %+v", c.name, d.Cert)
	}
	if c.leaf == nil {
		return
	}
	want := c.leaf.Certificate
	if d.Cert.Serial != fmt.Sprintf("%x", want.SerialNumber) || !strings.HasSuffix(pki.Name(want.Subject), d.Cert.Subject) || len(d.Cert.SHA256) != 64 || d.Cert.Issuer == "" || !d.Cert.NotAfter.Equal(want.NotAfter) {
		t.Errorf("%s: certificate %+v", c.name, d.Cert)
	}
}

// TestEveryRefusedClientSeesItsAlertAccept: a server that closes too soon loses the alert on its way, more often than not.
func TestEveryRefusedClientSeesItsAlertAccept(t *testing.T) {
	w := newWorld(t)
	forAlice(w)
	w.start()
	tries := many(10, 200)
	for _, c := range callers(w)[1:3] {
		for i := range tries {
			if out, err := w.curl(c.leaf); err == nil || !strings.Contains(out, "alert") {
				t.Fatalf("curl, %s, try %d: %v: %s", c.name, i, err, out)
			}
		}
		for i := range tries {
			if out := w.sClient(c.leaf); !strings.Contains(out, "alert number") && !strings.Contains(out, "SSL alert") {
				t.Fatalf("openssl, %s, try %d: %s", c.name, i, out)
			}
		}
	}
}

// sClient sends a request by openssl s_client, and returns all that it printed.
func (w *world) sClient(leaf *pkitest.Leaf) string {
	w.t.Helper()
	args := []string{"s_client", "-connect", w.addr(), "-servername", "app.test", "-CAfile", w.ca.RootFile(), "-ign_eof"}
	if leaf != nil {
		f := leaf.Files()
		args = append(args, "-cert", f.Cert, "-cert_chain", f.Chain, "-key", f.Key)
	}
	cmd := exec.Command(pkitest.Program(w.t, "openssl"), args...)
	cmd.Stdin = strings.NewReader("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
	out, _ := cmd.CombinedOutput() // its exit code is 0 whatever happens
	return string(out)
}

// TestVerificationThatBindsToNothingIsAnError: another server says "looks ok" to client verification that is written where it
// applies to nothing, and lets everybody in.
func TestVerificationThatBindsToNothingIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"clients of the listener": `
  listeners: [{address: "127.0.0.1:0", clients: {ca: own, allow: verified}}]
  sites: {app: {target: echo}}`,
		"clients of the gateway": `
  listeners: [{address: "127.0.0.1:0"}]
  clients: {ca: own, allow: verified}
  sites: {app: {target: echo}}`,
		"a site that no listener reaches": `
  listeners: [{address: "127.0.0.1:0", sites: [app]}]
  sites: {app: {target: 204}, closed: {hosts: closed.test, target: 204, clients: {ca: own, allow: verified}}}`,
		"a CA and no word about who may come in": `
  listeners: [{address: "127.0.0.1:0"}]
  sites: {app: {target: 204, clients: {ca: own}}}`,
		"rules and no CA": `
  listeners: [{address: "127.0.0.1:0"}]
  sites: {app: {target: 204, clients: {allow: {cn: alice}}}}`,
		"rules of a route whose site asks nobody": `
  listeners: [{address: "127.0.0.1:0"}]
  sites: {app: {target: 204, routes: [{path: /admin, allow: {cn: alice}}]}}`,
		"an http listener alone": `
  listeners: [{address: "127.0.0.1:0", protocol: http}]
  sites: {app: {target: 204, clients: {ca: own, allow: verified}}}`,
	} {
		if _, err := config.ReadGateway([]byte("gateway:" + text + "\n")); err == nil {
			t.Errorf("%s: nothing is wrong with it", name)
		} else if e, ok := err.(*config.Error); ok && e.Line == 0 {
			t.Errorf("%s: %v: it is not told where", name, err)
		}
	}
}

// TestDefaultSiteIsNoWayAroundClientCertificates: a second site of the same listener that asks nobody for a certificate, and
// a client that names no server, or another, or only in the request.
func TestDefaultSiteIsNoWayAroundClientCertificates(t *testing.T) {
	w := newWorld(t)
	closed := w.site("closed", "closed.test")
	closed.Target = config.Target{Status: 204}
	w.mutual(&closed, access.Rule{Name: "closed", CN: "alice"})
	open := w.site("open")
	open.Target = config.Target{Status: 206}
	w.config.Sites = []config.Site{closed, open}
	w.start()
	_, port, err := net.SplitHostPort(w.addr())
	if err != nil {
		t.Fatal(err)
	}
	curl := pkitest.Program(t, "curl")
	to := "127.0.0.1:" + port
	for _, c := range []struct {
		name, url string
		args      []string
		want      string
	}{
		{"by name", "https://closed.test:" + port + "/", nil, "000"},
		{"no name in TLS", "https://" + to + "/", []string{"-H", "Host: closed.test"}, "421"},
		{"another name in TLS", "https://other.test:" + port + "/", []string{"-H", "Host: closed.test"}, "421"},
		{"with a port", "https://other.test:" + port + "/", []string{"-H", "Host: CLOSED.test.:" + port}, "421"},
		{"in the target", "https://other.test:" + port + "/", []string{"--request-target", "https://closed.test/"}, "400 or 421"},
		{"the default", "https://other.test:" + port + "/", nil, "206"},
	} {
		for _, version := range []string{"--http1.1", "--http2"} {
			args := append([]string{"-sSk", "-o", "/dev/null", "-w", "%{http_code}", version, "--connect-to", "::" + to, "-m", "20"}, c.args...)
			var out bytes.Buffer
			cmd := exec.Command(curl, append(args, c.url)...)
			cmd.Stdout = &out
			_ = cmd.Run() // the code says it
			if !strings.Contains(c.want, out.String()) || out.Len() != 3 {
				t.Errorf("%s, %s: %q, want %s", c.name, version, out.String(), c.want)
			}
		}
	}
}
