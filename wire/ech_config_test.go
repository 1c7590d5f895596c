package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// echConfigSampleHex is echConfigSample on the wire, worked out by hand.
const echConfigSampleHex = "fe0d 0022 2a 0020 0003 6b6579 0008 0001 0001 0003 0003 20 06 612e74657374 0006 1a1a 0002 7878"

func echConfigSample() ECHConfig {
	return ECHConfig{
		Version: ECHVersion1, ConfigID: 42, KEM: HPKEKEMX25519, PublicKey: []byte("key"),
		CipherSuites:      []HPKESuite{{HPKEHKDFSHA256, HPKEAES128GCM}, {HPKEHKDFSHA512, HPKEChaCha20Poly1305}},
		MaximumNameLength: 32, PublicName: "a.test", Extensions: []ECHConfigExtension{{0x1a1a, []byte("xx")}},
	}
}

func TestAnECHConfigIsReadAsItWasWritten(t *testing.T) {
	raw := unhex(t, echConfigSampleHex)
	want := echConfigSample()
	if got := want.Append(nil); !bytes.Equal(got, raw) {
		t.Errorf("encodes to %x, want %x", got, raw)
	}
	var got ECHConfig
	if err := got.Parse(raw); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for n := range raw {
		if err := new(ECHConfig).Parse(raw[:n]); err == nil {
			t.Errorf("%d of %d bytes parse", n, len(raw))
		}
	}
	if !ECHConfigExtensionType(0x8001).Mandatory() || ECHConfigExtensionType(0x7fff).Mandatory() {
		t.Error("the high bit alone makes an extension mandatory")
	}
}

func TestTheNamesOfECH(t *testing.T) {
	for got, want := range map[string]string{
		ECHVersion1.String():                                       "ECH 1",
		KindECHVersion.Name(0xfe0c):                                "0xfe0c",
		KindHPKEKEM.Name(0x20):                                     "DHKEM(X25519, HKDF-SHA256)",
		KindHPKEKEM.Name(0x10):                                     "DHKEM(P-256, HKDF-SHA256)",
		KindHPKEKEM.Name(0x647a):                                   "0x647a",
		KindHPKEKDF.Name(2):                                        "HKDF-SHA384",
		KindHPKEAEAD.Name(2):                                       "AES-256-GCM",
		KindHPKEAEAD.Name(9):                                       "0x0009",
		KindECHClientHelloType.Name(0):                             "outer",
		KindECHClientHelloType.Name(1):                             "inner",
		KindECHClientHelloType.Name(2):                             "0x02",
		(HPKESuite{HPKEHKDFSHA256, HPKEChaCha20Poly1305}).String(): "HKDF-SHA256, ChaCha20Poly1305",
		ECHConfigExtensionType(0xaaaa).String():                    "GREASE 0xaaaa",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTheLeavesOfAnEncodedClientHelloInner(t *testing.T) {
	in := EncodedClientHelloInner{Zeros: make([]byte, 5)}
	in.Hello = ClientHello{LegacyVersion: VersionTLS12, CipherSuites: []CipherSuite{TLS_AES_128_GCM_SHA256}, CompressionMethods: []byte{0}}
	in.Hello.Extensions.Add(&ECHOuterExtensions{Types: []ExtensionType{ExtKeyShare}})
	in.Hello.Extensions.Add(&ECHClientHello{Type: ECHInner})
	raw := in.Append(nil)
	leaves, err := tiles(t, len(raw), func(v Visitor) error { return WalkEncodedClientHelloInner(raw, v) })
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, l := range leaves {
		paths = append(paths, l.path)
	}
	for _, want := range []string{"EncodedClientHelloInner.random", "EncodedClientHelloInner.extensions[0] ech_outer_extensions.types[0]",
		"EncodedClientHelloInner.extensions[1] encrypted_client_hello.type", "EncodedClientHelloInner.zeros"} {
		if !strings.Contains("\n"+strings.Join(paths, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("no leaf %s in %q", want, paths)
		}
	}
	var got EncodedClientHelloInner
	if err := got.Parse(raw); err != nil || !got.Padded() || len(got.Zeros) != 5 {
		t.Errorf("%v, zeros %x", err, got.Zeros)
	}
	raw[len(raw)-1] = 1
	if err := got.Parse(raw); err != nil || got.Padded() {
		t.Errorf("%v: padding %x passes", err, got.Zeros)
	}
}

// FuzzECHConfigList: what parses re-encodes to the same bytes, and its leaves tile the input whether it parses or not.
func FuzzECHConfigList(f *testing.F) {
	sample := ECHConfigList{[]ECHConfig{echConfigSample(), {Version: 1, Unknown: []byte("?")}}}
	f.Add(sample.Append(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var l ECHConfigList
		err := l.Parse(raw)
		if err == nil {
			if got := l.Append(nil); !bytes.Equal(got, raw) {
				t.Fatalf("encodes to %x", got)
			}
		}
		if _, walkErr := tiles(t, len(raw), func(v Visitor) error { return WalkECHConfigList(raw, v) }); (err == nil) != (walkErr == nil) {
			t.Fatalf("parsing says %v, the walk %v", err, walkErr)
		}
	})
}

// FuzzEncodedClientHelloInner: the same of the inner ClientHello.
func FuzzEncodedClientHelloInner(f *testing.F) {
	for _, s := range messageSamples() {
		if s.message.Type() == TypeClientHello {
			f.Add(append(unhex(f, s.raw)[4:], 0, 0, 0))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var in EncodedClientHelloInner
		err := in.Parse(raw)
		if err == nil {
			if got := in.Append(nil); !bytes.Equal(got, raw) {
				t.Fatalf("encodes to %x", got)
			}
		}
		if _, walkErr := tiles(t, len(raw), func(v Visitor) error { return WalkEncodedClientHelloInner(raw, v) }); err != nil && walkErr == nil {
			t.Fatalf("the walk finds no fault, parsing does: %v", err)
		}
	})
}
