package tlscore_test

import (
	"bytes"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// deflate is zlib as an algorithm, with a count of how often it compressed.
func deflate(times *int) tlscore.CertificateCompression {
	return tlscore.CertificateCompression{
		Algorithm: wire.CompressionZlib,
		Compress: func(out, message []byte) []byte {
			*times++
			b := bytes.NewBuffer(out)
			w := zlib.NewWriter(b)
			w.Write(message)
			w.Close()
			return b.Bytes()
		},
		Decompress: func(out, compressed []byte) error {
			r, err := zlib.NewReader(bytes.NewReader(compressed))
			if err != nil {
				return err
			}
			if _, err := io.ReadFull(r, out); err != nil {
				return err
			}
			if n, _ := r.Read(make([]byte, 1)); n > 0 {
				return io.ErrShortBuffer
			}
			return nil
		},
	}
}

func TestCertificatesAreCompressedWhereBothCan(t *testing.T) {
	times := 0
	zip := deflate(&times)
	only := func(change func(*tlscore.CertificateCompression)) []tlscore.CertificateCompression {
		a := zip
		change(&a)
		return []tlscore.CertificateCompression{a}
	}
	whole := []tlscore.CertificateCompression{zip}
	sends := only(func(a *tlscore.CertificateCompression) { a.Decompress = nil })
	takes := only(func(a *tlscore.CertificateCompression) { a.Compress = nil })
	fails := only(func(a *tlscore.CertificateCompression) { a.Compress = func(_, _ []byte) []byte { return nil } })
	other := only(func(a *tlscore.CertificateCompression) { a.Algorithm = 77 })
	for name, c := range map[string]struct {
		client, server []tlscore.CertificateCompression
		down, up       bool
	}{
		"both":                     {whole, whole, true, true},
		"the client takes only":    {takes, whole, true, false},
		"the server sends only":    {whole, sends, true, false},
		"the client sends only":    {sends, whole, false, true},
		"nothing in common":        {whole, other, false, false},
		"neither":                  {},
		"the server cannot at all": {whole, fails, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := tlscore.Config{CertificateCompression: c.client, Identities: serverConfig(t).Identities}, serverConfig(t)
			server.CertificateCompression, server.ClientAuth = c.server, tlscore.RequireClientCert
			if name == "the server cannot at all" {
				client.CertificateCompression = takes
			}
			l := link(t, client, server)
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			for _, e := range []*tlstest.End{l.Client, l.Server} {
				f := e.Machine.Facts()
				in, out := c.down, c.up
				if f.Role == tlscore.RoleServer {
					in, out = c.up, c.down
				}
				if (f.PeerCompression == wire.CompressionZlib) != in || (f.OwnCompression == wire.CompressionZlib) != out || len(f.PeerChain) != 1 {
					t.Errorf("the %v got %v and sent %v, %d certificates", f.Role, f.PeerCompression, f.OwnCompression, len(f.PeerChain))
				}
			}
		})
	}
	client, server := compile(t, tlscore.Config{CertificateCompression: whole}), serverConfig(t)
	server.CertificateCompression = whole
	ps := compile(t, server)
	times = 0
	for range 3 {
		if err := tlstest.New(client, ps, tlscore.Options{}, tlscore.Options{}).Handshake(); err != nil {
			t.Fatal(err)
		}
	}
	if times != 1 {
		t.Errorf("compressed %d times, want once", times)
	}
}

// compressing has a puppet send its certificate compressed, after a change.
func compressing(change func(*wire.CompressedCertificate)) func(wire.HandshakeType, []byte) []byte {
	return func(kind wire.HandshakeType, raw []byte) []byte {
		if kind != wire.TypeCertificate {
			return raw
		}
		times := 0
		msg := &wire.CompressedCertificate{
			Algorithm: wire.CompressionZlib, UncompressedLength: uint32(len(raw) - 4), Compressed: deflate(&times).Compress(nil, raw[4:]),
		}
		change(msg)
		return wire.AppendMessage(nil, msg)
	}
}

func compressionRefusals() map[string]struct {
	code   tlscore.Code
	change func(*wire.CompressedCertificate)
} {
	return map[string]struct {
		code   tlscore.Code
		change func(*wire.CompressedCertificate)
	}{
		"another algorithm":    {tlscore.CodeBadCompressionAlgorithm, func(m *wire.CompressedCertificate) { m.Algorithm = wire.CompressionBrotli }},
		"a byte less declared": {tlscore.CodeBadCompressedCertificate, func(m *wire.CompressedCertificate) { m.UncompressedLength-- }},
		"a byte more declared": {tlscore.CodeBadCompressedCertificate, func(m *wire.CompressedCertificate) { m.UncompressedLength++ }},
		"nonsense":             {tlscore.CodeBadCompressedCertificate, func(m *wire.CompressedCertificate) { m.Compressed = []byte("nonsense") }},
		"16 MiB declared":      {tlscore.CodeBadCompressedCertificate, func(m *wire.CompressedCertificate) { m.UncompressedLength = 1<<24 - 1 }},
		"no Certificate message": {tlscore.CodeMalformed, func(m *wire.CompressedCertificate) {
			times := 0
			m.Compressed = deflate(&times).Compress(nil, make([]byte, 9))
			m.UncompressedLength = 9
		}},
	}
}

func TestCompressedCertificatesAreHeldToTheRules(t *testing.T) {
	times := 0
	config := tlscore.Config{CertificateCompression: []tlscore.CertificateCompression{deflate(&times)}}
	id := selfSigned(t, ed(t))
	p := &tlstest.Puppet{Identity: id, Edit: compressing(func(*wire.CompressedCertificate) {})}
	if o := p.Serve(tlscore.NewClient(compile(t, config), tlscore.Options{})); o.Err != nil || !o.Done {
		t.Fatalf("as it should be: %v", o.Err)
	}
	server := serverConfig(t)
	server.CertificateCompression, server.ClientAuth = config.CertificateCompression, tlscore.RequireClientCert
	for name, c := range compressionRefusals() {
		for _, side := range []string{"client", "server"} {
			p := &tlstest.Puppet{Identity: id, Edit: compressing(c.change)}
			var o tlstest.Outcome
			if side == "client" {
				o = p.Serve(tlscore.NewClient(compile(t, config), tlscore.Options{}))
			} else {
				o = p.Connect(tlscore.NewServer(compile(t, server), tlscore.Options{}))
			}
			if !codeIs(o.Err, c.code) {
				t.Errorf("%s, to the %s: %v, want %v", name, side, o.Err, c.code)
			}
		}
	}
	p = &tlstest.Puppet{Identity: id, Edit: compressing(func(*wire.CompressedCertificate) {})}
	if o := p.Serve(tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{})); !codeIs(o.Err, tlscore.CodeUnexpectedMessage) {
		t.Errorf("unasked: %v", o.Err)
	}
	if _, err := tlscore.Compile(tlscore.Config{CertificateCompression: append(config.CertificateCompression, config.CertificateCompression...)}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("twice: %v", err)
	}
}

// FuzzCompressedCertificate puts any bytes in the place of the server's compressed certificate.
func FuzzCompressedCertificate(f *testing.F) {
	times := 0
	pc := compile(f, tlscore.Config{Groups: []wire.Group{wire.GroupX25519}, CertificateCompression: []tlscore.CertificateCompression{deflate(&times)}})
	id := selfSigned(f, ed(f))
	f.Add(uint32(100), []byte("nonsense"))
	f.Fuzz(func(t *testing.T, length uint32, body []byte) {
		p := &tlstest.Puppet{Identity: id, Edit: compressing(func(m *wire.CompressedCertificate) {
			if len(body) > 0 {
				m.UncompressedLength, m.Compressed = length%(1<<24), body
			}
		})}
		if o := p.Serve(tlscore.NewClient(pc, tlscore.Options{})); o.Err != nil {
			if _, ok := tlscore.CodeOf(o.Err); !ok {
				t.Fatalf("%T %v", o.Err, o.Err)
			}
		}
	})
}
