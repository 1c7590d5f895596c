package tlscore_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func exportEarly(t testing.TB, e *tlstest.End) []byte {
	t.Helper()
	b, err := e.Machine.ExportEarly("EXPORTER-early", []byte("context"), 32)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// noEarlyExporter sees to it that neither end exports.
func noEarlyExporter(t testing.TB, l *tlstest.Link) {
	t.Helper()
	for _, e := range []*tlstest.End{l.Client, l.Server} {
		if b, err := e.Machine.ExportEarly("EXPORTER-early", nil, 32); !errors.Is(err, tlscore.ErrNoEarlyExporter) {
			t.Errorf("%v: %x, %v", e.Machine.Facts().Role, b, err)
		}
	}
}

func TestEarlyExportersAgree(t *testing.T) {
	s := earlyShop(t)
	l := s.visit(s.first(), true, time.Minute)
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	first := exportEarly(t, l.Client) // before the server has said a word
	_, out, err := l.Client.Machine.SealEarly([]byte("early"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Client, out)
	l.Mutate = func(from *tlstest.End, rec []byte) []byte {
		if from == l.Client { // the client's Finished does not come
			return nil
		}
		return rec
	}
	if err := l.Run(); err != nil || string(l.Server.Early) != "early" {
		t.Fatalf("%q, %v", l.Server.Early, err)
	}
	if !bytes.Equal(first, exportEarly(t, l.Server)) {
		t.Error("the server, which has seen the ClientHello alone, exports something else")
	}
	l, err = s.rush(s.first(), []byte("early"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := exportEarly(t, l.Client), exportEarly(t, l.Server)
	if !bytes.Equal(a, b) || bytes.Equal(a, first) {
		t.Error("after the handshake the two differ, or are those of another connection")
	}
	if late, err := l.Client.Machine.Export("EXPORTER-early", []byte("context"), 32); err != nil || bytes.Equal(late, a) {
		t.Errorf("the exporter of the whole handshake gives the same, or %v", err)
	}
	handOver(t, l.Server, compile(t, s.server))
	if !bytes.Equal(a, exportEarly(t, l.Server)) {
		t.Error("after a handover it is another")
	}
}

func TestEarlyExporterNeedsAcceptedEarlyData(t *testing.T) {
	t.Run("full handshake", func(t *testing.T) { noEarlyExporter(t, connected(t)) })
	t.Run("resumption without early data", func(t *testing.T) {
		s := earlyShop(t)
		l := s.visit(s.first(), false, time.Minute)
		if err := l.Handshake(); err != nil {
			t.Fatal(err)
		}
		noEarlyExporter(t, l)
	})
	t.Run("rejected", func(t *testing.T) {
		s := earlyShop(t)
		session := s.first()
		s.server.MaxEarlyData = 0
		l, err := s.rush(session, []byte("early"))
		if err != nil {
			t.Fatal(err)
		}
		noEarlyExporter(t, l)
	})
	t.Run("retried", func(t *testing.T) {
		s := earlyShop(t)
		session := s.first()
		s.server.RetryAlways = true
		l, err := s.rush(session, []byte("early"))
		if err != nil {
			t.Fatal(err)
		}
		noEarlyExporter(t, l)
	})
}

func TestEarlyExporterOfExternalPSK(t *testing.T) {
	psk := func(role tlscore.Role, name string) tlscore.PSK {
		return tlscore.PSK{Role: role, Identity: []byte(name), Key: bytes.Repeat([]byte(name), 8)}
	}
	// With suites of two hashes a key is offered twice, and the server may choose the second one.
	suites := []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	server := tlscore.Config{CipherSuites: suites, PSKs: []tlscore.PSK{psk(tlscore.RoleServer, "second")}}
	client := tlscore.Config{CipherSuites: suites, PSKs: []tlscore.PSK{psk(tlscore.RoleClient, "second")}}
	start := func(c, s tlscore.Config) *tlstest.Link {
		l := link(t, c, s)
		if err := l.Start(); err != nil {
			t.Fatal(err)
		}
		return l
	}
	finish := func(l *tlstest.Link) {
		if err := l.Run(); err != nil || !l.Client.Done {
			t.Fatal(err)
		}
	}
	l := start(client, server)
	early := exportEarly(t, l.Client)
	finish(l)
	if a, b := exportEarly(t, l.Client), exportEarly(t, l.Server); !bytes.Equal(a, early) || !bytes.Equal(b, early) {
		t.Error("the PSK that was offered first is used, and what is exported differs")
	}
	client.PSKs = []tlscore.PSK{psk(tlscore.RoleClient, "first!"), client.PSKs[0]}
	l = start(client, server)
	early = exportEarly(t, l.Client)
	finish(l)
	if a, b := exportEarly(t, l.Client), exportEarly(t, l.Server); !bytes.Equal(a, b) || bytes.Equal(a, early) {
		t.Error("the second PSK is used, and what is exported differs, or is the first one's")
	}
	retrying := server
	retrying.RetryAlways = true
	l = start(client, retrying)
	finish(l)
	noEarlyExporter(t, l)

	client.PSKOptional = true
	for _, v := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		without := serverConfig(t)
		without.MaxVersion = v
		client.MinVersion = wire.VersionTLS12
		l = start(client, without)
		finish(l)
		noEarlyExporter(t, l)
	}
}
