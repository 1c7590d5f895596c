package pkcs7_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/pkcs7"
)

func chain(t testing.TB) []*x509.Certificate {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	return []*x509.Certificate{ca.Server(pkitest.Ed25519).Certificate, ca.Intermediate, ca.Root}
}

func same(t testing.TB, what string, got, want []*x509.Certificate) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d certificates, not %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if !got[i].Equal(want[i]) {
			t.Errorf("%s: certificate %d is another", what, i)
		}
	}
}

func TestBundlesSurviveWritingAndReading(t *testing.T) {
	want := chain(t)
	der, err := pkcs7.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	text, err := pkcs7.EncodePEM(want)
	if err != nil {
		t.Fatal(err)
	}
	old := bytes.ReplaceAll(text, []byte("PKCS7"), []byte("PKCS #7 SIGNED DATA"))
	for name, data := range map[string][]byte{"DER": der, "PEM": text, "old PEM": old} {
		if !pkcs7.Is(data) {
			t.Errorf("%s: not recognised", name)
		}
		got, err := pkcs7.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		same(t, name, got, want)
	}
	if got, err := pkcs7.Decode(append([]byte("-----BEGIN X-----\nAAAA\n-----END X-----\n"), text...)); err != nil || len(got) != 3 {
		t.Errorf("after another block: %v", err)
	}
}

func TestBERBundlesAreRead(t *testing.T) {
	want := chain(t)
	der, err := pkcs7.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	// The three outermost elements get indefinite lengths; each header has four bytes, the object identifier eleven.
	oid := der[4:15]
	ber := bytes.Join([][]byte{{0x30, 0x80}, oid, {0xa0, 0x80, 0x30, 0x80}, der[23:], make([]byte, 6)}, nil)
	if !pkcs7.Is(ber) {
		t.Error("not recognised")
	}
	got, err := pkcs7.Decode(ber)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "BER", got, want)
}

func TestOtherThingsAreRefused(t *testing.T) {
	certs := chain(t)
	der, err := pkcs7.Encode(certs)
	if err != nil {
		t.Fatal(err)
	}
	enveloped := bytes.Replace(der, []byte{1, 7, 2}, []byte{1, 7, 3}, 1)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":       {nil, "cut off"},
		"certificate": {certs[0].Raw, "not the structure"},
		"enveloped":   {enveloped, "not signed data"},
		"cut off":     {der[:len(der)-1], "cut off"},
		"trailing":    {append(bytes.Clone(der), 0), "after"},
		"deep":        {bytes.Repeat([]byte{0x30, 0x80}, 4<<20-1), "deeper"},
		"large":       {make([]byte, 8<<20+1), "limit"},
	} {
		if _, err := pkcs7.Decode(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if name != "cut off" && name != "trailing" && pkcs7.Is(c.data) {
			t.Errorf("%s: recognised", name)
		}
	}
	var refused *pki.RefusedError
	if _, err := pkcs7.Encode(nil); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}

func TestOpenSSLAndWeReadEachOther(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	want := chain(t)
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		out, err := pkitest.Run(t, openssl, args...)
		if err != nil {
			t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	ours := filepath.Join(dir, "ours.p7b")
	text, err := pkcs7.EncodePEM(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ours, text, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := pki.ParseCertificatesPEM([]byte(run("pkcs7", "-in", ours, "-print_certs")))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "ours", got, want)

	var all []byte
	for _, c := range want {
		all = pki.AppendCertificatePEM(all, c.Raw)
	}
	pem, theirs := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "theirs.p7b")
	if err := os.WriteFile(pem, all, 0o600); err != nil {
		t.Fatal(err)
	}
	leaf := pkitest.New(t, pkitest.P256).Server(pkitest.RSA2048)
	f := leaf.Files()
	for name, args := range map[string][]string{
		"DER":        {"crl2pkcs7", "-nocrl", "-certfile", pem, "-outform", "DER"},
		"PEM":        {"crl2pkcs7", "-nocrl", "-certfile", pem},
		"signed":     {"smime", "-sign", "-in", pem, "-signer", f.Cert, "-inkey", f.Key, "-certfile", pem, "-outform", "PEM", "-nodetach"},
		"signed BER": {"cms", "-sign", "-in", pem, "-signer", f.Cert, "-inkey", f.Key, "-certfile", pem, "-outform", "DER", "-stream", "-nodetach"},
		"CMS":        {"cms", "-sign", "-in", pem, "-signer", f.Cert, "-inkey", f.Key, "-certfile", pem, "-outform", "PEM"},
	} {
		run(append(args, "-out", theirs)...)
		data, err := os.ReadFile(theirs)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pkcs7.Decode(data)
		if err != nil || !pkcs7.Is(data) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(got) == 4 { // the signer's too, wherever it stands
			got = remove(got, leaf.Certificate)
		}
		if strings.Contains(name, "CMS") || strings.Contains(name, "BER") { // it sorts them as DER would have a SET
			byContent := func(a, b *x509.Certificate) int { return bytes.Compare(a.Raw, b.Raw) }
			got, want := slices.SortedFunc(slices.Values(got), byContent), slices.SortedFunc(slices.Values(want), byContent)
			same(t, name, got, want)
			continue
		}
		same(t, name, got, want)
	}
}

func remove(certs []*x509.Certificate, c *x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	for _, o := range certs {
		if !o.Equal(c) {
			out = append(out, o)
		}
	}
	return out
}

func FuzzDecode(f *testing.F) {
	der, err := pkcs7.Encode(chain(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	text, err := pkcs7.EncodePEM(chain(f)[:1])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := pkcs7.Decode(data)
		if err != nil {
			return
		}
		again, err := pkcs7.Encode(got)
		if err != nil {
			t.Fatal(err)
		}
		back, err := pkcs7.Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "written and read again", back, got)
	})
}
