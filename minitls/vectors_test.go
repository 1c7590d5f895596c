package minitls

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the test vectors anew")

const vectorFile = "../docs/learn/minitls.json"

// vectors are one whole conversation with everything that is computed on the way, for other implementations.
type vectors struct {
	Comment     string
	Root        string // PEM
	Certificate string // PEM, of the server
	ServerKey   string // the seed of its Ed25519 key, hexadecimal
	ServerName  string
	Client      side
	Server      side
	Lines       []vectorLine
	Values      []vectorValue
	Text        [2]string // what each side says, client first
}

type side struct {
	Random     string
	EphPrivate string // X25519 private key
}

type vectorLine struct {
	From string
	Line string // without its end
}

type vectorValue struct {
	Step  int
	What  string
	Value string
}

// TestVectors replays the conversation of docs/learn/minitls.json: same randoms, same lines, same values.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	p := newParty(t, 1)
	p.root, p.server = certificateOf(t, v.Root), certificateOf(t, v.Certificate)
	if hex.EncodeToString(p.key.Seed()) != v.ServerKey {
		t.Fatal("the server's key is another one")
	}
	lines, values := record(t, p)
	if len(lines) != len(v.Lines) || len(values) != len(v.Values) {
		t.Fatalf("%d lines and %d values, the file has %d and %d", len(lines), len(values), len(v.Lines), len(v.Values))
	}
	for i, l := range lines {
		if l != v.Lines[i] {
			t.Errorf("line %d: %v\nthe file has %v", i, l, v.Lines[i])
		}
	}
	for i, x := range values {
		if x != v.Values[i] {
			t.Errorf("value %d: %v\nthe file has %v", i, x, v.Values[i])
		}
	}
}

func certificateOf(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func record(t *testing.T, p *party) (lines []vectorLine, values []vectorValue) {
	t.Helper()
	all, err := conversation(p, func(c *ClientConfig, _ *ServerConfig) {
		c.Steps = func(step int, what string, value []byte) {
			values = append(values, vectorValue{step, what, hex.EncodeToString(value)})
		}
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		from := "server"
		if w.fromClient {
			from = "client"
		}
		lines = append(lines, vectorLine{from, string(bytes.TrimSuffix(w.line, []byte("\n")))})
	}
	return lines, values
}

func writeVectors(t *testing.T) {
	t.Helper()
	p := newParty(t, 1)
	v := vectors{
		Comment:    "One conversation of the simplified TLS (minitls.md), with every value that the client computes. The keys are for tests only.",
		ServerName: "example-server", ServerKey: hex.EncodeToString(p.key.Seed()), Text: [2]string{"first second", "first second"},
		Root:        string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.root.Raw})),
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Raw})),
	}
	for i, s := range []*side{&v.Client, &v.Server} {
		stream := make([]byte, 64)
		_, _ = seeded(byte(i + 1)).Read(stream)
		s.Random, s.EphPrivate = hex.EncodeToString(stream[:32]), hex.EncodeToString(stream[32:])
	}
	v.Lines, v.Values = record(t, p)
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
