package cli

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/wire"
)

// record wraps bytes into a record.
func record(t wire.ContentType, body []byte) []byte {
	return append(wire.AppendRecordHeader(nil, wire.RecordHeader{Type: t, Version: wire.VersionTLS10, Length: len(body)}), body...)
}

func serverHello(v wire.Version, s wire.CipherSuite) []byte {
	return wire.AppendMessage(nil, &wire.ServerHello{LegacyVersion: v, CipherSuite: s})
}

func TestAnswersToAProbeAreUnderstood(t *testing.T) {
	hello := serverHello(wire.VersionTLS10, wire.TLS_RSA_WITH_RC4_128_SHA)
	warning := record(wire.ContentAlert, []byte{1, byte(wire.AlertUnrecognizedName)})
	modern := &wire.ServerHello{LegacyVersion: wire.VersionTLS12, CipherSuite: wire.TLS_AEGIS_256_SHA512}
	modern.Extensions.Add(&wire.SelectedVersion{Version: wire.VersionTLS13})
	asked := &probe{lowest: wire.VersionTLS10, highest: wire.VersionTLS11, suites: []wire.CipherSuite{wire.TLS_RSA_WITH_RC4_128_SHA}}
	for name, c := range map[string]struct {
		said []byte
		want string
	}{
		"alert":          {record(wire.ContentAlert, []byte{2, 70}), "the server refuses: it does not speak TLS 1.0 to TLS 1.1 (alert protocol_version)"},
		"no cipher":      {record(wire.ContentAlert, []byte{2, 40}), "the server refuses: it does not take TLS_RSA_WITH_RC4_128_SHA (alert handshake_failure)"},
		"something else": {record(wire.ContentAlert, []byte{2, 80}), "the server refuses: it ended the connection (alert internal_error)"},
		"hello":          {record(wire.ContentHandshake, hello), "the server accepts TLS 1.0 with TLS_RSA_WITH_RC4_128_SHA, which is not spoken here: broken, and prohibited (RFC 7465)"},
		"in pieces":      {slices.Concat(warning, record(wire.ContentHandshake, hello[:7]), record(wire.ContentHandshake, hello[7:])), "the server accepts TLS 1.0 with TLS_RSA_WITH_RC4_128_SHA, which is not spoken here: broken, and prohibited (RFC 7465)"},
		"TLS 1.3":        {record(wire.ContentHandshake, wire.AppendMessage(nil, modern)), "the server accepts TLS 1.3 with TLS_AEGIS_256_SHA512, which is not spoken here"},
	} {
		a := answer{hello: asked}
		if err := a.read(bytes.NewReader(c.said)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := a.failure().text; got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
	for name, said := range map[string][]byte{
		"closed": nil, "cut": record(wire.ContentHandshake, hello)[:9], "ssh": []byte("SSH-2.0-OpenSSH"),
		"half an alert": record(wire.ContentAlert, []byte{2}), "another message": record(wire.ContentHandshake, []byte{11, 0, 0, 0}),
		"without end": bytes.Repeat(record(wire.ContentAlert, []byte{1, 90}), maxAnswer/7+300),
	} {
		a := answer{hello: asked}
		if err := a.read(bytes.NewReader(said)); err == nil || a.isAccepted || a.isAlert {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// TestProbesAreSoundHellos sends every kind of hello and reads it as a server would.
func TestProbesAreSoundHellos(t *testing.T) {
	for v := wire.VersionSSL30; v <= wire.VersionTLS13; v++ {
		p := &probe{lowest: v, highest: v, suites: oldSuites(v)}
		ours, theirs := net.Pipe()
		heard := make(chan []byte, 1)
		go func() {
			buf := make([]byte, 1<<15)
			n, _ := theirs.Read(buf)
			theirs.Write(record(wire.ContentAlert, []byte{2, 40}))
			heard <- buf[:n]
		}()
		a, err := p.run(ours, "example.com")
		if err != nil || !a.isAlert {
			t.Fatalf("%v: %+v, %v", v, a, err)
		}
		raw := <-heard
		var hello wire.ClientHello
		if err := hello.Parse(raw[wire.RecordHeaderLen:]); err != nil {
			t.Fatalf("%v: %v", v, err)
		}
		if want := min(v, wire.VersionTLS12); hello.LegacyVersion != want {
			t.Errorf("%v: legacy_version %v", v, hello.LegacyVersion)
		}
		if isSSL := v == wire.VersionSSL30; isSSL != (hello.Extensions == nil) {
			t.Errorf("%v: extensions %v", v, hello.Extensions)
		}
		var versions wire.SupportedVersions
		if present, err := hello.Ext(&versions); err != nil || present != (v == wire.VersionTLS13) {
			t.Errorf("%v: supported_versions %v, %v", v, versions, err)
		}
		for _, id := range hello.CipherSuites {
			if s, ok := ciphers.Apart(id); ok && s.Since > v {
				t.Errorf("%v: offers %v", v, id)
			}
		}
		ours.Close()
		theirs.Close()
	}
	if _, err := (&probe{highest: wire.VersionTLS10, suites: make([]wire.CipherSuite, 9000)}).run(nil, ""); err == nil || !strings.Contains(err.Error(), "one record") {
		t.Errorf("%v", err)
	}
}

// FuzzAnswer plays any server: an answer is an alert, a ServerHello, or an error, and never all that a server can say.
func FuzzAnswer(f *testing.F) {
	f.Add(record(wire.ContentAlert, []byte{2, 70}))
	f.Add(record(wire.ContentHandshake, serverHello(wire.VersionTLS10, wire.TLS_RSA_WITH_RC4_128_SHA)))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		a := answer{hello: &probe{lowest: wire.VersionTLS10, highest: wire.VersionTLS11}}
		r := &countingReader{r: bytes.NewReader(said)}
		err := a.read(r)
		if (err == nil) != (a.isAlert != a.isAccepted) || r.count > maxAnswer+2048 {
			t.Fatalf("%+v after %d bytes: %v", a, r.count, err)
		}
		if err == nil && a.failure().text == "" {
			t.Fatal("nothing to say")
		}
	})
}

type countingReader struct {
	r     io.Reader
	count int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.count += n
	return n, err
}

func TestProxyAnswersAreBounded(t *testing.T) {
	for name, c := range map[string]struct{ said, want string }{
		"endless":    {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxProxyHeader), "its answer is too long"},
		"not HTTP":   {"220 smtp\r\n\r\n", "what it answers is not HTTP"},
		"refused":    {"HTTP/1.1 403 No\x1b[0m\r\n\r\n", `it refuses to connect: 403 No\x1b[0m`},
		"with rest":  {"HTTP/1.0 200 OK\r\n\r\n220 greeting\r\n", ""},
		"cut short":  {"HTTP/1.1 200 OK\r\n", "EOF"},
		"not a word": {"", "EOF"},
	} {
		ours, theirs := net.Pipe()
		go func() {
			theirs.Read(make([]byte, 1024))
			io.WriteString(theirs, c.said)
			theirs.Close()
		}()
		nc, err := (&route{}).tunnel(ours, "example.com:25")
		var f *failure
		switch {
		case c.want == "":
			rest, _ := io.ReadAll(nc)
			if err != nil || string(rest) != "220 greeting\r\n" {
				t.Errorf("%s: %q, %v", name, rest, err)
			}
		case err == nil || err.Error() != c.want && !errors.Is(err, io.EOF):
			t.Errorf("%s: %v, want %s", name, err, c.want)
		case errors.As(err, &f) && f.kind != kindNetwork:
			t.Errorf("%s: %s", name, f.kind)
		}
		ours.Close()
	}
}

func TestUnicodeNamesAreShownOnlyWhereTheyLeadBack(t *testing.T) {
	for name, want := range map[string]string{
		"xn--bcher-kva.example": "bücher.example", "XN--BCHER-KVA.example": "bücher.example", "example.com": "",
		"xn--a.example": "", "xn--.example": "", "xn--zzzzzzzzz.example": "", "": "",
	} {
		if got := unicodeName(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
