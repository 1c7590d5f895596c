package minitls

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// needPython skips where Python or its cryptography module is missing; in CI it fails.
func needPython(t *testing.T) {
	t.Helper()
	if exec.Command("python3", "-c", "import cryptography").Run() == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("python3-cryptography is missing: run scripts/peers.sh")
	}
	t.Skip("python3-cryptography is not installed")
}

// freshParty is valid now: Python reads the clock.
func freshParty(t *testing.T) *party {
	t.Helper()
	p := newParty(t, 1)
	for _, c := range []*x509.Certificate{p.root, p.server} {
		if at := time.Now(); at.Before(c.NotBefore) || at.After(c.NotAfter) {
			ca := *p.root
			ca.NotBefore, ca.NotAfter = at.Add(-time.Hour), at.AddDate(1, 0, 0)
			p.root = sign(t, &ca, &ca, p.caKey, p.caKey)
			leaf := p.leaf()
			leaf.NotBefore, leaf.NotAfter = at.Add(-time.Hour), at.Add(time.Hour)
			p.server = sign(t, leaf, p.root, p.key, p.caKey)
			break
		}
	}
	return p
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "it.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// anyMachine is a client or a server.
type anyMachine interface {
	Feed([]byte, time.Time) (Result, error)
	Seal([]byte) ([]byte, error)
	Close() []byte
}

// talk drives a machine over a connection: it says text once it may, and returns what the peer said.
func talk(c net.Conn, m anyMachine, first []byte, answer func(heard string) string) (string, error) {
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return "", err
	}
	if _, err := c.Write(first); err != nil {
		return "", err
	}
	in := bufio.NewReaderSize(c, MaxLine)
	heard, said := "", false
	say := func() error {
		said = true
		lines, err := m.Seal([]byte(answer(heard)))
		if err != nil {
			return err
		}
		_, err = c.Write(append(lines, m.Close()...))
		return err
	}
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return heard, err
		}
		r, err := m.Feed(line, time.Now())
		if err != nil {
			return heard, err
		}
		if _, err := c.Write(r.Send); err != nil {
			return heard, err
		}
		heard += string(r.Data)
		_, isClient := m.(*Client)
		if r.Done && !said && (isClient || r.Closed) {
			if err := say(); err != nil {
				return heard, err
			}
		}
		if r.Closed {
			return heard, nil
		}
	}
}

func TestPythonAsClient(t *testing.T) {
	needPython(t)
	p := freshParty(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/peer.py", "client", "127.0.0.1", port, writePEM(t, "CERTIFICATE", p.root.Raw), "example-server", "hello from python")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server, err := NewServer(ServerConfig{Certificate: p.server, Key: p.key})
	if err != nil {
		t.Fatal(err)
	}
	heard, err := talk(c, server, nil, strings.ToUpper)
	if waitErr := cmd.Wait(); err != nil || waitErr != nil {
		t.Fatalf("server: %v; python: %v\n%s", err, waitErr, errOut.String())
	}
	if heard != "hello from python" || strings.TrimSpace(out.String()) != "HELLO FROM PYTHON" {
		t.Errorf("the server heard %q, python %q", heard, out.String())
	}
}

func TestPythonAsServer(t *testing.T) {
	needPython(t)
	p := freshParty(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ed25519.PrivateKey(p.key))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/peer.py", "server", writePEM(t, "CERTIFICATE", p.server.Raw), writePEM(t, "PRIVATE KEY", pkcs8))
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v\n%s", err, errOut.String())
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+strings.TrimSpace(port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	client, first, err := NewClient(ClientConfig{ServerName: "example-server", Root: p.root})
	if err != nil {
		t.Fatal(err)
	}
	heard, err := talk(c, client, first, func(string) string { return "hello from go" })
	if waitErr := cmd.Wait(); err != nil || waitErr != nil {
		t.Fatalf("client: %v; python: %v\n%s", err, waitErr, errOut.String())
	}
	if heard != "HELLO FROM GO" {
		t.Errorf("the client heard %q", heard)
	}
}
