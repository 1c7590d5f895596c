package scan

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/wire"
)

// append encodes the message.
func (m *serverHello2) append(b []byte) []byte {
	hit := byte(0)
	if m.SessionHit {
		hit = 1
	}
	b = append(b, ssl2ServerHello, hit, m.CertType, byte(m.Version>>8), byte(m.Version))
	for _, n := range []int{len(m.Certificate), 3 * len(m.Kinds), len(m.ConnectionID)} {
		b = append(b, byte(n>>8), byte(n))
	}
	b = append(b, m.Certificate...)
	for _, k := range m.Kinds {
		b = append(b, byte(k>>16), byte(k>>8), byte(k))
	}
	return append(b, m.ConnectionID...)
}

func FuzzServerHello2(f *testing.F) {
	m := &serverHello2{CertType: 1, Version: 2, Certificate: []byte("a certificate"), Kinds: ssl2Kinds()[:3], ConnectionID: make([]byte, 16)}
	f.Add(m.append(nil))
	f.Add((&serverHello2{SessionHit: true, Version: 2}).append(nil))
	f.Add([]byte{ssl2ServerHello, 0, 1, 0, 2, 0, 0, 0, 2, 0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseServerHello2(b)
		if err != nil {
			return
		}
		if len(b) > 1 && b[1] > 1 {
			b = slices.Clone(b)
			b[1] = 1 // any number but 0 is a hit
		}
		if again := m.append(nil); !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}

func FuzzKeyExchange(f *testing.F) {
	s := New(Options{})
	f.Add(uint16(wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256), uint16(wire.VersionTLS12), []byte("\x03\x00\x17\x02\x04\x05\x04\x01\x00\x01x"))
	f.Add(uint16(wire.TLS_DHE_RSA_WITH_AES_128_CBC_SHA), uint16(wire.VersionTLS10), []byte("\x00\x01\x07\x00\x01\x02\x00\x01\x03\x00\x01x"))
	f.Add(uint16(wire.TLS_RSA_EXPORT_WITH_RC4_40_MD5), uint16(wire.VersionSSL30), []byte("\x00\x01\x07\x00\x01\x03\x00\x01x"))
	f.Add(uint16(wire.TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA), uint16(wire.VersionTLS12), []byte("\x00\x01h\x03\x00\x17\x01\x04"))
	f.Add(uint16(wire.TLS_SRP_SHA_WITH_AES_128_CBC_SHA), uint16(wire.VersionTLS12), []byte("\x00\x01\x07\x00\x01\x02\x01s\x00\x01b"))
	f.Fuzz(func(t *testing.T, id, version uint16, body []byte) {
		k, err := parseKeyExchange(kindOfParts(s.parts[wire.CipherSuite(id)]), wire.Version(version), body)
		if err != nil {
			return
		}
		// Params are the part of the body that is signed, and the fields lie in it.
		if !bytes.Contains(body, k.Params) || !bytes.Contains(k.Params, k.Public) || !bytes.Contains(k.Params, k.Prime) || !bytes.Contains(body, k.Signature) {
			t.Errorf("%+v is not in %x", k, body)
		}
		if bits(k.Prime) > 8*len(k.Prime) {
			t.Errorf("%d bits in %d bytes", bits(k.Prime), len(k.Prime))
		}
	})
}

// replay is a connection on which the bytes of a server wait.
type replay struct {
	net.Conn
	r io.Reader
}

func (c *replay) Read(p []byte) (int, error)     { return c.r.Read(p) }
func (*replay) Write(p []byte) (int, error)      { return len(p), nil }
func (*replay) Close() error                     { return nil }
func (*replay) SetDeadline(time.Time) error      { return nil }
func (*replay) SetReadDeadline(time.Time) error  { return nil }
func (*replay) SetWriteDeadline(time.Time) error { return nil }

// replayed is a link over the bytes of a server.
func replayed(s *Scanner, b []byte) *link {
	h := newHost(s, Target{Host: "lab.test", Port: 443}, netip.MustParseAddr("127.0.0.1"))
	return &link{Conn: &replay{r: bytes.NewReader(b)}, host: h, left: maxConnection, joiner: wire.Joiner{Max: maxMessage},
		end: time.Now().Add(time.Hour), stop: func() bool { return true }}
}

func FuzzAnswer(f *testing.F) {
	s := New(Options{})
	record := func(typ wire.ContentType, payload []byte) []byte {
		return append(wire.AppendRecordHeader(nil, wire.RecordHeader{Type: typ, Version: wire.VersionTLS12, Length: len(payload)}), payload...)
	}
	hello := wire.AppendMessage(nil, &wire.ServerHello{LegacyVersion: wire.VersionTLS12, CipherSuite: wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256})
	retry := &wire.ServerHello{LegacyVersion: wire.VersionTLS12, Random: wire.HelloRetryRequestRandom(), CipherSuite: wire.TLS_AES_128_GCM_SHA256}
	retry.Extensions.Add(&wire.SelectedVersion{Version: wire.VersionTLS13})
	retry.Extensions.Add(&wire.KeyShareRetry{Group: wire.GroupSecp256r1})
	f.Add(record(wire.ContentAlert, []byte{2, 40}))
	f.Add(slices.Concat(record(wire.ContentAlert, []byte{1, 112}), record(wire.ContentHandshake, hello)))
	f.Add(record(wire.ContentHandshake, slices.Concat(hello, wire.AppendMessage(nil, &wire.Certificate12{Chain: [][]byte{{1}}}),
		wire.AppendMessage(nil, &wire.ServerKeyExchange{Group: 23, Public: []byte{4}, Scheme: 0x0401}), wire.AppendMessage(nil, &wire.ServerHelloDone{}))))
	f.Add(slices.Concat(record(wire.ContentHandshake, wire.AppendMessage(nil, retry)), record(wire.ContentHandshake, wire.AppendMessage(nil, retry))))
	f.Add(record(wire.ContentHandshake, []byte{4, 0, 1, 0, 2}))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12, wire.VersionSSL30} {
			l := replayed(s, b)
			o := s.rich(v)
			o.Verify = true
			a := l.exchange(o)
			if a.Outcome == 0 || a.Outcome == accepted && a.Hello == nil || a.Outcome != accepted && a.Err == nil {
				t.Errorf("%+v", a)
			}
			l.host.learn(o, a)
		}
		l := replayed(s, b)
		if what, m, _ := l.exchange2(); what == accepted && m == nil {
			t.Error("accepted, and no hello")
		}
	})
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"example.org", "example.org:8443", "[::1]:443", "::1", "https://example.org/path?x", "smtp://mail.example.org", "mail.example.org:25/smtp",
		"10.0.0.1", "imaps://example.org", "EXAMPLE.org.", "[fe80::1%eth0]:443"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := ParseTarget(s)
		if err != nil {
			return
		}
		if target.Host == "" || target.Port < 1 || target.Port > 65535 || strings.ContainsAny(target.Host, " \n/") && !strings.Contains(target.Host, "%") {
			t.Errorf("%q became %+v", s, target)
		}
		again, err := ParseTarget(target.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", s, target.String(), err)
		}
		// On a port that begins in plain text the protocol is guessed where none is named.
		if again.Host != target.Host || again.Port != target.Port || target.StartTLS != "" && again != target {
			t.Errorf("%q became %+v and then %+v", s, target, again)
		}
	})
}

func TestTargetsAreRead(t *testing.T) {
	for s, want := range map[string]Target{
		"example.org":                      {Host: "example.org", Port: 443},
		" Example.ORG. ":                   {Host: "example.org", Port: 443},
		"example.org:8443":                 {Host: "example.org", Port: 8443},
		"https://example.org:8443/a/b?c=d": {Host: "example.org", Port: 8443},
		"https://example.org":              {Host: "example.org", Port: 443},
		"192.0.2.1":                        {Host: "192.0.2.1", Port: 443},
		"2001:db8::1":                      {Host: "2001:db8::1", Port: 443},
		"[2001:DB8::1]:993":                {Host: "2001:db8::1", Port: 993},
		"[2001:db8::1]":                    {Host: "2001:db8::1", Port: 443},
		"smtp://mail.example.org":          {Host: "mail.example.org", Port: 25, StartTLS: "smtp"},
		"mail.example.org:587":             {Host: "mail.example.org", Port: 587, StartTLS: "smtp"},
		"mail.example.org:2525/smtp":       {Host: "mail.example.org", Port: 2525, StartTLS: "smtp"},
		"imaps://mail.example.org":         {Host: "mail.example.org", Port: 993},
		"db.example.org:5432":              {Host: "db.example.org", Port: 5432, StartTLS: "postgres"},
	} {
		if got, err := ParseTarget(s); err != nil || got != want {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", ":443", "example.org:0", "example.org:65536", "example.org:http", "a b", "gopher://example.org", "example.org/nothing", "ex\x1bample.org", "a:b:c"} {
		if got, err := ParseTarget(s); err == nil {
			t.Errorf("%q was read as %+v", s, got)
		}
	}
}
