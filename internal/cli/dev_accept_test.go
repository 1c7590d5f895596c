//go:build linux

package cli

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/devhttps"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlsnet"
)

// devWorld is a machine of its own as far as trust is concerned: the real programs, the real folders of the stores as copies
// that only its own processes see, and an empty home folder.
type devWorld struct {
	t    *testing.T
	dir  string
	port string
	env  []string // of "dev env", once it was asked for
}

// newDevWorld needs root, to have folders of its own in the place of the machine's.
func newDevWorld(t *testing.T) *devWorld {
	t.Helper()
	if os.Getenv("TLSWRIGHT_ACCEPT") != "1" {
		t.Skip("the machine's stores and five programs: TLSWRIGHT_ACCEPT=1 runs it")
	}
	if os.Geteuid() != 0 {
		t.Skip("a mount namespace needs root")
	}
	for _, p := range []string{"unshare", "update-ca-certificates", "curl", "chromium", "node", "python3", "javac", "certutil"} {
		pkitest.Program(t, p)
	}
	w := &devWorld{t: t, dir: t.TempDir()}
	w.run("cp", "-a", "/etc/ssl", filepath.Join(w.dir, "ssl"))
	w.run("cp", "-a", "/usr/local/share/ca-certificates", filepath.Join(w.dir, "anchors"))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(w.dir, "tlswright")); err != nil { // see TestMain
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(w.dir, "home"), 0o700); err != nil {
		t.Fatal(err)
	}
	if w.port, err = freeport.Number(); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *devWorld) run(name string, args ...string) {
	w.t.Helper()
	if out, err := exec.CommandContext(w.t.Context(), name, args...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// inside makes a command whose process sees the copies in the place of the machine's stores.
func (w *devWorld) inside(ctx context.Context, args ...string) *exec.Cmd {
	script := `mount --bind "$0/ssl" /etc/ssl && mount --bind "$0/anchors" /usr/local/share/ca-certificates && exec "$@"`
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "sh", "-c", script, w.dir}, args...)...)
	cmd.Dir = w.dir
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasSuffix(name, "_proxy") && !strings.HasSuffix(name, "_PROXY") && name != "SSL_CERT_FILE" && name != "XDG_DATA_HOME" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+filepath.Join(w.dir, "home"), "TLSWRIGHT_HOME="+filepath.Join(w.dir, "tlswright-home"))
	cmd.Env = append(cmd.Env, w.env...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

func (w *devWorld) tlswright(args ...string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Minute)
	defer cancel()
	out, err := w.inside(ctx, append([]string{filepath.Join(w.dir, "tlswright")}, args...)...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("tlswright %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// serve starts `dev` and waits until it serves. stop ends it as Ctrl-C does.
func (w *devWorld) serve(args ...string) (said string, stop func()) {
	w.t.Helper()
	cmd := w.inside(context.Background(), append([]string{filepath.Join(w.dir, "tlswright"), "dev", "--port", w.port}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out := filepath.Join(w.dir, "dev.out")
	f, err := os.Create(out)
	if err != nil {
		w.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ready := regexp.MustCompile(`(?m)^https://\S+$`)
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		text, _ := os.ReadFile(out)
		if said = string(text); ready.MatchString(said) {
			break
		}
		select {
		case err := <-ended:
			w.t.Fatalf("dev ended: %v\n%s", err, said)
		default:
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			w.t.Fatalf("dev does not serve:\n%s", said)
		}
	}
	return said, func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := <-ended; err != nil {
			text, _ := os.ReadFile(out)
			w.t.Errorf("dev ended with %v\n%s", err, text)
		}
		_ = f.Close()
	}
}

// The programs ask for a page of a host that is this machine, and print it.
const (
	askPython = `import socket,ssl,sys
host,port=sys.argv[1],int(sys.argv[2])
s=ssl.create_default_context().wrap_socket(socket.create_connection(("127.0.0.1",port),30),server_hostname=host)
s.sendall(("GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"%host).encode())
b=b""
while True:
    d=s.recv(65536)
    if not d: break
    b+=d
print(b.decode())`
	askNode = `const[h,p]=process.argv.slice(1);require("https").get({host:"127.0.0.1",port:p,servername:h,headers:{host:h}},
r=>{r.on("data",d=>process.stdout.write(d))}).on("error",e=>{console.error(e.code,e.message);process.exit(1)})`
	askJava = `import java.io.*;import java.net.*;import javax.net.ssl.*;
public class Ask{public static void main(String[] a)throws Exception{
Socket raw=new Socket("127.0.0.1",Integer.parseInt(a[1]));
SSLSocket s=(SSLSocket)((SSLSocketFactory)SSLSocketFactory.getDefault()).createSocket(raw,a[0],raw.getPort(),true);
SSLParameters p=s.getSSLParameters();p.setEndpointIdentificationAlgorithm("HTTPS");s.setSSLParameters(p);
s.getOutputStream().write(("GET / HTTP/1.1\r\nHost: "+a[0]+"\r\nConnection: close\r\n\r\n").getBytes());
System.out.println(new String(s.getInputStream().readAllBytes()));}}`
)

// ask has a program fetch a page. seen says whether it showed the page; said is what it wrote.
func (w *devWorld) ask(program, host, port string) (seen bool, said string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	defer cancel()
	var args []string
	switch program {
	case "curl":
		args = []string{"curl", "-sS", "--resolve", host + ":" + port + ":127.0.0.1", "https://" + host + ":" + port + "/"}
	case "python":
		args = []string{"python3", "-c", askPython, host, port}
	case "node":
		args = []string{"node", "-e", askNode, host, port}
	case "java":
		source := filepath.Join(w.dir, "Ask.java")
		if err := os.WriteFile(source, []byte(askJava), 0o600); err != nil {
			w.t.Fatal(err)
		}
		args = []string{"java", source, host, port}
	case "chromium":
		args = []string{"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
			"--user-data-dir=" + w.t.TempDir(), "--host-resolver-rules=MAP * 127.0.0.1", "--dump-dom", "https://" + host + ":" + port + "/"}
	}
	out, err := w.inside(ctx, args...).CombinedOutput()
	seen = bytes.Contains(out, []byte("the application itself"))
	if seen && err != nil {
		w.t.Errorf("%s: %v\n%s", program, err, out)
	}
	return seen, string(out)
}

// firstTrouble is the line that says why a program has refused.
func firstTrouble(said string) string {
	for _, pattern := range []string{`ERR_[A-Z_]+`, `(?m)^.*SSLHandshakeException.*$`, `(?m)^.*(?:curl: \(|SSLError|SSLCertVerificationError|[A-Z_]{8,} ).*$`} {
		if m := regexp.MustCompile(pattern).FindString(said); m != "" {
			return strings.TrimSpace(m)
		}
	}
	return fmt.Sprintf("%.200q", said)
}

func devPrograms() []string { return []string{"curl", "python", "node", "java", "chromium"} }

// TestAcceptDevIsBelieved: every program takes the page once the root is installed, and none does before or after it is undone.
func TestAcceptDevIsBelieved(t *testing.T) {
	w := newDevWorld(t)
	page := filepath.Join(w.dir, "shop")
	if err := os.Mkdir(page, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(page, "index.html"), []byte("<p>the application itself</p>"), 0o644); err != nil {
		t.Fatal(err)
	}
	everybody := func(when string, want bool) {
		t.Helper()
		for _, p := range devPrograms() {
			seen, said := w.ask(p, "shop.localhost", w.port)
			if seen != want {
				t.Errorf("%s, %s: page shown: %t\n%s", when, p, seen, said)
			} else if !want {
				t.Logf("%s, %s: %s", when, p, firstTrouble(said))
			}
		}
	}
	_, stop := w.serve("--no-trust", page)
	everybody("before", false)
	stop()

	began := time.Now()
	said, stop := w.serve("--yes", page)
	t.Logf("installed in %v:\n%s", time.Since(began).Round(time.Millisecond), said)
	if !strings.Contains(said, "trusted by") || strings.Contains(said, "not by") {
		t.Errorf("not every store trusts the root")
	}
	var vars []devhttps.Variable
	if err := json.Unmarshal([]byte(w.tlswright("dev", "env", "--json")), &vars); err != nil {
		t.Fatal(err)
	}
	for _, v := range vars {
		if v.Name == "NODE_EXTRA_CA_CERTS" {
			w.env = append(w.env, v.Name+"="+v.Value)
		}
	}
	everybody("installed", true)
	stop()
	began = time.Now()
	_, stop = w.serve(page)
	t.Logf("the second start took %v", time.Since(began).Round(time.Millisecond))
	stop()

	ca, err := devhttps.Open(filepath.Join(w.dir, "tlswright-home"))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := ca.Issue([]string{"shop.localhost"}, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(w.tlswright("dev", "--undo"))
	if left, err := os.ReadDir(filepath.Join(w.dir, "home")); err != nil || len(left) > 0 {
		for _, l := range left {
			if l.Name() == ".pki" {
				t.Errorf("left in the home folder: %s", l.Name())
			}
		}
	}
	if _, err := os.Stat(filepath.Join(w.dir, "tlswright-home")); err == nil {
		t.Error("the home of tlswright is left")
	}
	w.port = servePage(t, tlsnet.Identity{Chain: kept.Chain, Key: kept.Key}) // a certificate of the root that is gone
	everybody("undone", false)
}

// TestAcceptDevEnvironmentAlone: no store is touched, and programs that read the environment take the page all the same.
func TestAcceptDevEnvironmentAlone(t *testing.T) {
	w := newDevWorld(t)
	page := filepath.Join(w.dir, "shop")
	if err := os.Mkdir(page, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(page, "index.html"), []byte("<p>the application itself</p>"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, stop := w.serve("--no-trust", page)
	defer stop()
	var vars []devhttps.Variable
	if err := json.Unmarshal([]byte(w.tlswright("dev", "env", "--json")), &vars); err != nil {
		t.Fatal(err)
	}
	for _, v := range vars {
		w.env = append(w.env, v.Name+"="+v.Value)
	}
	for _, p := range []string{"curl", "python", "node", "java"} {
		if seen, said := w.ask(p, "shop.localhost", w.port); !seen {
			t.Errorf("%s shows no page:\n%s", p, said)
		}
	}
	w.tlswright("dev", "--undo")
}

// TestAcceptDevIsConfined: with everything that can be stolen from the disk, nobody makes a certificate for a name of the
// Internet that one of these programs would take.
func TestAcceptDevIsConfined(t *testing.T) {
	w := newDevWorld(t)
	said, stop := w.serve("--yes", w.dir)
	stop()
	if !strings.Contains(said, "trusted by") {
		t.Fatal(said)
	}
	ca, err := devhttps.Open(filepath.Join(w.dir, "tlswright-home"))
	if err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "NODE_EXTRA_CA_CERTS="+ca.RootFile())
	inter := ca.Issuer()
	below, belowKey := forge(t, "", inter.Certificate, inter.Key)
	direct := func(host string) tlsnet.Identity {
		c, key := forge(t, host, inter.Certificate, inter.Key)
		return tlsnet.Identity{Chain: [][]byte{c.Raw, inter.Certificate.Raw}, Key: key}
	}
	indirect := func(host string) tlsnet.Identity {
		c, key := forge(t, host, below, belowKey)
		return tlsnet.Identity{Chain: [][]byte{c.Raw, below.Raw, inter.Certificate.Raw}, Key: key}
	}
	for _, c := range []struct {
		what string
		id   tlsnet.Identity
		host string
		want bool
	}{
		{"a local name", direct("shop.localhost"), "shop.localhost", true}, // the control: forged alike, and taken
		{"a name of the Internet", direct("example.com"), "example.com", false},
		{"an unconfined intermediate below", indirect("example.com"), "example.com", false},
	} {
		port := servePage(t, c.id)
		for _, p := range devPrograms() {
			seen, said := w.ask(p, c.host, port)
			if seen != c.want {
				t.Errorf("%s, %s: page shown: %t\n%s", c.what, p, seen, said)
			} else if !c.want {
				t.Logf("%s, %s: %s", c.what, p, firstTrouble(said))
			}
		}
	}
	w.tlswright("dev", "--undo")
}

// forge makes a certificate as a thief would: for a host, or an intermediate without constraints where host is "".
func forge(t *testing.T, host string, issuer *x509.Certificate, key crypto.Signer) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "forged " + host}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if host == "" {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		c.DNSNames, c.ExtKeyUsage = []string{host}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, own.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, own
}

// servePage serves a page with an identity until the test ends.
func servePage(t *testing.T, id tlsnet.Identity) (port string) {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	l, err := tlsnet.Listen("tcp", address, &tlsnet.Config{Identities: []tlsnet.Identity{id}})
	if err != nil {
		t.Fatal(err)
	}
	server := &tlsnet.HTTPServer{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the application itself") }),
		ErrorLog: log.New(io.Discard, "", 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
