package ech_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/ech"
	"github.com/tlswright/tlswright/wire"
)

func generate(t testing.TB, template wire.ECHConfig) *ech.Key {
	t.Helper()
	if template.PublicName == "" {
		template.PublicName = "public.example"
	}
	config, private, err := ech.Generate(template)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ech.NewKey(config, private)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func list(configs ...wire.ECHConfig) []byte {
	l := wire.ECHConfigList{Configs: configs}
	return l.Append(nil)
}

// hellos are an inner and an outer one.
func hellos() (inner, outer *wire.ClientHello) {
	inner = &wire.ClientHello{LegacyVersion: wire.VersionTLS12, SessionID: []byte("id"), CipherSuites: []wire.CipherSuite{0x1301}, CompressionMethods: []byte{0}}
	outer = new(wire.ClientHello)
	*outer = *inner
	inner.Random[0] = 1
	add := func(v wire.ExtensionView, to ...*wire.ClientHello) {
		for _, h := range to {
			h.Extensions.Add(v)
		}
	}
	add(&wire.SupportedGroups{Groups: []wire.Group{29}}, inner, outer)
	add(&wire.KeyShares{Entries: []wire.KeyShareEntry{{Group: 29, KeyExchange: bytes.Repeat([]byte("k"), 32)}}}, inner, outer)
	add(&wire.ServerNames{Names: []wire.ServerName{{Name: []byte("secret.example")}}}, inner)
	add(&wire.ServerNames{Names: []wire.ServerName{{Name: []byte("public.example")}}}, outer)
	add(&wire.ECHClientHello{Type: wire.ECHInner}, inner)
	return inner, outer
}

func TestEverySuiteAndKEMSealsWhatItOpens(t *testing.T) {
	for _, kem := range []wire.HPKEKEM{wire.HPKEKEMX25519, wire.HPKEKEMP256, wire.HPKEKEMP384, wire.HPKEKEMP521, 0x647a} {
		for kdf := wire.HPKEHKDFSHA256; kdf <= wire.HPKEHKDFSHA512; kdf++ {
			for aead := wire.HPKEAES128GCM; aead <= wire.HPKEChaCha20Poly1305; aead++ {
				k := generate(t, wire.ECHConfig{KEM: kem, CipherSuites: []wire.HPKESuite{{KDF: kdf, AEAD: aead}}, ConfigID: 3})
				other := generate(t, wire.ECHConfig{ConfigID: 3})
				choice, err := ech.Choose(list(k.Config))
				if err != nil {
					t.Fatal(err)
				}
				s, err := ech.NewSealer(choice)
				if err != nil {
					t.Fatal(err)
				}
				inner, outer := hellos()
				encoded := ech.Encode(inner, outer.Extensions, 30)
				raw, err := s.Seal(outer, encoded)
				if err != nil {
					t.Fatal(err)
				}
				v := extension(t, raw)
				o, got := ech.Open([]*ech.Key{other, k}, raw, v)
				if o == nil || o.Key != k || !bytes.Equal(got, encoded) {
					t.Fatalf("%v, %v, %v: opener %v", kem, kdf, aead, o)
				}
				raw, err = s.Seal(outer, encoded)
				if err != nil {
					t.Fatal(err)
				}
				v = extension(t, raw)
				if got, err := o.Again(raw, v); err != nil || !bytes.Equal(got, encoded) || len(v.Enc) != 0 {
					t.Fatalf("the second: %v", err)
				}
				raw[10] ^= 1 // of the random: all of the outer hello is authenticated
				if o, _ := ech.Open([]*ech.Key{k}, raw, extension(t, raw)); o != nil {
					t.Error("a changed outer hello opens")
				}
			}
		}
	}
}

// extension reads encrypted_client_hello out of a message.
func extension(t testing.TB, raw []byte) *wire.ECHClientHello {
	t.Helper()
	var h wire.ClientHello
	var v wire.ECHClientHello
	if err := h.Parse(bytes.Clone(raw)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Ext(&v); err != nil {
		t.Fatal(err)
	}
	return &v
}

func TestConfigurationsThatAreOfNoUseAreLeftAlone(t *testing.T) {
	good := generate(t, wire.ECHConfig{}).Config
	change := func(f func(*wire.ECHConfig)) wire.ECHConfig {
		c := good
		f(&c)
		return c
	}
	bad := map[string]wire.ECHConfig{
		"version": {Version: 0xfe0c, Unknown: []byte("x")},
		"KEM":     change(func(c *wire.ECHConfig) { c.KEM = 0x6666 }),
		"key":     change(func(c *wire.ECHConfig) { c.PublicKey = c.PublicKey[1:] }),
		"suite": change(func(c *wire.ECHConfig) {
			c.CipherSuites = []wire.HPKESuite{{KDF: 1, AEAD: 0xffff}, {KDF: 9, AEAD: 1}, {KDF: 0, AEAD: 1}}
		}),
		"mandatory": change(func(c *wire.ECHConfig) { c.Extensions = []wire.ECHConfigExtension{{Type: 0x8001}} }),
		"twice":     change(func(c *wire.ECHConfig) { c.Extensions = []wire.ECHConfigExtension{{Type: 1}, {Type: 1}} }),
		"many":      change(func(c *wire.ECHConfig) { c.Extensions = make([]wire.ECHConfigExtension, 40) }),
	}
	for _, name := range []string{"dns_doesnt_have_underscores.example", ".example", "a.", "a..b", "-a.example", "a-.example", "1.2.3.4", "a.123", "a.0x1f", "a.0X", "ä.example",
		strings.Repeat("a", 64) + ".example", "a b", "[::1]"} {
		bad[name] = change(func(c *wire.ECHConfig) { c.PublicName = name })
	}
	for name, c := range bad {
		if _, err := ech.Choose(list(c)); !errors.Is(err, ech.ErrNoConfig) {
			t.Errorf("%s: %v", name, err)
		}
		if chosen, err := ech.Choose(list(c, good)); err != nil || chosen.Config.ConfigID != good.ConfigID {
			t.Errorf("%s does not lead to the next: %v", name, err)
		}
	}
	for _, name := range []string{"example", "a-b.example", "0x.example", "a.0xg", "1.2.3.4a", "XN--A.example"} {
		c := change(func(c *wire.ECHConfig) { c.PublicName = name })
		if err := ech.Usable(&c); err != nil {
			t.Error(err)
		}
	}
	ok := change(func(c *wire.ECHConfig) { c.Extensions = []wire.ECHConfigExtension{{Type: 1}, {Type: 0x7fff}} })
	if err := ech.Usable(&ok); err != nil {
		t.Error(err)
	}
	var parse *wire.ParseError
	if _, err := ech.Choose([]byte{0, 1}); !errors.As(err, &parse) {
		t.Errorf("%v", err)
	}
}

func TestKeysMustBeThoseOfTheirConfiguration(t *testing.T) {
	config, private, err := ech.Generate(wire.ECHConfig{PublicName: "public.example"})
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := ech.Generate(wire.ECHConfig{PublicName: "public.example"})
	if err != nil {
		t.Fatal(err)
	}
	old := wire.ECHConfig{Version: 1, Unknown: []byte("x")}
	alien := wire.ECHConfig{Version: wire.ECHVersion1, KEM: 0x6666, PublicKey: []byte("x"), CipherSuites: []wire.HPKESuite{{}}, PublicName: "x"}
	for name, c := range map[string][2][]byte{
		"another's": {config, other}, "short": {config, private[1:]}, "cut off": {config[:20], private},
		"another version": {old.Append(nil), private}, "another KEM": {alien.Append(nil), private},
	} {
		if _, err := ech.NewKey(c[0], c[1]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, c := range map[string]wire.ECHConfig{
		"no name": {}, "unknown KEM": {PublicName: "a.b", KEM: 0x6666}, "no suite that encrypts": {PublicName: "a.b", CipherSuites: []wire.HPKESuite{{KDF: 1, AEAD: 0xffff}}},
	} {
		if _, _, err := ech.Generate(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTheInnerHelloComesBack(t *testing.T) {
	inner, outer := hellos()
	encoded := ech.Encode(inner, outer.Extensions, 40)
	if len(encoded)%32 != 0 || bytes.Contains(encoded, []byte("kkkk")) {
		t.Errorf("%d bytes: %x", len(encoded), encoded)
	}
	raw, err := ech.Decode(encoded, outer)
	if err != nil || !bytes.Equal(raw, wire.AppendMessage(nil, inner)) {
		t.Errorf("%v: %x", err, raw)
	}
	// A name is never left to the outer hello, not even where both have it.
	inner, outer = hellos()
	outer.Extensions[2] = inner.Extensions[2]
	if encoded := ech.Encode(inner, outer.Extensions, 40); !bytes.Contains(encoded, []byte("secret.example")) {
		t.Error("the name was left out")
	}
	if encoded := ech.Encode(inner, nil, 0); !bytes.Contains(encoded, []byte("kkkk")) {
		t.Error("the key share was left out, and nobody has it")
	}
}

// TestNothingBlowsUp: what comes out is no longer than what both put in, however often an extension is named.
func TestNothingBlowsUp(t *testing.T) {
	inner, outer := hellos()
	outer.Extensions.Add(&wire.Cookie{Cookie: make([]byte, 50_000)})
	inner.Extensions = nil
	for range 200 {
		inner.Extensions.Add(&wire.ECHOuterExtensions{Types: []wire.ExtensionType{wire.ExtCookie}})
	}
	e := wire.EncodedClientHelloInner{Hello: *inner}
	e.Hello.SessionID = nil
	if raw, err := ech.Decode(e.Append(nil), outer); !errors.Is(err, ech.ErrOuter) {
		t.Errorf("%v, %d bytes", err, len(raw))
	}
	e.Hello.Extensions = e.Hello.Extensions[:1]
	e.Hello.Extensions = append(e.Hello.Extensions, wire.Extension{Type: 1, Data: make([]byte, 40_000)})
	var size *wire.SizeError
	if _, err := ech.Decode(e.Append(nil), outer); !errors.As(err, &size) {
		t.Errorf("%v", err)
	}
	s, err := ech.NewSealer(must(ech.Choose(list(generate(t, wire.ECHConfig{}).Config))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal(outer, make([]byte, 64<<10)); !errors.As(err, &size) {
		t.Errorf("%v", err)
	}
	if _, err := s.Seal(outer, make([]byte, 20<<10)); !errors.As(err, &size) {
		t.Errorf("%v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestGreaseIsOfTheFormOfTheRealThing(t *testing.T) {
	v, err := ech.Grease(64)
	if err != nil {
		t.Fatal(err)
	}
	if v.Type != wire.ECHOuter || len(v.Enc) != 32 || len(v.Payload) != 64+16 || bytes.Equal(v.Payload, make([]byte, 80)) {
		t.Errorf("%+v", v)
	}
}

// FuzzDecode: what is put together parses, is bounded by what both brought, and encodes to something that decodes to it.
func FuzzDecode(f *testing.F) {
	inner, outer := hellos()
	f.Add(ech.Encode(inner, outer.Extensions, 20), wire.AppendMessage(nil, outer))
	f.Add(ech.Encode(inner, nil, 0), wire.AppendMessage(nil, outer))
	f.Fuzz(func(t *testing.T, encoded, rawOuter []byte) {
		var outer wire.ClientHello
		if outer.Parse(rawOuter) != nil {
			return
		}
		raw, err := ech.Decode(encoded, &outer)
		if err != nil {
			return
		}
		var inner wire.ClientHello
		if err := inner.Parse(raw); err != nil {
			t.Fatalf("%x does not parse: %v", raw, err)
		}
		if _, has := inner.Extensions.Find(wire.ExtECHOuterExtensions); has || len(raw) > len(encoded)+len(rawOuter)+4 || !bytes.Equal(inner.SessionID, outer.SessionID) {
			t.Fatalf("%x", raw)
		}
		if _, twice := inner.Extensions.Duplicate(); twice || len(inner.Extensions) == 0 {
			return // what is refused later need not come back
		}
		if _, twice := outer.Extensions.Duplicate(); twice {
			return
		}
		again, err := ech.Decode(ech.Encode(&inner, outer.Extensions, 3), &outer)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%v: %x, not %x", err, again, raw)
		}
	})
}
