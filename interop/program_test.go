package interop

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The program itself, as people run it, with the programs of others at the other end.

func TestConnectReadsAPageFromNginx(t *testing.T) {
	needProgram(t, "nginx")
	p := newPKI(t)
	s, err := nginxServe(t.Context(), p, asks{identity: p.leaves[ecdsaP256]})
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	page := filepath.Join(s.(*nginxServer).dir, "files", "page")
	if err := os.WriteFile(page, downPayload(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, proto := range []string{"h2", "http/1.1"} {
		got := filepath.Join(t.TempDir(), "body")
		said, err := connect(t, nil, "--ca", p.rootFile, "--alpn", proto, "--http", "https://"+s.addr()+"/page", "-o", got)
		if err != nil {
			t.Fatalf("%s: %v\n%s\n%s", proto, err, said, s.log())
		}
		body, err := os.ReadFile(got)
		if err != nil {
			t.Fatal(err)
		}
		if err := downPayload().same("nginx to us", body); err != nil {
			t.Error(err)
		}
		if !strings.Contains(said.String(), proto) || !strings.Contains(said.String(), "200") {
			t.Errorf("the report does not speak of %s and 200:\n%s", proto, said)
		}
	}
}

func TestConnectSendsAndReceivesThroughGnuTLS(t *testing.T) {
	gnutlsPeer().need(t)
	p := newPKI(t)
	s, err := gnutlsServe(t.Context(), p, asks{identity: p.leaves[ecdsaP256]})
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	got, err := connect(t, textPayload(), "--ca", p.rootFile, "--servername", serverName, s.addr())
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log())
	}
	if err := textPayload().same("to gnutls-serv and back", got.Bytes()); err != nil {
		t.Error(err)
	}
}

func TestServeEchoesToGnuTLSAndHandsFilesToCurl(t *testing.T) {
	p, bin := newPKI(t), binary(t)
	t.Run("gnutls-cli", func(t *testing.T) {
		gnutlsPeer().need(t)
		s := startServing(t, bin, p.leaves[ecdsaP256], "--echo")
		_, address, _ := strings.Cut(s.url, "://")
		_, port, _ := strings.Cut(address, ":")
		ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
		defer cancel()
		c, err := start(ctx, true, "gnutls-cli", "127.0.0.1", "--port", port, "--logfile", os.DevNull, "--x509cafile", p.rootFile,
			"--sni-hostname", serverName, "--verify-hostname", serverName)
		if err != nil {
			t.Fatal(err)
		}
		defer c.stop()
		if err := pump(stream{in: c.stdin, out: c.stdout}, upPayload(), upPayload(), "to serve --echo and back"); err != nil {
			t.Errorf("%v\n%s", err, c.log)
		}
	})
	t.Run("curl", func(t *testing.T) {
		needProgram(t, "curl")
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "file"), downPayload(), 0o600); err != nil {
			t.Fatal(err)
		}
		s := startServing(t, bin, p.leaves[ecdsaP256], "--dir", dir)
		for _, version := range []string{"--http1.1", "--http2"} {
			var body bytes.Buffer
			if said, err := curl(t.Context(), p, &body, version, s.url+"/file"); err != nil {
				t.Fatalf("%s: %v: %s", version, err, said)
			}
			if err := downPayload().same("serve --dir to curl", body.Bytes()); err != nil {
				t.Errorf("%s: %v", version, err)
			}
		}
	})
}

// connect runs "tlswright connect"; what is returned is its standard output.
func connect(t *testing.T, stdin []byte, args ...string) (*bytes.Buffer, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), append([]string{"connect", "--home", t.TempDir()}, args...)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	err := cmd.Run()
	if err != nil {
		t.Logf("connect %s: %s", strings.Join(args, " "), said.String())
	}
	return &out, err
}
