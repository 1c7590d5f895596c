package pkcs12_test

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	other "software.sslmate.com/src/go-pkcs12"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/pkcs12"
)

// bundleOf is a leaf with its intermediate and its key.
func bundleOf(t testing.TB, l *pkitest.Leaf) pkcs12.Bundle {
	t.Helper()
	b := pkcs12.Bundle{Key: l.Key, FriendlyName: "Käsekuchen \U0001f967"}
	for _, der := range l.Chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		b.Chain = append(b.Chain, c)
	}
	return b
}

func mustEncode(t testing.TB, b pkcs12.Bundle, secret string, p pkcs12.Profile) []byte {
	t.Helper()
	der, err := pkcs12.Encode(b, []byte(secret), p)
	if err != nil {
		t.Fatal(err)
	}
	if !pkcs12.Is(der) {
		t.Error("what was written is not recognised")
	}
	return der
}

// sameBundle compares what matters of two bundles.
func sameBundle(t testing.TB, what string, got, want pkcs12.Bundle) {
	t.Helper()
	if (got.Key == nil) != (want.Key == nil) || got.Key != nil && !pki.SameKey(got.Key.Public(), want.Key.Public()) {
		t.Errorf("%s: another key", what)
	}
	for i, pair := range [][2][]*x509.Certificate{{got.Chain, want.Chain}, {got.Trusted, want.Trusted}} {
		if len(pair[0]) != len(pair[1]) {
			t.Errorf("%s: %d certificates in list %d, not %d", what, len(pair[0]), i, len(pair[1]))
			continue
		}
		for j := range pair[0] {
			if !pair[0][j].Equal(pair[1][j]) {
				t.Errorf("%s: certificate %d of list %d is another", what, j, i)
			}
		}
	}
	if got.FriendlyName != want.FriendlyName {
		t.Errorf("%s: name %q, not %q", what, got.FriendlyName, want.FriendlyName)
	}
}

func TestBundlesSurviveWritingAndReading(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	for _, k := range pkitest.KeyTypes() {
		b := bundleOf(t, ca.Server(k))
		for _, p := range []pkcs12.Profile{pkcs12.Modern, pkcs12.Legacy} {
			if p == pkcs12.Modern && k != pkitest.P256 && k != pkitest.RSAPSS {
				continue
			}
			der := mustEncode(t, b, "pässwörd \U0001f511", p)
			got, err := pkcs12.Decode(der, []byte("pässwörd \U0001f511"))
			if err != nil {
				t.Fatalf("%s, %s: %v", k, p, err)
			}
			sameBundle(t, string(k)+" "+p.String(), got, b)
			if _, err := pkcs12.Decode(der, []byte("passwort")); !errors.Is(err, pkcs12.ErrWrongPassword) {
				t.Errorf("%s, %s, wrong password: %v", k, p, err)
			}
		}
	}
}

func TestTrustStoresSurviveWritingAndReading(t *testing.T) {
	ca, second := pkitest.New(t, pkitest.P256), pkitest.New(t, pkitest.Ed25519)
	want := pkcs12.Bundle{Trusted: []*x509.Certificate{ca.Root, second.Root, ca.Root}}
	for _, secret := range []string{"changeit", ""} {
		got, err := pkcs12.Decode(mustEncode(t, want, secret, pkcs12.Modern), []byte(secret))
		if err != nil {
			t.Fatalf("%q: %v", secret, err)
		}
		sameBundle(t, "trust store", got, want)
	}
	both := bundleOf(t, ca.Server(pkitest.P256))
	both.Trusted = want.Trusted
	got, err := pkcs12.Decode(mustEncode(t, both, "secret", pkcs12.Legacy), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	sameBundle(t, "both", got, both)
}

func TestTheLeafComesFirst(t *testing.T) {
	b := bundleOf(t, pkitest.New(t, pkitest.P256).Server(pkitest.P256))
	der, err := other.Legacy.Encode(b.Key, b.Chain[1], b.Chain[:1], "x")
	if err != nil {
		t.Fatal(err)
	}
	got, err := pkcs12.Decode(der, []byte("x"))
	if err != nil || len(got.Chain) != 2 || !got.Chain[0].Equal(b.Chain[0]) {
		t.Errorf("%v", err)
	}
}

func TestAnotherLibraryAgrees(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	for _, k := range []pkitest.KeyType{pkitest.P256, pkitest.Ed25519, pkitest.RSA2048} {
		b := bundleOf(t, ca.Server(k))
		b.FriendlyName = ""
		for name, e := range map[string]*other.Encoder{
			"RC2": other.LegacyRC2, "3DES": other.LegacyDES, "AES": other.Modern2023, "PBMAC1": other.Modern2026,
		} {
			for _, secret := range []string{"sécret", ""} {
				der, err := e.Encode(b.Key, b.Chain[0], b.Chain[1:], secret)
				if err != nil {
					t.Fatal(err)
				}
				got, err := pkcs12.Decode(der, []byte(secret))
				if err != nil {
					t.Errorf("%s, %s, %q: %v", k, name, secret, err)
					continue
				}
				sameBundle(t, name, got, b)
				if _, err := pkcs12.Decode(der, []byte("wrong")); !errors.Is(err, pkcs12.ErrWrongPassword) {
					t.Errorf("%s, wrong password: %v", name, err)
				}
			}
		}
	}
	b := bundleOf(t, ca.Server(pkitest.P256))
	for _, p := range []pkcs12.Profile{pkcs12.Modern, pkcs12.Legacy} {
		key, leaf, chain, err := other.DecodeChain(mustEncode(t, b, "sécret", p), "sécret")
		if err != nil || !leaf.Equal(b.Chain[0]) || len(chain) != 1 || !pki.SameKey(key.(crypto.Signer).Public(), b.Key.Public()) {
			t.Errorf("%s: %v", p, err)
		}
	}
	trusted := pkcs12.Bundle{Trusted: ca.Roots()}
	if roots, err := other.DecodeTrustStore(mustEncode(t, trusted, "x", pkcs12.Modern), "x"); err != nil || len(roots) != 1 {
		t.Errorf("%v", err)
	}
	der, err := other.Passwordless.EncodeTrustStore(ca.Roots(), "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := pkcs12.Decode(der, nil); err != nil || len(got.Trusted) != 1 || got.FriendlyName == "" {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeSoundIsNotWritten(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	b, o := bundleOf(t, ca.Server(pkitest.P256)), bundleOf(t, ca.Server(pkitest.P256))
	var refused *pki.RefusedError
	for name, c := range map[string]struct {
		bundle pkcs12.Bundle
		secret string
	}{
		"nothing":     {pkcs12.Bundle{}, "x"},
		"no password": {b, ""},
		"no leaf":     {pkcs12.Bundle{Key: b.Key}, "x"},
		"other leaf":  {pkcs12.Bundle{Key: b.Key, Chain: o.Chain}, "x"},
	} {
		if _, err := pkcs12.Encode(c.bundle, []byte(c.secret), pkcs12.Modern); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		name, secret string
		profile      pkcs12.Profile
	}{
		"long name":     {strings.Repeat("x", 2000), "x", pkcs12.Legacy},
		"long password": {"", strings.Repeat("x", 2000), pkcs12.Legacy},
		"not UTF-8":     {"", "\xff", pkcs12.Legacy},
		"profile":       {"", "x", 7},
	} {
		b := b
		b.FriendlyName = c.name
		if _, err := pkcs12.Encode(b, []byte(c.secret), c.profile); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	for s, want := range map[string]pkcs12.Profile{"": pkcs12.Modern, "MODERN": pkcs12.Modern, "legacy": pkcs12.Legacy} {
		if p, err := pkcs12.ParseProfile(s); err != nil || p != want {
			t.Errorf("%q: %v %v", s, p, err)
		}
	}
	if _, err := pkcs12.ParseProfile("rc4"); err == nil {
		t.Error("an unknown profile was taken")
	}
}

func TestDamagedFilesGiveNothingElse(t *testing.T) {
	b := bundleOf(t, pkitest.New(t, pkitest.P256).Server(pkitest.P256))
	der := mustEncode(t, b, "x", pkcs12.Legacy)
	for i := 0; i < len(der); i += 7 {
		broken := append([]byte(nil), der...)
		broken[i] ^= 0x10
		if got, err := pkcs12.Decode(broken, []byte("x")); err == nil {
			sameBundle(t, "damaged", got, b) // the parameters of the MAC's hash mean nothing
		}
	}
	for n := range len(der) {
		if n%13 == 0 {
			if _, err := pkcs12.Decode(der[:n], []byte("x")); err == nil {
				t.Errorf("%d of %d bytes were enough", n, len(der))
			}
		}
	}
	if _, err := pkcs12.Decode(append(der, 0), []byte("x")); err == nil {
		t.Error("a byte too many went unnoticed")
	}
	for _, s := range []string{"", "30", "3003020103", "308006092a864886f70d010702a0800000", "2d2d2d2d2d"} {
		data, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pkcs12.Decode(data, nil); err == nil || pkcs12.Is(data) {
			t.Errorf("%s: %v", s, err)
		}
	}
}
