package pki_test

import (
	"encoding/base64"
	"os"
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
