package interop

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// TestCertificateCompressionWithChromium sends a certificate compressed to a browser, which takes brotli.
func TestCertificateCompressionWithChromium(t *testing.T) {
	needProgram(t, "chromium")
	p := newPKI(t)
	config := asks{identity: p.leaves[ecdsaP256]}.config(p, tlscore.RoleServer)
	config.CertificateCompression, config.Core.ALPN = tlsnet.CertificateCompressions(), []string{"http/1.1"}
	addr, told := echoServer(t, config, func(c *tlsnet.Conn) {
		for lines := bufio.NewReader(c); ; { // the request, to the empty line behind it
			if line, err := lines.ReadString('\n'); err != nil || line == "\r\n" {
				break
			}
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nit is so.")
		c.CloseWrite()
	})
	ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
	defer cancel()
	_, err := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
		"--user-data-dir="+t.TempDir(), "--dump-dom", "https://"+addr+"/").Output()
	if err != nil {
		t.Error(err)
	}
	if got := <-told; got.facts.OwnCompression != wire.CompressionBrotli {
		t.Errorf("our certificate went with %v: %v", got.facts.OwnCompression, got.err)
	}
}

// says waits for a program to print something: what it has printed may come behind what it has sent.
func says(p *program, text string) bool {
	for end := time.Now().Add(caseTimeout); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(p.log.String(), text) {
			return true
		}
	}
	return false
}

// TestCertificateCompressionWithGnuTLS compresses the certificates of both ends with each algorithm that GnuTLS was built
// with; Debian's 3.7 has none. OpenSSL has it from 3.2 on.
func TestCertificateCompressionWithGnuTLS(t *testing.T) {
	p := newPKI(t)
	id := p.leaves[ecdsaP256]
	for a, name := range map[wire.CompressionAlgorithm]string{wire.CompressionZlib: "zlib", wire.CompressionBrotli: "brotli", wire.CompressionZstd: "zstd"} {
		terms := append(gnutlsTerms(asks{identity: id}), "--compress-cert", name)
		check := func(t *testing.T, got told13) {
			t.Helper()
			if f := got.facts; got.err != nil || f.PeerCompression != a || f.OwnCompression != a {
				t.Errorf("the peer's was %v, ours %v: %v", f.PeerCompression, f.OwnCompression, got.err)
			}
		}
		config := func(role tlscore.Role) *tlsnet.Config {
			c := asks{identity: id, name: serverName, requireClient: true}.config(p, role)
			c.CertificateCompression = []wire.CompressionAlgorithm{a}
			return c
		}
		t.Run(name, func(t *testing.T) {
			needProgram(t, "gnutls-serv", "gnutls-cli")
			addr, prog := peerServing(t, "gnutls-serv", append(terms, "--echo", "--quiet", "--require-client-cert", "--x509cafile", p.rootFile, "--port", "PORT")...)
			got := say(t, addr, config(tlscore.RoleClient))
			if got.facts.PeerCompression != a && says(prog, "Unknown compression method") {
				t.Skipf("this GnuTLS was built without %s", name)
			}
			check(t, got)
			addr, told := echoServer(t, config(tlscore.RoleServer))
			check(t, speak(t, told, "gnutls-cli", append(terms, "--x509cafile", p.rootFile, "--sni-hostname", serverName, "--verify-hostname", serverName, "127.0.0.1", "--port", port(addr))...))
		})
	}
}
