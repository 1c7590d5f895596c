package relay

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

var proxyHeaders = map[string]ProxyHeader{
	"local":   {Local: true},
	"unknown": {},
	"ipv4":    {Source: netip.MustParseAddrPort("192.0.2.1:4711"), Destination: netip.MustParseAddrPort("198.51.100.2:443")},
	"ipv6":    {Source: netip.MustParseAddrPort("[2001:db8::1]:4711"), Destination: netip.MustParseAddrPort("[2001:db8::2]:443")},
	"all": {Source: netip.MustParseAddrPort("192.0.2.1:4711"), Destination: netip.MustParseAddrPort("198.51.100.2:443"), ALPN: "h2", Authority: "site.example",
		SSL: &ProxySSL{Certificate: true, Verified: true, Version: "TLSv1.3", CommonName: "älice", Cipher: "TLS_AES_128_GCM_SHA256", Signature: "SHA256", Key: "EC256"}},
	"resumed":    {SSL: &ProxySSL{Certificate: true, Resumed: true, Verified: true, CommonName: "alice"}},
	"anonymous":  {SSL: &ProxySSL{Verified: true, Version: "TLSv1.2"}},
	"unverified": {SSL: &ProxySSL{Certificate: true}},
}

func TestProxyHeadersComeBackAsTheyWere(t *testing.T) {
	for name, h := range proxyHeaders {
		b := AppendProxy([]byte("x"), h)[1:]
		r := bytes.NewReader(append(b[:len(b):len(b)], "rest"...))
		got, err := ReadProxy(iotest.OneByteReader(r))
		if err != nil || !reflect.DeepEqual(got, h) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "rest" {
			t.Errorf("%s: %q is left", name, rest)
		}
		for i := range b { // cut off anywhere, or changed anywhere
			if _, err := ReadProxy(bytes.NewReader(b[:i])); err == nil {
				t.Errorf("%s cut off at %d is taken", name, i)
			}
			if !h.Local {
				c := bytes.Clone(b)
				c[i] ^= 0x40
				if got, err := ReadProxy(bytes.NewReader(c)); err == nil && !reflect.DeepEqual(got, h) && bytes.Contains(c, []byte{3, 0, 4}) {
					t.Errorf("%s changed at %d is taken: %+v", name, i, got)
				}
			}
		}
	}
}

// TestProxyHeaderIsAsTheSpecificationHasIt checks the bytes against some that were put together by hand.
func TestProxyHeaderIsAsTheSpecificationHasIt(t *testing.T) {
	b := AppendProxy(nil, ProxyHeader{Source: netip.MustParseAddrPort("[::ffff:1.2.3.4]:256"), Destination: netip.MustParseAddrPort("5.6.7.8:443"), ALPN: "h2", Authority: "a.b",
		SSL: &ProxySSL{Certificate: true, Verified: true, Version: "TLSv1.3", CommonName: "al"}})
	want := "0d0a0d0a000d0a515549540a" + "21" + "11" + "0035" + "01020304" + "05060708" + "0100" + "01bb" +
		"010002" + "6832" + "020003" + "612e62" + "200014" + "07" + "00000000" + "210007" + "544c5376312e33" + "220002" + "616c" + "030004"
	if got := hex.EncodeToString(b[:len(b)-4]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	b = AppendProxy(nil, ProxyHeader{Source: netip.MustParseAddrPort("1.2.3.4:1"), Destination: netip.MustParseAddrPort("[2001:db8::2]:443")})
	if h, err := ReadProxy(bytes.NewReader(b)); err != nil || b[13] != 0x21 || h.Source.String() != "1.2.3.4:1" {
		t.Errorf("%x %+v %v", b, h, err)
	}
}

func TestNoNameIsToldThatIsNotProven(t *testing.T) {
	for _, s := range []*ProxySSL{
		{Certificate: true, CommonName: "alice"},
		{Verified: true, CommonName: "alice"},
		{Certificate: true, Verified: true, CommonName: strings.Repeat("alice", 300)}, // cut off it would be another's
	} {
		if b := AppendProxy(nil, ProxyHeader{SSL: s}); bytes.Contains(b, []byte("alice")) {
			t.Errorf("%+v: %q", s, b)
		}
	}
}

func TestBadProxyHeadersAreRefused(t *testing.T) {
	good := AppendProxy(nil, proxyHeaders["all"])
	with := func(change func(b []byte) []byte) []byte { return change(bytes.Clone(good)) }
	short := func(tlv string) []byte {
		b := append([]byte(proxySignature), proxyProxy, proxyUnspec, 0, byte(len(tlv)))
		return append(b, tlv...)
	}
	for name, b := range map[string][]byte{
		"version 1":           []byte("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
		"a request":           []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
		"TLS":                 []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		"nothing":             nil,
		"another version":     with(func(b []byte) []byte { b[12] = 0x31; return b }),
		"another command":     with(func(b []byte) []byte { b[12] = 0x22; return b }),
		"UDP":                 with(func(b []byte) []byte { b[13] = 0x12; return b }),
		"another family":      with(func(b []byte) []byte { b[13] = 0x41; return b }),
		"too long":            with(func(b []byte) []byte { b[14] = 0xff; return append(b, make([]byte, 1<<16)...) }),
		"addresses cut off":   append([]byte(proxySignature), proxyProxy, proxyTCP4, 0, 4, 1, 2, 3, 4),
		"wrong checksum":      with(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }),
		"short checksum":      short("\x03\x00\x02ab"),
		"value's head cut":    short("\x01\x00"),
		"value cut":           short("\x01\x00\x09abc"),
		"two of a kind":       short("\x02\x00\x01a\x02\x00\x01b"),
		"TLS without head":    short("\x20\x00\x04\x01\x00\x00\x00"),
		"TLS value cut":       short("\x20\x00\x08\x01\x00\x00\x00\x00\x22\x00\x09"),
		"two common names":    short("\x20\x00\x0d\x05\x00\x00\x00\x00\x22\x00\x01a\x22\x00\x01b"),
		"Unix name cut off":   append([]byte(proxySignature), proxyProxy, 0x31, 0, 4, 1, 2, 3, 4),
		"first byte is wrong": []byte("x"),
	} {
		if h, err := ReadProxy(bytes.NewReader(b)); err == nil {
			t.Errorf("%s: %+v", name, h)
		}
	}
	if _, err := ReadProxy(strings.NewReader("GET / ")); !errors.Is(err, ErrNoProxyHeader) {
		t.Error(err)
	}
	// A peer that speaks another protocol, and waits, is not waited for.
	r, w := io.Pipe()
	go w.Write([]byte("S"))
	if _, err := ReadProxy(r); !errors.Is(err, ErrNoProxyHeader) {
		t.Error(err)
	}
}

func TestProxyHeadersOfOthersAreRead(t *testing.T) {
	unix := append([]byte(proxySignature), proxyProxy, 0x31, 0, 216)
	local := append([]byte(proxySignature), proxyLocal, proxyTCP4, 0, 15)
	local = append(local, "\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02\x04\x00\x00"...)
	odd := append([]byte(proxySignature), proxyLocal, 0x77, 0, 3, 1, 2, 3) // the family of LOCAL does not matter
	padded := append([]byte(proxySignature), proxyProxy, proxyUnspec, 0, 14)
	padded = append(padded, "\x04\x00\x00\x04\x00\x01x\xe0\x00\x01y\x04\x00\x00"...)
	for name, b := range map[string][]byte{"Unix": append(unix, make([]byte, 216)...), "local": local, "odd": odd, "padded": padded[:16+14]} {
		h, err := ReadProxy(bytes.NewReader(b))
		if err != nil || h.Source.IsValid() {
			t.Errorf("%s: %+v %v", name, h, err)
		}
	}
}

func FuzzReadProxy(f *testing.F) {
	for _, h := range proxyHeaders {
		f.Add(AppendProxy(nil, h))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		h, err := ReadProxy(r)
		if err != nil {
			return
		}
		if read := len(in) - r.Len(); read < proxyHeadLen || read > proxyHeadLen+MaxProxyHeader {
			t.Fatalf("read %d bytes", read)
		}
		again, err := ReadProxy(bytes.NewReader(AppendProxy(nil, h)))
		if err != nil || again.Local != h.Local || again.Source != h.Source || again.Destination != h.Destination {
			t.Fatalf("%+v came back as %+v, %v", h, again, err)
		}
	})
}
