package keystore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/pki"
)

func TestTokenURIsAreTakenApart(t *testing.T) {
	got, err := parseTokenURI("pkcs11:token=My%20Token;serial=12%3b34;object=CA%20key;id=%01%ff;type=private;slot-id=7;x-vendor=1?module-path=/usr/lib/m.so&pin-source=file:/run/pin&x-more=2")
	want := tokenURI{token: "My Token", serial: "12;34", object: "CA key", id: "\x01\xff", slot: 7, module: "/usr/lib/m.so", pinSource: "file:/run/pin"}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := parseTokenURI("PKCS11:object=a;?pin-value=1%262"); err != nil || got.slot != -1 || got.pin != "1&2" {
		t.Errorf("%+v, %v", got, err)
	}
	for uri, want := range map[string]string{
		"":                                    "not a PKCS #11 URI",
		"file:/key.pem":                       "not a PKCS #11 URI",
		"pkcs11:token=a":                      "names no key",
		"pkcs11:object=%zz":                   "broken escape",
		"pkcs11:object=a;object=b":            "twice",
		"pkcs11:object=a;colour=red":          "unknown",
		"pkcs11:object=a;type=cert":           "not a private key",
		"pkcs11:object=a;slot-id=x":           "not a number",
		"pkcs11:object=a;library-version=3":   "not heeded",
		"pkcs11:object=a?module-path=m.so":    "absolute",
		"pkcs11:object=a?module-name=m":       "not heeded",
		"pkcs11:object=a?serial=b":            "unknown",
		"pkcs11:" + strings.Repeat("a", 5000): "not a PKCS #11 URI",
	} {
		if _, err := parseTokenURI(uri); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v", uri, err)
		}
	}
}

func TestPINsComeFromWhereTheURISays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(path string) ([]byte, error) {
		if strings.Contains(path, "secret") {
			t.Errorf("asked about %s", path)
		}
		return []byte("asked"), nil
	}
	for want, u := range map[string]tokenURI{"stated": {pin: "stated", pinSource: file}, "from file": {pinSource: "file:" + file}, "asked": {}} {
		if got, err := u.findPIN("pkcs11:object=a?x-note=secret", ask); err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	if _, err := (tokenURI{}).findPIN("", nil); !errors.Is(err, pki.ErrEncryptedKey) {
		t.Errorf("%v", err)
	}
}

func FuzzParseTokenURI(f *testing.F) {
	f.Add("pkcs11:token=My%20Token;object=a;id=%01?module-path=/m.so&pin-value=1")
	f.Add("pkcs11:object=a;slot-id=1;type=private")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parseTokenURI(s)
		if err == nil && u.object == "" && u.id == "" {
			t.Fatal("a URI that names nothing was read")
		}
		if strings.ContainsAny(withoutPIN(s), "?\x1b\n") {
			t.Fatalf("%q", withoutPIN(s))
		}
	})
}
