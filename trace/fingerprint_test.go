package trace_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// chromeHello is the hello that a published pair of fingerprints belongs to, as far as these look at it, with GREASE
// where that browser puts it.
func chromeHello() []byte {
	hello := wire.ClientHello{
		LegacyVersion: wire.VersionTLS12, CompressionMethods: []byte{0},
		CipherSuites: suitesOf(0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035),
	}
	bodies := map[uint16][]byte{
		0:      list16([]byte{0, 0, 1, 'a'}),
		10:     list16(numbers(0x2a2a, 4588, 29, 23, 24)),
		11:     {1, 0},
		13:     list16(numbers(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)),
		16:     list16([]byte("\x02h2\x08http/1.1")),
		43:     {6, 0x3a, 0x3a, 3, 4, 3, 3},
		0x4a4a: {},
	}
	for _, t := range []uint16{0x4a4a, 45, 51, 16, 65037, 23, 17613, 0, 11, 10, 43, 65281, 35, 18, 5, 13, 27} {
		hello.Extensions = append(hello.Extensions, wire.Extension{Type: wire.ExtensionType(t), Data: bodies[t]})
	}
	return wire.AppendMessage(nil, &hello)
}

func suitesOf(ids ...uint16) (suites []wire.CipherSuite) {
	for _, id := range ids {
		suites = append(suites, wire.CipherSuite(id))
	}
	return suites
}

func numbers(values ...uint16) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

func list16(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }

func TestFingerprintsOfAKnownBrowser(t *testing.T) {
	f, err := trace.FingerprintHello(chromeHello())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, got, want string }{
		{"JA3 text", f.JA3Text, "771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,45-51-16-65037-23-17613-0-11-10-43-65281-35-18-5-13-27,4588-29-23-24,0"},
		{"JA3", f.JA3, "98487aa16281980e7d1120d399efb6a4"},
		{"JA4", f.JA4, "t13d1516h2_8daaf6152771_d8a2da3f94cd"},
		{"JA4 text", f.JA4Text, "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_" +
			"0005,000a,000b,000d,0012,0017,001b,0023,002b,002d,0033,44cd,fe0d,ff01_0403,0804,0401,0503,0805,0501,0806,0601"},
	} {
		if c.got != c.want {
			t.Errorf("%s is %s, want %s", c.name, c.got, c.want)
		}
	}
}

func TestFingerprintOfAnOldHello(t *testing.T) {
	hello := wire.ClientHello{LegacyVersion: wire.VersionTLS10, CompressionMethods: []byte{0}, CipherSuites: suitesOf(0x002f)}
	f, err := trace.FingerprintHello(wire.AppendMessage(nil, &hello))
	if err != nil {
		t.Fatal(err)
	}
	if f.JA3Text != "769,47,,," {
		t.Errorf("JA3 text is %q", f.JA3Text)
	}
	if !strings.HasPrefix(f.JA4, "t10i010000_") || !strings.HasSuffix(f.JA4, "_000000000000") {
		t.Errorf("JA4 is %q", f.JA4)
	}
}

func TestFingerprintRefusesWhatIsNoHello(t *testing.T) {
	if _, err := trace.FingerprintHello([]byte("GET / HTTP/1.1")); err == nil {
		t.Error("no error")
	}
}

// FuzzFingerprint holds that no hello is too odd for a fingerprint, and that each JA4 has its form.
func FuzzFingerprint(f *testing.F) {
	f.Add(chromeHello())
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := trace.FingerprintHello(raw)
		if err != nil {
			return
		}
		if parts := strings.Split(p.JA4, "_"); len(parts) != 3 || len(parts[0]) != 10 || len(parts[1]) != 12 || len(parts[2]) != 12 {
			t.Errorf("JA4 is %q", p.JA4)
		}
	})
}
