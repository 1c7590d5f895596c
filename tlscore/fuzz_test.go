package tlscore_test

import (
	"bytes"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// FuzzBytes feeds any bytes to a machine of either role.
func FuzzBytes(f *testing.F) {
	pc, ps := compile(f, tlscore.Config{Groups: []wire.Group{wire.GroupX25519}}), compile(f, serverConfig(f))
	l := tlstest.New(pc, ps, tlscore.Options{}, tlscore.Options{})
	if err := l.Handshake(); err != nil {
		f.Fatal(err)
	}
	f.Add(false, l.Server.Sent)
	f.Add(true, l.Client.Sent)
	f.Add(true, []byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, server bool, in []byte) {
		m := tlscore.NewClient(pc, tlscore.Options{})
		if server {
			m = tlscore.NewServer(ps, tlscore.Options{})
		}
		if _, err := m.Start(tlstest.Now, nil); err != nil {
			t.Fatal(err)
		}
		if err := drive(m, bytes.Clone(in)); err != nil {
			if _, ok := tlscore.CodeOf(err); !ok {
				t.Fatalf("%T %v", err, err)
			}
		}
		if m.Facts().HandshakeComplete {
			t.Fatal("handshake completed")
		}
	})
}

// FuzzReplaceMessage puts any bytes in the place of one handshake message, with the keys and hashes of a true peer.
func FuzzReplaceMessage(f *testing.F) {
	pc := compile(f, tlscore.Config{Groups: []wire.Group{wire.GroupX25519}, ALPN: []string{"h2"}})
	cs := serverConfig(f)
	cs.ClientAuth = tlscore.RequestClientCert
	ps := compile(f, cs)
	id := selfSigned(f, ed(f))
	for _, kind := range []wire.HandshakeType{wire.TypeClientHello, wire.TypeServerHello, wire.TypeEncryptedExtensions, wire.TypeCertificateRequest, wire.TypeCertificate, wire.TypeCertificateVerify, wire.TypeFinished} {
		for _, server := range []bool{false, true} {
			f.Add(server, byte(kind), []byte{byte(kind), 0, 0, 0})
		}
	}
	// The true messages are the best seeds: a puppet shows them.
	p := &tlstest.Puppet{Identity: id, Request: true, Edit: func(kind wire.HandshakeType, raw []byte) []byte {
		f.Add(true, byte(kind), bytes.Clone(raw))
		f.Add(false, byte(kind), bytes.Clone(raw))
		return raw
	}}
	p.Serve(tlscore.NewClient(pc, tlscore.Options{}))
	f.Fuzz(func(t *testing.T, server bool, kind byte, raw []byte) {
		replaced := false
		p := &tlstest.Puppet{Identity: id, Request: true, Edit: func(k wire.HandshakeType, b []byte) []byte {
			if byte(k) == kind && !replaced {
				replaced = true
				return raw
			}
			return b
		}}
		var o tlstest.Outcome
		if server {
			o = p.Connect(tlscore.NewServer(ps, tlscore.Options{}))
		} else {
			o = p.Serve(tlscore.NewClient(pc, tlscore.Options{}))
		}
		if o.Err != nil {
			if _, ok := tlscore.CodeOf(o.Err); !ok {
				t.Fatalf("%T %v", o.Err, o.Err)
			}
		}
	})
}
