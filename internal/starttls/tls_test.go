package starttls

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
)

// step is something a scripted server waits for, and what it says then.
type step struct {
	wait string // how what it hears must end; "" at the beginning: it speaks first
	say  string
}

// scripts are servers of the protocols of which none can be installed everywhere. Each is held against OpenSSL's client as
// well, so that they are right and not only like ours.
var scripts = []struct {
	protocol Protocol
	openssl  string // its name there; "" where OpenSSL's client cannot be asked
	steps    []step
}{
	{LMTP, "lmtp", []step{{"", "220 mx.test LMTP\r\n"}, {"\r\n", "250-mx.test\r\n250 STARTTLS\r\n"}, {"STARTTLS\r\n", "220 go\r\n"}}},
	{Sieve, "sieve", []step{{"", "\"IMPLEMENTATION\" \"test\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\n"}, {"STARTTLS\r\n", "OK\r\n"}}},
	{XMPP, "xmpp", []step{{"1.0'>", xmppOpen + "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"}, {"/>", "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"}}},
	{XMPPServer, "xmpp-server", []step{{"1.0'>", xmppOpen + "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"}, {"/>", "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"}}},
	{MySQL, "mysql", []step{{"", mysqlGreeting(0xfffe)}, {strings.Repeat("\x00", 23), ""}}},
	{Telnet, "telnet", []step{{"", "\xff\xfd\x2e"}, {"\x2e", ""}, {"\x2e\x01\xff\xf0", "\xff\xfa\x2e\x01\xff\xf0"}}},
	{IRC, "", []step{{"\r\n", ":s CAP * LS :tls\r\n"}, {"STARTTLS\r\n", ":s 670 * :go\r\n"}}},
	{IRC, "irc", []step{{"STARTTLS\r\n", ":s 670 * :go\r\n"}}},
	{RDP, "", []step{{"\x03\x00\x00\x00", "\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x01\x00\x00\x00"}}},
}

// serve plays a script on every connection, and echoes a line over TLS.
func serve(t *testing.T, steps []step, config *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if err := play(conn, steps, config); err != nil {
				t.Logf("server: %v", err)
			}
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func play(conn net.Conn, steps []step, config *tls.Config) error {
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	for _, s := range steps {
		var heard []byte
		for s.wait != "" && !bytes.HasSuffix(heard, []byte(s.wait)) {
			var b [1]byte // byte by byte, for the hello must not be touched
			if _, err := conn.Read(b[:]); err != nil {
				return fmt.Errorf("after %q: %w", heard, err)
			}
			heard = append(heard, b[0])
		}
		if _, err := io.WriteString(conn, s.say); err != nil {
			return err
		}
	}
	server := tls.Server(conn, config)
	line, err := bufio.NewReader(server).ReadString('\n')
	if err != nil {
		return err
	}
	_, err = io.WriteString(server, "heard "+line)
	return err
}

func serverConfig(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256, "localhost")
	roots := x509.NewCertPool()
	roots.AddCert(ca.Root)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: leaf.Chain, PrivateKey: leaf.Key}}}, roots
}

// TestTLSFollows goes over to TLS with scripted servers on a real connection: the first byte behind the dialogue is TLS's.
func TestTLSFollows(t *testing.T) {
	config, roots := serverConfig(t)
	for _, s := range scripts {
		if s.protocol == IRC && s.openssl != "" {
			continue // OpenSSL does not ask for capabilities first
		}
		t.Run(s.protocol.String(), func(t *testing.T) {
			conn, err := net.Dial("tcp", serve(t, s.steps, config))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(30 * time.Second))
			if _, err := NegotiateFor(conn, s.protocol, "me", "localhost"); err != nil {
				t.Fatal(err)
			}
			client := tls.Client(conn, &tls.Config{ServerName: "localhost", RootCAs: roots})
			if _, err := io.WriteString(client, "hello\n"); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(client).ReadString('\n'); err != nil || line != "heard hello\n" {
				t.Errorf("%q, %v", line, err)
			}
		})
	}
}

// TestTheScriptsAreLikeRealServers has OpenSSL's client lead the same dialogues.
func TestTheScriptsAreLikeRealServers(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	config, _ := serverConfig(t)
	for _, s := range scripts {
		if s.openssl == "" {
			continue
		}
		t.Run(s.openssl, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, openssl, "s_client", "-starttls", s.openssl, "-connect", serve(t, s.steps, config), "-xmpphost", "me", "-quiet", "-no_ign_eof")
			out, err := cmd.CombinedOutput()
			if !strings.Contains(string(out), "depth=0") { // it got the certificate: TLS has begun
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
