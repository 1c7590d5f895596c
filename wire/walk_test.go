package wire

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// leaf is what a visitor is shown.
type leaf struct {
	path           string
	offset, length int
	kind           Kind
}

// tiles collects the leaves and fails unless they cover the bytes from 0 to total in order, none empty.
func tiles(t *testing.T, total int, walk func(Visitor) error) ([]leaf, error) {
	t.Helper()
	var leaves []leaf
	next := 0
	err := walk(func(path string, offset, length int, kind Kind) {
		if offset != next || length <= 0 {
			t.Errorf("leaf %s at %d of %d bytes, expected at %d", path, offset, length, next)
		}
		if path == "" || kind == 0 {
			t.Errorf("leaf %q of kind %v", path, kind)
		}
		next = offset + length
		leaves = append(leaves, leaf{path, offset, length, kind})
	})
	if next != total {
		t.Errorf("the leaves end at %d of %d bytes (error %v)", next, total, err)
	}
	for _, l := range leaves {
		if l.kind == KindMalformed && err == nil {
			t.Errorf("malformed leaf %s without an error", l.path)
		}
	}
	return leaves, err
}

func walkMessage(t *testing.T, raw []byte) ([]leaf, error) {
	t.Helper()
	return tiles(t, len(raw), func(v Visitor) error { return WalkMessage(raw, v) })
}

func TestLeavesTileEveryMessage(t *testing.T) {
	for _, s := range messageSamples() {
		if _, err := walkMessage(t, unhex(t, s.raw)); err != nil {
			t.Errorf("%T: %v", s.message, err)
		}
	}
}

func TestLeavesTileTheMessagesOfRFC8448(t *testing.T) {
	for name, raw := range rfc8448Messages(t) {
		leaves, err := walkMessage(t, raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, l := range leaves {
			_, body, found := strings.Cut(l.path, "extensions[")
			if found && l.kind == KindBytes && !strings.Contains(body, ".") {
				t.Errorf("%s: %s is not taken apart", name, l.path)
			}
		}
	}
}

func TestLeavesTileEveryExtension(t *testing.T) {
	for _, s := range viewSamples() {
		raw := messageWith(s.in, s.view.Extension(), unhex(t, s.body))
		leaves, err := walkMessage(t, raw)
		if err != nil {
			t.Errorf("%s: %v", viewName(s.view), err)
		}
		if last := leaves[len(leaves)-1]; s.body != "" && !strings.Contains(last.path, s.view.Extension().String()+".") {
			t.Errorf("%s: the last leaf is %s", viewName(s.view), last.path)
		}
	}
}

// messageWith gives a message of a kind whose last extension is this one.
func messageWith(in context, typ ExtensionType, body []byte) []byte {
	es := Extensions{{0x2a2a, []byte("first")}, {typ, body}}
	switch in {
	case inClientHello:
		return AppendMessage(nil, &ClientHello{CipherSuites: []CipherSuite{1}, CompressionMethods: []byte{0}, Extensions: es})
	case inServerHello:
		return AppendMessage(nil, &ServerHello{Extensions: es})
	case inHelloRetryRequest:
		return AppendMessage(nil, &ServerHello{Random: HelloRetryRequestRandom(), Extensions: es})
	case inEncryptedExtensions:
		return AppendMessage(nil, &EncryptedExtensions{es})
	case inCertificateRequest:
		return AppendMessage(nil, &CertificateRequest{Extensions: es})
	case inCertificate:
		return AppendMessage(nil, &Certificate{Entries: []CertificateEntry{{[]byte("c"), es}}})
	}
	return AppendMessage(nil, &NewSessionTicket{Ticket: []byte("t"), Extensions: es})
}

func TestTheLeavesOfAClientHello(t *testing.T) {
	var m ClientHello
	m.CipherSuites = []CipherSuite{TLS_AES_128_GCM_SHA256}
	m.CompressionMethods = []byte{0}
	m.Extensions.Add(&KeyShares{Entries: []KeyShareEntry{{GroupX25519, []byte("public")}}})
	m.Extensions = append(m.Extensions, Extension{0x1a1a, []byte("?")})
	m.Extensions.Add(&ServerNames{Names: []ServerName{{0, []byte("a.test")}}})
	got, err := walkMessage(t, AppendMessage(nil, &m))
	if err != nil {
		t.Fatal(err)
	}
	want := []leaf{
		{"ClientHello.msg_type", 0, 1, KindHandshakeType},
		{"ClientHello.length", 1, 3, KindLength},
		{"ClientHello.legacy_version", 4, 2, KindVersion},
		{"ClientHello.random", 6, 32, KindBytes},
		{"ClientHello.legacy_session_id", 38, 1, KindLength},
		{"ClientHello.cipher_suites", 39, 2, KindLength},
		{"ClientHello.cipher_suites[0]", 41, 2, KindCipherSuite},
		{"ClientHello.legacy_compression_methods", 43, 1, KindLength},
		{"ClientHello.legacy_compression_methods", 44, 1, KindBytes},
		{"ClientHello.extensions", 45, 2, KindLength},
		{"ClientHello.extensions[0] key_share.extension_type", 47, 2, KindExtensionType},
		{"ClientHello.extensions[0] key_share", 49, 2, KindLength},
		{"ClientHello.extensions[0] key_share.client_shares", 51, 2, KindLength},
		{"ClientHello.extensions[0] key_share.client_shares[0].group", 53, 2, KindGroup},
		{"ClientHello.extensions[0] key_share.client_shares[0].key_exchange", 55, 2, KindLength},
		{"ClientHello.extensions[0] key_share.client_shares[0].key_exchange", 57, 6, KindBytes},
		{"ClientHello.extensions[1] GREASE 0x1a1a.extension_type", 63, 2, KindExtensionType},
		{"ClientHello.extensions[1] GREASE 0x1a1a", 65, 2, KindLength},
		{"ClientHello.extensions[1] GREASE 0x1a1a", 67, 1, KindBytes},
		{"ClientHello.extensions[2] server_name.extension_type", 68, 2, KindExtensionType},
		{"ClientHello.extensions[2] server_name", 70, 2, KindLength},
		{"ClientHello.extensions[2] server_name.server_name_list", 72, 2, KindLength},
		{"ClientHello.extensions[2] server_name.server_name_list[0].name_type", 74, 1, KindType},
		{"ClientHello.extensions[2] server_name.server_name_list[0].name", 75, 2, KindLength},
		{"ClientHello.extensions[2] server_name.server_name_list[0].name", 77, 6, KindText},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(leaf{})); diff != "" {
		t.Errorf("leaves (-want +got):\n%s", diff)
	}
}

func TestTheWalkGoesOnBehindAMalformedExtension(t *testing.T) {
	var m EncryptedExtensions
	m.Extensions = Extensions{{ExtALPN, unhex(t, "0004 02 6832 00")}, {ExtRecordSizeLimit, []byte{1}}}
	m.Add(&SupportedGroups{Groups: []Group{GroupX25519}})
	got, err := walkMessage(t, AppendMessage(nil, &m))
	const alpn = "EncryptedExtensions.extensions[0] application_layer_protocol_negotiation"
	wantErr := alpn + ".protocol_name_list[1]: length 0 is below the minimum of 1"
	if err == nil || err.Error() != wantErr {
		t.Errorf("error %v, want the first: %s", err, wantErr)
	}
	want := []leaf{
		{alpn + ".protocol_name_list[1]", 15, 1, KindLength},
		{"EncryptedExtensions.extensions[1] record_size_limit.extension_type", 16, 2, KindExtensionType},
		{"EncryptedExtensions.extensions[1] record_size_limit", 18, 2, KindLength},
		{"EncryptedExtensions.extensions[1] record_size_limit.record_size_limit", 20, 1, KindMalformed},
		{"EncryptedExtensions.extensions[2] supported_groups.extension_type", 21, 2, KindExtensionType},
		{"EncryptedExtensions.extensions[2] supported_groups", 23, 2, KindLength},
		{"EncryptedExtensions.extensions[2] supported_groups.named_group_list", 25, 2, KindLength},
		{"EncryptedExtensions.extensions[2] supported_groups.named_group_list[0]", 27, 2, KindGroup},
	}
	if len(got) < len(want) {
		t.Fatalf("only %d leaves", len(got))
	}
	if diff := cmp.Diff(want, got[len(got)-len(want):], cmp.AllowUnexported(leaf{})); diff != "" {
		t.Errorf("last leaves (-want +got):\n%s", diff)
	}
}

func TestLeavesTileWhatIsCutOrChanged(t *testing.T) {
	for _, raw := range rfc8448Messages(t) {
		for n := range raw {
			walkMessage(t, raw[:n])
			walkMessage(t, setLength(raw[:n]))
		}
		for i := range raw {
			for _, x := range []byte{0x01, 0x80, 0xff} {
				raw[i] ^= x
				walkMessage(t, raw)
				raw[i] ^= x
			}
		}
	}
}

func TestNumbersAreShownWithTheirNames(t *testing.T) {
	want := map[string]string{
		"ServerHello.msg_type":                                          "server_hello",
		"ServerHello.legacy_version":                                    "TLS 1.2",
		"ServerHello.cipher_suite":                                      "TLS_AES_128_GCM_SHA256",
		"ServerHello.extensions[0] key_share.server_share.group":        "x25519",
		"ServerHello.extensions[1] supported_versions.selected_version": "TLS 1.3",
		"ServerHello.extensions[1] supported_versions.extension_type":   "supported_versions",
		"ServerHello.extensions[0] key_share.server_share.key_exchange": "",
		"ServerHello.extensions":                                        "",
		"ServerHello.legacy_compression_method":                         "",
		"ServerHello.extensions[0] key_share.extension_type":            "key_share",
	}
	raw := rfc8448(t)["Simple_1RTT_Handshake/Message_ServerHello"]
	leaves, err := walkMessage(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, l := range leaves {
		name, ok := want[l.path]
		if !ok || l.length > 2 {
			continue
		}
		seen++
		value := binary.BigEndian.Uint16(append(make([]byte, 2-l.length), raw[l.offset:l.offset+l.length]...))
		if got := l.kind.Name(value); got != name {
			t.Errorf("%s: %q, want %q", l.path, got, name)
		}
	}
	if seen != len(want) {
		t.Errorf("saw %d of %d leaves", seen, len(want))
	}
}

func TestEveryKindHasAWord(t *testing.T) {
	for k := KindUint; k <= KindKeyUpdateRequest; k++ {
		if s := k.String(); s == "" || strings.HasPrefix(s, "0x") {
			t.Errorf("kind %d: %q", uint8(k), s)
		}
		if named := k >= KindContentType; named != (k.Name(0) != "") {
			t.Errorf("%v: Name(0) = %q", k, k.Name(0))
		}
	}
	if s := Kind(0).String() + Kind(99).String(); s != "0x000x63" {
		t.Errorf("unknown kinds: %q", s)
	}
}

func TestLeavesTileRecordsAndAlerts(t *testing.T) {
	for _, c := range []struct {
		raw    string
		leaves string
		err    string
	}{
		{"16 0301 0002 0102", "TLSPlaintext.type:1 TLSPlaintext.legacy_record_version:2 TLSPlaintext.length:2 TLSPlaintext.fragment:2", ""},
		{"15 0303 0002 0132", "TLSPlaintext.type:1 TLSPlaintext.legacy_record_version:2 TLSPlaintext.length:2 " +
			"TLSPlaintext.fragment.level:1 TLSPlaintext.fragment.description:1", ""},
		{"14 0303 0001 01", "TLSPlaintext.type:1 TLSPlaintext.legacy_record_version:2 TLSPlaintext.length:2 TLSPlaintext.fragment.type:1", ""},
		{"17 0303 0003 aabbcc", "TLSCiphertext.opaque_type:1 TLSCiphertext.legacy_record_version:2 TLSCiphertext.length:2 " +
			"TLSCiphertext.encrypted_record:3", ""},
		{"16 0301 0003 0102", "TLSPlaintext.type:1 TLSPlaintext.legacy_record_version:2 TLSPlaintext.length:2 TLSPlaintext.fragment:2",
			"TLSPlaintext.fragment: truncated"},
		{"17 0303 0001 aabbcc", "TLSCiphertext.opaque_type:1 TLSCiphertext.legacy_record_version:2 TLSCiphertext.length:2 " +
			"TLSCiphertext.encrypted_record:1 TLSCiphertext:2", "TLSCiphertext: 2 trailing bytes"},
		{"", "", "TLSPlaintext.type: truncated"},
	} {
		raw := unhex(t, c.raw)
		leaves, err := tiles(t, len(raw), func(v Visitor) error { return WalkRecord(raw, v) })
		if errText(err) != c.err {
			t.Errorf("%s: error %v, want %q", c.raw, err, c.err)
		}
		var got []string
		for _, l := range leaves {
			got = append(got, fmt.Sprintf("%s:%d", l.path, l.length))
		}
		if s := strings.Join(got, " "); s != c.leaves {
			t.Errorf("%s: leaves\n%s, want\n%s", c.raw, s, c.leaves)
		}
	}
	for raw, want := range map[string]string{
		"0232": "", "02": "Alert.description: truncated", "023200": "Alert: 1 trailing byte", "": "Alert.level: truncated",
	} {
		b := unhex(t, raw)
		if _, err := tiles(t, len(b), func(v Visitor) error { return WalkAlert(b, v) }); errText(err) != want {
			t.Errorf("alert %s: error %v, want %q", raw, err, want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
