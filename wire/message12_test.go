package wire

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// messageSamples12 are the messages that only TLS 1.2 has, and those it shares as it uses them.
func messageSamples12() []messageSample {
	b := func(s string) []byte { return []byte(s) }
	hello := &ServerHello{LegacyVersion: VersionTLS12, SessionID: b("id"), CipherSuite: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		Extensions: Extensions{{ExtRenegotiationInfo, []byte{0}}, {ExtExtendedMasterSecret, []byte{}}}}
	return []messageSample{
		{message: &HelloRequest{}, raw: "00 000000"},
		{message: &ClientHello{VersionTLS12, [32]byte{}, []byte{}, []CipherSuite{TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, []byte{0}, nil},
			raw: "01 000029 0303" + strings.Repeat("00", 32) + "00 0002 c02f 01 00"},
		{message: hello, raw: "02 000033 0303" + strings.Repeat("00", 32) + "02 6964 c02f 00 0009 ff01 0001 00 0017 0000"},
		{message: &Certificate12{[][]byte{b("leaf"), b("ca")}}, raw: "0b 00000f 00000c 000004 6c656166 000002 6361"},
		{message: &Certificate12{[][]byte{}}, raw: "0b 000003 000000"},
		{message: &ServerKeyExchange{GroupX25519, b("point"), SchemeRSAPSSRSAESHA256, b("sig")},
			raw: "0c 000010 03 001d 05 706f696e74 0804 0003 736967"},
		{message: &CertificateRequest12{
			[]ClientCertificateType{ClientCertificateECDSASign, ClientCertificateRSASign},
			[]SignatureScheme{SchemeECDSASecp256r1SHA256, SchemeRSAPKCS1SHA256}, [][]byte{b("ca"), b("b")}},
			raw: "0d 000012 02 40 01 0004 0403 0401 0007 0002 6361 0001 62"},
		{message: &CertificateRequest12{[]ClientCertificateType{1}, []SignatureScheme{SchemeEd25519}, [][]byte{}},
			raw: "0d 000008 01 01 0002 0807 0000"},
		{message: &ServerHelloDone{}, raw: "0e 000000"},
		{message: &CertificateVerify{SchemeECDSASecp384r1SHA384, b("sig")}, raw: "0f 000007 0503 0003 736967"},
		{message: &ClientKeyExchange{b("point")}, raw: "10 000006 05 706f696e74"},
		{message: &Finished{b("verify data!")}, raw: "14 00000c 766572696679206461746121", open: true},
		{message: &NewSessionTicket12{7200, b("ticket")}, raw: "04 00000c 00001c20 0006 7469636b6574"},
		{message: &NewSessionTicket12{0, []byte{}}, raw: "04 000006 00000000 0000"},
		{message: &CertificateStatus12{b("ocsp")}, raw: "16 000008 01 000004 6f637370"},
		{message: &UnknownMessage{TypeKeyUpdate, b("??")}, raw: "18 000002 3f3f", open: true},
	}
}

func walkMessage12(t *testing.T, raw []byte) ([]leaf, error) {
	t.Helper()
	return tiles(t, len(raw), func(v Visitor) error { return WalkMessage12(raw, v) })
}

func TestMessagesOfTLS12RoundTrip(t *testing.T) {
	for i, s := range messageSamples12() {
		t.Run(fmt.Sprintf("%d %T", i, s.message), func(t *testing.T) {
			raw := unhex(t, s.raw)
			if got := AppendMessage(nil, s.message); !bytes.Equal(got, raw) {
				t.Fatalf("AppendMessage = %x, want %x", got, raw)
			}
			got := newMessageLike(s.message)
			if err := got.Parse(raw); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.message, Message(got)); diff != "" {
				t.Errorf("parsed (-want +got):\n%s", diff)
			}
			dispatched, err := ParseMessage12(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.message, dispatched); diff != "" {
				t.Errorf("ParseMessage12 (-want +got):\n%s", diff)
			}
			if _, err := walkMessage12(t, raw); err != nil {
				t.Errorf("walk: %v", err)
			}
			buf := make([]byte, 0, 1000)
			if n := testing.AllocsPerRun(100, func() { AppendMessage(buf, s.message) }); n != 0 {
				t.Errorf("%v allocations to append", n)
			}
		})
	}
}

func TestParsingForgetsWhatAMessageOfTLS12Held(t *testing.T) {
	for _, first := range messageSamples12() {
		for _, second := range messageSamples12() {
			m := newMessageLike(first.message)
			if reflect.TypeOf(first.message) != reflect.TypeOf(second.message) {
				if first.message.Type() != TypeKeyUpdate && m.Parse(unhex(t, second.raw)) == nil {
					t.Errorf("%T parses %T", first.message, second.message)
				}
				continue
			}
			if err := errors.Join(m.Parse(unhex(t, first.raw)), m.Parse(unhex(t, second.raw))); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(second.message, Message(m)); diff != "" {
				t.Errorf("%T (-want +got):\n%s", m, diff)
			}
		}
	}
}

func TestEveryPrefixOfAMessageOfTLS12Fails(t *testing.T) {
	for _, s := range messageSamples12() {
		raw := unhex(t, s.raw)
		for n := range raw {
			if err := newMessageLike(s.message).Parse(raw[:n]); err == nil {
				t.Errorf("%T: the first %d of %d bytes are taken for all", s.message, n, len(raw))
			}
			m := newMessageLike(s.message)
			if err := m.Parse(setLength(raw[:n])); err == nil && !isHelloWithoutExtensions(m) && (!s.open || n < 4) {
				t.Errorf("%T: the first %d of %d bytes are taken for all", s.message, n, len(raw))
			}
		}
		raw = append(raw, 0)
		if err := newMessageLike(s.message).Parse(raw); err == nil || !strings.HasSuffix(err.Error(), ": 1 trailing byte") {
			t.Errorf("%T: error %v, want a trailing byte", s.message, err)
		}
		if err := newMessageLike(s.message).Parse(setLength(raw)); err == nil && !s.open {
			t.Errorf("%T: a byte behind the last field is ignored", s.message)
		}
	}
}

func TestMalformedMessagesOfTLS12AreLocated(t *testing.T) {
	for _, c := range []struct {
		message messageParser
		raw     string // the header's length is filled in
		want    string
		at      int
	}{
		{new(HelloRequest), "00000000 00", "HelloRequest: 1 trailing byte", 4},
		{new(ServerHelloDone), "0e000000 00", "ServerHelloDone: 1 trailing byte", 4},
		{new(ServerHelloDone), "10000000", "ServerHelloDone.msg_type: is client_key_exchange, not server_hello_done", 0},
		{new(Certificate12), "0b000000 0000", "Certificate.certificate_list: truncated", 4},
		{new(Certificate12), "0b000000 000003 000000", "Certificate.certificate_list[0]: length 0 is below the minimum of 1", 10},
		{new(Certificate12), "0b000000 000005 000002 aabb 00", "Certificate: 1 trailing byte", 12},
		{new(Certificate12), "0b000000 000007 000002 aabb 0000", "Certificate.certificate_list[1]: truncated", 12},
		{new(ServerKeyExchange), "0c000000 01", "ServerKeyExchange.curve_type: is not named_curve", 5},
		{new(ServerKeyExchange), "0c000000 03 00", "ServerKeyExchange.namedcurve: truncated", 5},
		{new(ServerKeyExchange), "0c000000 03 001d 00", "ServerKeyExchange.public: length 0 is below the minimum of 1", 8},
		{new(ServerKeyExchange), "0c000000 03 001d 02 04", "ServerKeyExchange.public: truncated", 8},
		{new(ServerKeyExchange), "0c000000 03 001d 01 04 08", "ServerKeyExchange.algorithm: truncated", 9},
		{new(ServerKeyExchange), "0c000000 03 001d 01 04 0804 0001", "ServerKeyExchange.signature: truncated", 13},
		{new(ServerKeyExchange), "0c000000 03 001d 01 04 0804 0000 00", "ServerKeyExchange: 1 trailing byte", 13},
		{new(CertificateRequest12), "0d000000 00", "CertificateRequest.certificate_types: length 0 is below the minimum of 1", 5},
		{new(CertificateRequest12), "0d000000 01 01 0000 0000",
			"CertificateRequest.supported_signature_algorithms: length 0 is below the minimum of 2", 8},
		{new(CertificateRequest12), "0d000000 01 01 0003 040304 0000",
			"CertificateRequest.supported_signature_algorithms: length 3 is not a multiple of 2", 8},
		{new(CertificateRequest12), "0d000000 01 01 0002 0403", "CertificateRequest.certificate_authorities: truncated", 10},
		{new(CertificateRequest12), "0d000000 01 01 0002 0403 0002 0000",
			"CertificateRequest.certificate_authorities[0]: length 0 is below the minimum of 1", 14},
		{new(ClientKeyExchange), "10000000", "ClientKeyExchange.ecdh_Yc: truncated", 4},
		{new(ClientKeyExchange), "10000000 00", "ClientKeyExchange.ecdh_Yc: length 0 is below the minimum of 1", 5},
		{new(ClientKeyExchange), "10000000 02 0404 00", "ClientKeyExchange: 1 trailing byte", 7},
		{new(NewSessionTicket12), "04000000 000000", "NewSessionTicket.ticket_lifetime_hint: truncated", 4},
		{new(NewSessionTicket12), "04000000 00000001 0001", "NewSessionTicket.ticket: truncated", 10},
		{new(CertificateStatus12), "16000000 02 000001 00", "CertificateStatus.status_type: is not ocsp", 5},
		{new(CertificateStatus12), "16000000 01 000000", "CertificateStatus.response: length 0 is below the minimum of 1", 8},
	} {
		raw := setLength(unhex(t, c.raw))
		err := c.message.Parse(raw)
		var e *ParseError
		if !errors.As(err, &e) || e.Error() != c.want || e.Offset != c.at {
			t.Errorf("%s:\n%v at %+v, want\n%s at %d", c.raw, err, e, c.want, c.at)
		}
		if HandshakeType(raw[0]) != c.message.Type() {
			continue
		}
		if _, err := walkMessage12(t, raw); err == nil || *err.(*ParseError) != *e {
			t.Errorf("%s: the walk says %v, want %v", c.raw, err, e)
		}
		if m, err := ParseMessage12(raw); m != nil || err == nil {
			t.Errorf("%s: dispatched to %v", c.raw, m)
		}
	}
}

func TestTheLeavesOfTLS12Messages(t *testing.T) {
	m := ServerKeyExchange{GroupSecp256r1, []byte("point"), SchemeEd25519, []byte("sig")}
	got, err := walkMessage12(t, AppendMessage(nil, &m))
	if err != nil {
		t.Fatal(err)
	}
	want := []leaf{
		{"ServerKeyExchange.msg_type", 0, 1, KindHandshakeType},
		{"ServerKeyExchange.length", 1, 3, KindLength},
		{"ServerKeyExchange.curve_type", 4, 1, KindType},
		{"ServerKeyExchange.namedcurve", 5, 2, KindGroup},
		{"ServerKeyExchange.public", 7, 1, KindLength},
		{"ServerKeyExchange.public", 8, 5, KindBytes},
		{"ServerKeyExchange.algorithm", 13, 2, KindScheme},
		{"ServerKeyExchange.signature", 15, 2, KindLength},
		{"ServerKeyExchange.signature", 17, 3, KindBytes},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(leaf{})); diff != "" {
		t.Errorf("leaves (-want +got):\n%s", diff)
	}
}

func TestSignedParametersAreThoseOfTheMessage(t *testing.T) {
	for _, s := range messageSamples12() {
		m, ok := s.message.(*ServerKeyExchange)
		if !ok {
			continue
		}
		raw := unhex(t, s.raw)
		if got, want := m.AppendParams([]byte("x")), append([]byte("x"), raw[4:4+4+len(m.Public)]...); !bytes.Equal(got, want) {
			t.Errorf("got %x, want %x", got, want)
		}
	}
}

func TestNothingIsNoMessageOfTLS12(t *testing.T) {
	if m, err := ParseMessage12(nil); m != nil || err == nil {
		t.Errorf("%v, %v", m, err)
	}
	if err := WalkMessage12(nil, func(string, int, int, Kind) { t.Error("a leaf of nothing") }); err == nil {
		t.Error("the walk finds no fault")
	}
}

func TestClientCertificateTypesHaveNames(t *testing.T) {
	for typ, want := range map[ClientCertificateType]string{
		1: "rsa_sign", 2: "dss_sign", 3: "rsa_fixed_dh", 4: "dss_fixed_dh", 5: "rsa_ephemeral_dh_RESERVED",
		6: "dss_ephemeral_dh_RESERVED", 20: "fortezza_dms_RESERVED", 64: "ecdsa_sign", 65: "rsa_fixed_ecdh",
		66: "ecdsa_fixed_ecdh", 67: "gost_sign256", 68: "gost_sign512", 99: "0x63",
	} {
		if typ.String() != want {
			t.Errorf("%d: %s, want %s", uint8(typ), typ, want)
		}
	}
}

// fuzzMessage12 is fuzzMessage with the dispatch of TLS 1.2.
func fuzzMessage12[M any, P interface {
	*M
	messageParser
}](f *testing.F) {
	typ := P(new(M)).Type()
	for _, s := range messageSamples12() {
		if s.message.Type() == typ {
			f.Add(unhex(f, s.raw))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := P(new(M))
		err := m.Parse(raw)
		var located *ParseError
		if err != nil && (!errors.As(err, &located) || located.Path == "" || located.Offset > len(raw)) {
			t.Fatalf("error %#v", err)
		}
		if err == nil {
			if got := AppendMessage(nil, m); !bytes.Equal(got, raw) {
				t.Fatalf("encodes to %x", got)
			}
		}
		if _, walkErr := walkMessage12(t, raw); err != nil && walkErr == nil && HandshakeType(raw[0]) == typ {
			t.Fatalf("the walk finds no fault, parsing does: %v", err)
		}
	})
}

func FuzzHelloRequest(f *testing.F)         { fuzzMessage12[HelloRequest](f) }
func FuzzServerHelloDone(f *testing.F)      { fuzzMessage12[ServerHelloDone](f) }
func FuzzCertificate12(f *testing.F)        { fuzzMessage12[Certificate12](f) }
func FuzzCertificateRequest12(f *testing.F) { fuzzMessage12[CertificateRequest12](f) }
func FuzzServerKeyExchange(f *testing.F)    { fuzzMessage12[ServerKeyExchange](f) }
func FuzzClientKeyExchange(f *testing.F)    { fuzzMessage12[ClientKeyExchange](f) }
func FuzzNewSessionTicket12(f *testing.F)   { fuzzMessage12[NewSessionTicket12](f) }
func FuzzCertificateStatus12(f *testing.F)  { fuzzMessage12[CertificateStatus12](f) }

// FuzzMessage12: whatever TLS 1.2 dispatches to re-encodes to the same bytes.
func FuzzMessage12(f *testing.F) {
	for _, s := range messageSamples12() {
		f.Add(unhex(f, s.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseMessage12(raw)
		if err == nil && !bytes.Equal(AppendMessage(nil, m), raw) {
			t.Fatalf("encodes to %x", AppendMessage(nil, m))
		}
		if _, walkErr := walkMessage12(t, raw); err != nil && walkErr == nil {
			t.Fatalf("the walk finds no fault, parsing does: %v", err)
		}
	})
}
