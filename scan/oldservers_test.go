package scan

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/wire"
)

// oldIdentity is a certificate with a key of RSA, in files of every form that the servers want.
type oldIdentity struct{ dir, cert, key string }

func newOldIdentity(t *testing.T) *oldIdentity {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "lab.test"}, DNSNames: []string{"lab.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	id := &oldIdentity{dir, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{id.cert: {Type: "CERTIFICATE", Bytes: der}, id.key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

// p12 gives the identity as a PKCS #12 file with the password "changeit".
func (id *oldIdentity) p12(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "id.p12")
	out, err := pkitest.Run(t, pkitest.Program(t, "openssl"), "pkcs12", "-export", "-in", id.cert, "-inkey", id.key, "-name", "rsa", "-out", file, "-passout", "pass:changeit")
	if err != nil {
		t.Fatal(out)
	}
	return file
}

// oldPort is a port that was free a moment ago.
func oldPort(t *testing.T) int {
	t.Helper()
	ports, err := freeport.Numbers(1)
	if err != nil {
		t.Fatal(err)
	}
	return ports[0]
}

// oldOutput keeps what a program says.
type oldOutput struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *oldOutput) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *oldOutput) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// startOld starts a server and waits until it takes connections.
func startOld(t *testing.T, port int, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(pkitest.Program(t, name), args...)
	said := &oldOutput{}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = said, said, 2*time.Second
	stdin, err := cmd.StdinPipe() // stays open: s_server ends with it
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill()
		<-done
		if t.Failed() {
			t.Logf("%s said: %.2000s", name, said)
		}
	})
	for deadline := time.Now().Add(time.Minute); ; {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-done:
			t.Fatalf("%s ended at once: %s", name, said)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %s", name, said)
		}
	}
}

func oldOpenSSL(t *testing.T, id *oldIdentity, args string) int {
	port := oldPort(t)
	startOld(t, port, "openssl", append([]string{"s_server", "-accept", "127.0.0.1:" + strconv.Itoa(port), "-quiet", "-cert", id.cert, "-key", id.key}, strings.Fields(args)...)...)
	return port
}

func oldGnuTLS(t *testing.T, id *oldIdentity, priority string) int {
	port := oldPort(t)
	startOld(t, port, "gnutls-serv", "--http", "-p", strconv.Itoa(port), "--x509certfile", id.cert, "--x509keyfile", id.key, "--priority", priority)
	return port
}

func oldNSS(t *testing.T, id *oldIdentity, args string) int {
	port := oldPort(t)
	db := "sql:" + id.dir
	for _, step := range [][]string{{"certutil", "-N", "-d", db, "--empty-password"}, {"pk12util", "-i", id.p12(t), "-d", db, "-W", "changeit", "-K", ""}} {
		if out, err := pkitest.Run(t, pkitest.Program(t, step[0]), step[1:]...); err != nil {
			t.Fatal(out)
		}
	}
	startOld(t, port, "selfserv", append([]string{"-d", db, "-n", "rsa", "-p", strconv.Itoa(port)}, strings.Fields(args)...)...)
	return port
}

func oldJava(t *testing.T, id *oldIdentity, versions, part string) int {
	port := oldPort(t)
	source, err := filepath.Abs("../interop/lab/java/Serve.java")
	if err != nil {
		t.Fatal(err)
	}
	startOld(t, port, "java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-Djdk.tls.ephemeralDHKeySize=1024",
		"-Djdk.tls.namedGroups=secp256r1,secp384r1,secp521r1,x25519,ffdhe2048", source, id.p12(t), strconv.Itoa(port), versions, part)
	return port
}

// oldHost is an address under examination, without a scan.
func oldHost(port int) *host {
	s := New(Options{Timeout: 5 * time.Second})
	return newHost(s, Target{Host: "127.0.0.1", Port: port, ServerName: "lab.test"}, netip.MustParseAddr("127.0.0.1"))
}

// oneSuite is an offer of one suite in one version.
func oneSuite(v wire.Version, id wire.CipherSuite) *offer {
	o := &offer{Version: v, Suites: []wire.CipherSuite{id}, RenegotiationInfo: v > wire.VersionSSL30}
	if v > wire.VersionSSL30 {
		o.Groups = []wire.Group{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1}
		o.PointFormats = []byte{0}
	}
	if v == wire.VersionTLS12 {
		o.Schemes = []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPKCS1SHA1, wire.SchemeRSAPKCS1SHA384, wire.SchemeRSAPKCS1SHA512}
	}
	return o
}

// knowing is an address about which the earlier phases have found out versions and suites.
func knowing(t *testing.T, port int, suites map[wire.Version][]wire.CipherSuite) *host {
	t.Helper()
	h := oldHost(port)
	for _, v := range []wire.Version{wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12} {
		p := grade.Protocol{Version: v, Name: v.String(), Offered: grade.No, Complete: true}
		for _, id := range suites[v] {
			p.Offered = grade.Yes
			p.Suites = append(p.Suites, grade.Suite{ID: id, Name: id.String()})
		}
		h.f.Protocols = append(h.f.Protocols, p)
		if p.Offered == grade.Yes {
			o := oneSuite(v, suites[v][0])
			o.EMS = v > wire.VersionSSL30
			h.accepted(v, o)
		}
	}
	return h
}
