package pki

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"
)

// pinChain is a leaf and its root.
func pinChain(t testing.TB) []*x509.Certificate {
	t.Helper()
	now := time.Now()
	rootKey, key := newKey(t, P256), newKey(t, Ed25519)
	root, err := SelfSign(Request{Profile: ProfileRoot, CommonName: "Root"}, rootKey, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := Issuer{Certificate: root, Key: rootKey}.Issue(Request{Profile: ProfileServer, SANs: []string{"a.example"}, Key: key.Public()}, now)
	if err != nil {
		t.Fatal(err)
	}
	return []*x509.Certificate{leaf, root}
}

func backupPin(t testing.TB) Pin {
	t.Helper()
	p, err := PinPublicKey(newKey(t, P384).Public())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPinsAreReadInEveryForm(t *testing.T) {
	c := pinChain(t)[0]
	key, whole := PinSPKI(c), PinCertificate(c)
	colons := strings.ToUpper(key.Hex())
	for i := 62; i > 0; i -= 2 {
		colons = colons[:i] + ":" + colons[i:]
	}
	for s, want := range map[string]Pin{
		key.String(): key, whole.String(): whole,
		"sha256//" + key.Base64():                        key,
		" SHA256/" + key.Base64() + "\n":                 key,
		`pin-sha256="` + key.Base64() + `"`:              key,
		key.Base64():                                     key,
		base64.URLEncoding.EncodeToString(key.SHA256[:]): key,
		"spki:" + key.Hex():                              key,
		"spki:" + colons:                                 key,
		whole.Hex():                                      whole,
		"sha256:" + whole.Hex():                          whole,
		colons:                                           {PinKindCertificate, key.SHA256},
		"certificate:" + whole.Base64():                  whole,
	} {
		if got, err := ParsePin(s); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "sha256/", key.Base64()[1:], key.Hex()[1:], strings.Repeat("g", 64), strings.Repeat("!", 44), "sha1/" + key.Base64(), "\x1b" + key.Base64(), strings.Repeat("x", 1<<20)} {
		if _, err := ParsePin(s); err == nil || strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 300 {
			t.Errorf("%.80q: %v", s, err)
		}
	}
	if same, err := PinPublicKey(c.PublicKey); err != nil || same != key {
		t.Errorf("%v, %v", same, err)
	}
	if _, err := PinPublicKey("key"); err == nil {
		t.Error("no key was pinned")
	}
}

func TestPinSetsMatchAVerifiedChain(t *testing.T) {
	chain := pinChain(t)
	leaf, root := chain[0], chain[1]
	backup := backupPin(t)
	for name, c := range map[string]struct {
		set  PinSet
		want Pin
		ok   bool
	}{
		"leaf":        {PinSet{backup, PinSPKI(leaf)}, PinSPKI(leaf), true},
		"leaf first":  {PinSet{PinSPKI(root), PinSPKI(leaf)}, PinSPKI(leaf), true},
		"root":        {PinSet{backup, PinCertificate(root)}, PinCertificate(root), true},
		"backup only": {PinSet{backup}, Pin{}, false},
		"kinds":       {PinSet{{PinKindCertificate, PinSPKI(leaf).SHA256}}, Pin{}, false},
		"empty":       {nil, Pin{}, false},
	} {
		if got, ok := c.set.Match(chain); got != c.want || ok != c.ok {
			t.Errorf("%s: %v %t", name, got, ok)
		}
	}
}

func TestAPinSetNeedsABackup(t *testing.T) {
	chain := pinChain(t)
	leaf, root := chain[0], chain[1]
	backup := backupPin(t)
	if err := (PinSet{PinSPKI(leaf), backup}).Validate(chain); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		set  PinSet
		want string
	}{
		"empty":     {nil, "no pins"},
		"no backup": {PinSet{PinSPKI(leaf), PinSPKI(root)}, "no backup"},
		"one":       {PinSet{PinSPKI(leaf)}, "no backup"},
		"no match":  {PinSet{backup}, "no pin matches"},
		"twice":     {PinSet{PinSPKI(leaf), backup, backup}, "twice"},
		"many":      {make(PinSet, maxPins+1), "more than"},
	} {
		var refused *RefusedError
		if err := c.set.Validate(chain); !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPinSetsAreWrittenForOthers(t *testing.T) {
	leaf := pinChain(t)[0]
	set := PinSet{PinSPKI(leaf), backupPin(t)}
	a, b := set[0].Base64(), set[1].Base64()

	header, err := set.HPKPHeader(90*time.Second+time.Millisecond, true)
	if want := `Public-Key-Pins: pin-sha256="` + a + `"; pin-sha256="` + b + `"; max-age=90; includeSubDomains`; err != nil || header != want {
		t.Errorf("%s, %v", header, err)
	}
	curl, err := set.CurlPinnedPubKey()
	if err != nil || curl != "sha256//"+a+";sha256//"+b {
		t.Errorf("%s, %v", curl, err)
	}
	if back, err := ParsePinSet(curl); err != nil || len(back) != 2 || back[0] != set[0] || back[1] != set[1] {
		t.Errorf("%v, %v", back, err)
	}
	java, err := set.OkHttp("*.a.example")
	if err != nil || !strings.Contains(java, `.add("*.a.example", "sha256/`+a+`")`) {
		t.Errorf("%s, %v", java, err)
	}
	config, err := set.AndroidConfig("a.example", true, time.Date(2027, 1, 2, 23, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Domain struct {
			Sub  bool   `xml:"includeSubdomains,attr"`
			Name string `xml:",chardata"`
		} `xml:"domain-config>domain"`
		Set struct {
			Until string   `xml:"expiration,attr"`
			Pins  []string `xml:"pin"`
		} `xml:"domain-config>pin-set"`
	}
	if err := xml.Unmarshal([]byte(config), &parsed); err != nil || !parsed.Domain.Sub || parsed.Domain.Name != "a.example" ||
		parsed.Set.Until != "2027-01-02" || len(parsed.Set.Pins) != 2 || parsed.Set.Pins[1] != b {
		t.Errorf("%v in\n%s", err, config)
	}
	if plain, err := set.AndroidConfig("a.example", false, time.Time{}); err != nil || strings.Contains(plain, "expiration") {
		t.Errorf("%s, %v", plain, err)
	}
}

func TestNothingForeignGetsIntoSnippets(t *testing.T) {
	leaf := pinChain(t)[0]
	set := PinSet{PinSPKI(leaf)}
	for _, host := range []string{"", `a"); evil("`, "<a>", "a b", "a\n", strings.Repeat("a", 254), "*.*.a", "ä.example"} {
		if s, err := set.OkHttp(host); err == nil {
			t.Errorf("%q: %s", host, s)
		}
		if s, err := set.AndroidConfig(host, false, time.Time{}); err == nil {
			t.Errorf("%q: %s", host, s)
		}
	}
	var refused *RefusedError
	for _, set := range []PinSet{nil, {PinCertificate(leaf)}} {
		if _, err := set.CurlPinnedPubKey(); !errors.As(err, &refused) {
			t.Errorf("%v", err)
		}
		if _, err := set.HPKPHeader(0, false); !errors.As(err, &refused) {
			t.Errorf("%v", err)
		}
	}
	for _, text := range []string{"", " ;, ", "sha256/short", strings.Repeat(set[0].Base64()+",", maxPins+1)} {
		if _, err := ParsePinSet(text); err == nil {
			t.Errorf("%.60q was read", text)
		}
	}
}

// TestAPinMayBeginWithASlash: base64 has slashes too, and a pin must survive being written and read.
func TestAPinMayBeginWithASlash(t *testing.T) {
	const digits = "/" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	var pins []Pin
	for _, text := range []string{"sha256/" + digits, "sha256//" + digits, digits} {
		p, err := ParsePin(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		pins = append(pins, p)
	}
	if pins[0] != pins[1] || pins[1] != pins[2] {
		t.Errorf("three ways to write a pin, and these were read: %v", pins)
	}
}

func FuzzParsePin(f *testing.F) {
	for _, s := range []string{"sha256//" + strings.Repeat("A", 43) + "=", strings.Repeat("ab:", 31) + "ab", `pin-sha256="` + strings.Repeat("A", 43) + `="`, "spki:" + strings.Repeat("00", 32)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePin(s)
		if err != nil {
			return
		}
		if back, err := ParsePin(p.String()); err != nil || back != p {
			t.Fatalf("%v became %v, %v", p, back, err)
		}
	})
}
