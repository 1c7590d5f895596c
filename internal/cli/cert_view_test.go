package cli

import (
	"crypto/x509"
	"encoding/asn1"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/cert"
)

// FuzzCertificatesAreShown feeds the page and the JSON of `cert show` with arbitrary bytes: as a certificate, and as the
// value of every extension that is known. Nothing panics, and nothing reaches a terminal that could act on it.
func FuzzCertificatesAreShown(f *testing.F) {
	ca := pkitest.New(f, pkitest.P256)
	f.Add(ca.Root.Raw)
	leaf := ca.Server(pkitest.P256).Certificate
	f.Add(leaf.Raw)
	for _, e := range leaf.Extensions {
		f.Add(e.Value)
	}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		var texts []string
		if v, err := newCertView(data, now); err == nil {
			a, out, _ := newTestApp()
			a.printCertificate(v, "1 of 1: ")
			if _, err := safeJSON(v.json(), ""); err != nil {
				t.Fatal(err)
			}
			_ = briefTable(&a.ui.out, []*certView{v})
			_ = compare(v, v)
			texts = append(texts, strings.Split(out.String(), "\n")...)
		}
		for oid := range extensionReaders {
			x := newExtensionView(extensionOf(t, oid, data))
			texts = append(texts, x.lines...)
			if _, err := safeJSON(x.json(), ""); err != nil {
				t.Fatal(err)
			}
		}
		for _, text := range texts {
			if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Fatalf("%q would reach a terminal", text)
			}
		}
	})
}

func extensionOf(t *testing.T, oid string, value []byte) cert.Extension {
	id, err := x509.ParseOID(oid)
	if err != nil {
		t.Fatal(err)
	}
	der, err := id.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return cert.Extension{RawOID: der, Value: value}
}

// FuzzInputsAreRead feeds whatever may be in a file to the reader of all formats.
func FuzzInputsAreRead(f *testing.F) {
	ca := pkitest.New(f, pkitest.P256)
	files := ca.Server(pkitest.P256).Files()
	for _, file := range []string{files.Cert, files.Key, files.Chain} {
		if text, err := os.ReadFile(file); err == nil {
			f.Add(text)
		}
	}
	f.Add(ca.Root.Raw)
	f.Add([]byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, _, _ := newTestApp()
		c := &contents{origin: "input"}
		s := &secretFlags{known: []byte("secret")}
		if err := a.take(c, data, s); err == nil {
			_ = c.needCerts()
			_, _ = c.parsed()
			_ = c.summary()
		}
	})
}

func TestSubjectsAreReadInBothForms(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"/C=US/O=Example Ltd/CN=app.test", "CN=app.test, O=Example Ltd, C=US"},
		{"CN=app.test, O=Example Ltd, C=US", "CN=app.test, O=Example Ltd, C=US"},
		{`CN=a\, b, O=x`, `CN=a\, b, O=x`},
		{`/CN=a\/b`, "CN=a/b"},
		{"app.test", "CN=app.test"},
		{"/2.5.4.3=app.test", "CN=app.test"},
		{"/DC=test/DC=example/UID=x", "UID=x, DC=example, DC=test"},
	} {
		name, err := parseSubject(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		der, err := asn1.Marshal(name.ToRDNSequence())
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if got := rawNameText(der); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.text, got, tc.want)
		}
	}
	for _, bad := range []string{"/X=y", "/CN=", "CN=a,b", "/C=USA", "/1.2.x=y", "/1=y"} {
		if name, err := parseSubject(bad); err == nil {
			t.Errorf("%s: %v", bad, name)
		}
	}
}

func TestArgumentsAreFilesOrServers(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "odd:443")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]bool{
		"-": false, file: false, "example.com:443": true, "https://example.com/": true, "[::1]:443": true, "server.pem": false, "a/b:1": false,
	} {
		if got := isServer(arg); got != want {
			t.Errorf("%s: a server: %v", arg, got)
		}
	}
	for arg, want := range map[string]bool{"server.pem": true, "./x": true, "notes": true, "example.com": false, "localhost": false} {
		if got := looksLikeFile(arg); got != want {
			t.Errorf("%s: a file: %v", arg, got)
		}
	}
}
