package wire

import (
	"testing"
)

// typicalHello is a ClientHello such as a browser sends, with a hybrid key share.
func typicalHello() *ClientHello {
	m := &ClientHello{
		LegacyVersion:      VersionTLS12,
		SessionID:          make([]byte, 32),
		CipherSuites:       []CipherSuite{TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256},
		CompressionMethods: []byte{0},
	}
	m.Extensions.Add(&ServerNames{Names: []ServerName{{0, []byte("www.example.com")}}})
	m.Extensions.Add(&SupportedVersions{Versions: []Version{VersionTLS13, VersionTLS12}})
	m.Extensions.Add(&SupportedGroups{Groups: []Group{GroupX25519MLKEM768, GroupX25519, GroupSecp256r1}})
	m.Extensions.Add(&SignatureAlgorithms{Schemes: []SignatureScheme{SchemeEd25519, SchemeECDSASecp256r1SHA256}})
	m.Extensions.Add(&ALPN{Protocols: []string{"h2", "http/1.1"}})
	m.Extensions.Add(&KeyShares{Entries: []KeyShareEntry{
		{GroupX25519MLKEM768, make([]byte, 1216)}, {GroupX25519, make([]byte, 32)}}})
	return m
}

func TestAppendingDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 1<<14)
	check := func(name string, f func()) {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	for _, s := range messageSamples() {
		check(s.message.Type().String(), func() { AppendMessage(buf, s.message) })
	}
	hello := typicalHello()
	check("a typical ClientHello", func() { AppendMessage(buf, hello) })
	for _, s := range viewSamples() {
		check(viewName(s.view), func() { s.view.AppendBody(buf) })
	}
	check("record header", func() { AppendRecordHeader(buf, RecordHeader{ContentHandshake, VersionTLS12, 9}) })
	check("alert", func() { Alert{AlertLevelFatal, AlertDecodeError}.Append(buf) })
}

// TestTheCursorDoesNotAllocate: parsing costs the lists it fills, one allocation each, and nothing else.
func TestTheCursorDoesNotAllocate(t *testing.T) {
	raw := AppendMessage(nil, typicalHello())
	var m ClientHello
	parse := func() {
		if err := m.Parse(raw); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, parse); n != 2 {
		t.Errorf("ClientHello: %v allocations, want 2: cipher suites and extensions", n)
	}
	record := AppendRecordHeader(nil, RecordHeader{ContentApplicationData, VersionTLS12, 3})
	record = append(record, "abc"...)
	alert := []byte{2, 50}
	finished := AppendMessage(nil, &Finished{make([]byte, 32)})
	var sh ServerHello
	sh.Extensions.Add(&SelectedVersion{VersionTLS13})
	sh.Extensions.Add(&KeyShareHello{KeyShareEntry{GroupX25519, make([]byte, 32)}})
	for name, f := range map[string]func(){
		"Finished": func() {
			var m Finished
			if err := m.Parse(finished); err != nil {
				t.Fatal(err)
			}
		},
		"alert":  func() { _, _ = ParseAlert(alert) },
		"record": func() { _, _, _ = Deframe(record, MaxPlaintext) },
		"selected version": func() {
			var v SelectedVersion
			if present, err := sh.Ext(&v); !present || err != nil {
				t.Fatal(present, err)
			}
		},
		"server share": func() {
			var v KeyShareHello
			if present, err := sh.Ext(&v); !present || err != nil {
				t.Fatal(present, err)
			}
		},
		"an absent extension": func() {
			var v PreSharedKeys
			if present, err := sh.Ext(&v); present || err != nil {
				t.Fatal(present, err)
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	shares := func() {
		var v KeyShares
		if present, err := m.Ext(&v); !present || err != nil {
			t.Fatal(present, err)
		}
	}
	if n := testing.AllocsPerRun(100, shares); n != 1 {
		t.Errorf("key shares: %v allocations, want 1: the list", n)
	}
}

func BenchmarkAppendClientHello(b *testing.B) {
	hello := typicalHello()
	buf := make([]byte, 0, 1<<14)
	b.SetBytes(int64(len(AppendMessage(nil, hello))))
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendMessage(buf[:0], hello)
	}
}

func BenchmarkParseClientHello(b *testing.B) {
	raw := AppendMessage(nil, typicalHello())
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	var m ClientHello
	for b.Loop() {
		if err := m.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExtKeyShares(b *testing.B) {
	hello := typicalHello()
	b.ReportAllocs()
	for b.Loop() {
		var v KeyShares
		if _, err := hello.Ext(&v); err != nil {
			b.Fatal(err)
		}
	}
}
