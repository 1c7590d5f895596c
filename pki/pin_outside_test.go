package pki_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// The recipe of every tutorial on pinning, and the fingerprint that openssl shows.
func TestOpenSSLComputesThePinsWeDo(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	ca := pkitest.New(t, pkitest.P256)
	dir := t.TempDir()
	for _, k := range pkitest.KeyTypes() {
		l := ca.Server(k)
		f := l.Files()
		public, der, digest := filepath.Join(dir, "public.pem"), filepath.Join(dir, "public.der"), filepath.Join(dir, "digest")
		for _, args := range [][]string{
			{"x509", "-in", f.Cert, "-noout", "-pubkey", "-out", public},
			{"pkey", "-pubin", "-in", public, "-outform", "DER", "-out", der},
			{"dgst", "-sha256", "-binary", "-out", digest, der},
		} {
			if out, err := pkitest.Run(t, openssl, args...); err != nil {
				t.Fatalf("%s: %v\n%s", k, err, out)
			}
		}
		sum, err := os.ReadFile(digest)
		if err != nil {
			t.Fatal(err)
		}
		if got := pki.PinSPKI(l.Certificate).Base64(); got != base64.StdEncoding.EncodeToString(sum) {
			t.Errorf("%s: %s", k, got)
		}
		out, err := pkitest.Run(t, openssl, "x509", "-in", f.Cert, "-noout", "-fingerprint", "-sha256")
		if err != nil {
			t.Fatal(err)
		}
		_, hex, _ := strings.Cut(out, "=")
		if p, err := pki.ParsePin(hex); err != nil || p != pki.PinCertificate(l.Certificate) {
			t.Errorf("%s: %s, %v", k, out, err)
		}
	}
}

func TestCurlHeedsOurPins(t *testing.T) {
	openssl, curl := pkitest.Program(t, "openssl"), pkitest.Program(t, "curl")
	ca := pkitest.New(t, pkitest.P256)
	l := ca.Server(pkitest.P256)
	f := l.Files()
	server := exec.CommandContext(t.Context(), openssl, "s_server", "-accept", "127.0.0.1:0", "-www", "-cert", f.Cert, "-key", f.Key, "-cert_chain", f.Chain)
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	port := ""
	for lines := bufio.NewScanner(stdout); port == "" && lines.Scan(); {
		if _, after, ok := strings.Cut(lines.Text(), "ACCEPT 127.0.0.1:"); ok {
			port = after
		}
	}
	stranger, own := pki.PinSPKI(ca.Root), pki.PinSPKI(l.Certificate)
	for _, c := range []struct {
		set pki.PinSet
		ok  bool
	}{{pki.PinSet{stranger, own}, true}, {pki.PinSet{own}, true}, {pki.PinSet{stranger}, false}} {
		argument, err := c.set.CurlPinnedPubKey()
		if err != nil {
			t.Fatal(err)
		}
		out, err := pkitest.Run(t, curl, "-sS", "-o", os.DevNull, "--cacert", ca.RootFile(), "--pinnedpubkey", argument, "--resolve", "localhost:"+port+":127.0.0.1", "https://localhost:"+port+"/")
		var exit *exec.ExitError
		if (err == nil) != c.ok || err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 90) { // CURLE_SSL_PINNEDPUBKEYNOTMATCH
			t.Errorf("%s: %v\n%s", argument, err, out)
		}
	}
}
