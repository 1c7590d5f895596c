package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// viewSample is a view and its extension_data, worked out by hand.
type viewSample struct {
	in   context
	view ExtensionView
	body string // hex; spaces and bars are for the reader
	// open: any prefix is valid too, for the data is not delimited from within.
	open bool
}

func binder(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

func viewSamples() []viewSample {
	b := func(s string) []byte { return []byte(s) }
	return []viewSample{
		{in: inClientHello, view: &ServerNames{Names: []ServerName{{0, b("a.test")}}}, body: "0009 00 0006 612e74657374"},
		{in: inEncryptedExtensions, view: &ServerNameAck{}, body: ""},
		{in: inClientHello, view: &MaxFragmentLength{Code: 2}, body: "02"},
		{in: inClientHello, view: &StatusRequest{Type: 1, ResponderIDs: [][]byte{b("x"), b("yz")}, RequestExtensions: b("e")},
			body: "01 0007 000178 0002797a 000165"},
		{in: inClientHello, view: &StatusRequest{Type: 2, Other: b("abc")}, body: "02 616263", open: true},
		{in: inCertificateRequest, view: &EmptyStatusRequest{}, body: ""},
		{in: inCertificate, view: &CertificateStatus{Response: b("ocsp")}, body: "01 000004 6f637370"},
		{in: inClientHello, view: &SupportedGroups{Groups: []Group{GroupX25519MLKEM768, GroupX25519}}, body: "0004 11ec 001d"},
		{in: inClientHello, view: &ECPointFormats{Formats: []byte{0}}, body: "01 00"},
		{in: inClientHello, view: &SignatureAlgorithms{Schemes: []SignatureScheme{SchemeEd25519, SchemeRSAPSSRSAESHA256}},
			body: "0004 0807 0804"},
		{in: inCertificateRequest, view: &SignatureAlgorithmsCert{Schemes: []SignatureScheme{SchemeRSAPKCS1SHA256}}, body: "0002 0401"},
		{in: inClientHello, view: &DelegatedCredentialSchemes{Schemes: []SignatureScheme{SchemeMLDSA44}}, body: "0002 0904"},
		{in: inCertificate, view: &DelegatedCredential{ValidTime: 0x01020304, Scheme: SchemeEd25519, PublicKey: b("key"), Algorithm: SchemeMLDSA44, Signature: b("sig")},
			body: "01020304 0807 000003 6b6579 0904 0003 736967"},
		{in: inClientHello, view: &ALPN{Protocols: []string{"h2", "http/1.1"}}, body: "000c 02 6832 08 687474702f312e31"},
		{in: inCertificate, view: &SCTs{List: [][]byte{b("one"), b("two")}}, body: "000a 0003 6f6e65 0003 74776f"},
		{in: inClientHello, view: &EmptySCT{}, body: ""},
		{in: inClientHello, view: &ClientCertificateTypes{Types: []CertificateType{2, 0}}, body: "02 02 00"},
		{in: inEncryptedExtensions, view: &SelectedClientCertificateType{Type: 2}, body: "02"},
		{in: inClientHello, view: &ServerCertificateTypes{Types: []CertificateType{0}}, body: "01 00"},
		{in: inEncryptedExtensions, view: &SelectedServerCertificateType{Type: 2}, body: "02"},
		{in: inClientHello, view: &Padding{Length: 3}, body: "000000", open: true},
		{in: inServerHello, view: &EncryptThenMAC{}, body: ""},
		{in: inServerHello, view: &ExtendedMasterSecret{}, body: ""},
		{in: inClientHello, view: &CompressCertificate{Algorithms: []CompressionAlgorithm{CompressionBrotli, CompressionZlib}},
			body: "04 0002 0001"},
		{in: inEncryptedExtensions, view: &RecordSizeLimit{Limit: 1025}, body: "0401"},
		{in: inClientHello, view: &SessionTicket{Ticket: b("ticket")}, body: "7469636b6574", open: true},
		{in: inClientHello, view: &PreSharedKeys{
			Identities: []PSKIdentity{{b("id"), 0x01020304}, {b("x"), 0}},
			Binders:    [][]byte{binder(7), binder(9)}},
			body: "000f 0002 6964 01020304 0001 78 00000000 0042 20" + strings.Repeat("07", 32) + "20" + strings.Repeat("09", 32)},
		{in: inServerHello, view: &PreSharedKeySelected{Index: 1}, body: "0001"},
		{in: inClientHello, view: &EarlyData{}, body: ""},
		{in: inNewSessionTicket, view: &EarlyDataSize{Max: 16384}, body: "00004000"},
		{in: inClientHello, view: &SupportedVersions{Versions: []Version{0x3a3a, VersionTLS13, VersionTLS12}}, body: "06 3a3a 0304 0303"},
		{in: inServerHello, view: &SelectedVersion{Version: VersionTLS13}, body: "0304"},
		{in: inHelloRetryRequest, view: &Cookie{Cookie: b("yum")}, body: "0003 79756d"},
		{in: inClientHello, view: &PSKKeyExchangeModes{Modes: []PSKKeyExchangeMode{PSKModeDHEKE, PSKModeKE}}, body: "02 01 00"},
		{in: inCertificateRequest, view: &CertificateAuthorities{Names: [][]byte{b("ca"), b("b")}}, body: "0007 0002 6361 0001 62"},
		{in: inCertificateRequest, view: &OIDFilters{Filters: []OIDFilter{{b("o"), b("val")}, {b("p"), b("")}}},
			body: "000b 01 6f 0003 76616c 01 70 0000"},
		{in: inClientHello, view: &PostHandshakeAuth{}, body: ""},
		{in: inClientHello, view: &KeyShares{Entries: []KeyShareEntry{{GroupX25519, b("pub")}, {0x0a0a, b("0")}}},
			body: "000c 001d 0003 707562 0a0a 0001 30"},
		{in: inServerHello, view: &KeyShareHello{Entry: KeyShareEntry{GroupSecp256r1, b("pub")}}, body: "0017 0003 707562"},
		{in: inHelloRetryRequest, view: &KeyShareRetry{Group: GroupSecp384r1}, body: "0018"},
		{in: inClientHello, view: &TicketRequest{New: 4, Resumed: 1}, body: "04 01"},
		{in: inEncryptedExtensions, view: &TicketRequestHint{Expected: 4}, body: "04"},
		{in: inClientHello, view: &RenegotiationInfo{Data: []byte{}}, body: "00"},
		{in: inClientHello, view: &ECHClientHello{Type: ECHOuter, CipherSuite: HPKESuite{HPKEHKDFSHA256, HPKEAES128GCM}, ConfigID: 7, Enc: b("enc"), Payload: b("payload")},
			body: "00 0001 0001 07 0003 656e63 0007 7061796c6f6164"},
		{in: inClientHello, view: &ECHClientHello{Type: ECHInner}, body: "01"},
		{in: inClientHello, view: &ECHClientHello{Type: 9, Other: b("?")}, body: "09 3f", open: true},
		{in: inEncryptedExtensions, view: &ECHRetryConfigs{ECHConfigList{[]ECHConfig{echConfigSample(), {Version: 0xfe0c, Unknown: b("?")}}}},
			body: "002b" + echConfigSampleHex + "fe0c 0001 3f"},
		{in: inHelloRetryRequest, view: &ECHConfirmation{Confirmation: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}, body: "0102030405060708"},
		{in: inClientHello, view: &ECHOuterExtensions{Types: []ExtensionType{ExtKeyShare, ExtALPN}}, body: "04 0033 0010"},
	}
}

// messageSample is a message, the bytes it is, and whether any prefix is valid when its header says so.
type messageSample struct {
	message Message
	raw     string // hex
	open    bool
}

func messageSamples() []messageSample {
	const random = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	var r [32]byte
	for i := range r {
		r[i] = byte(i)
	}
	retry := HelloRetryRequestRandom()
	some := Extensions{{ExtExtendedMasterSecret, []byte{}}, {0x1a1a, []byte("?")}}
	const someHex = "0009 0017 0000 1a1a 0001 3f"
	return []messageSample{
		{message: &ClientHello{VersionTLS12, r, []byte("id"), []CipherSuite{TLS_AES_128_GCM_SHA256, 0x0a0a}, []byte{0}, some},
			raw: "01 000038 0303" + random + "02 6964 0004 1301 0a0a 01 00" + someHex},
		{message: &ClientHello{VersionTLS10, r, []byte{}, []CipherSuite{0x002f}, []byte{1, 0}, nil},
			raw: "01 00002a 0301" + random + "00 0002 002f 02 0100"},
		{message: &ClientHello{VersionTLS10, r, []byte{}, []CipherSuite{0x002f}, []byte{0}, Extensions{}},
			raw: "01 00002b 0301" + random + "00 0002 002f 01 00 0000"},
		{message: &ServerHello{VersionTLS12, r, []byte("id"), TLS_AES_128_GCM_SHA256, 0, some},
			raw: "02 000033 0303" + random + "02 6964 1301 00" + someHex},
		{message: &ServerHello{VersionTLS12, r, []byte{}, 0x002f, 0, nil}, raw: "02 000026 0303" + random + "00 002f 00"},
		{message: &ServerHello{VersionTLS12, retry, []byte{}, TLS_CHACHA20_POLY1305_SHA256, 0,
			Extensions{{ExtKeyShare, []byte{0, 23}}}},
			raw: "02 00002e 0303" + hex.EncodeToString(retry[:]) + "00 1303 00 0006 0033 0002 0017"},
		{message: &EncryptedExtensions{some}, raw: "08 00000b" + someHex},
		{message: &EncryptedExtensions{Extensions{}}, raw: "08 000002 0000"},
		{message: &CertificateRequest{[]byte("c"), some}, raw: "0d 00000d 01 63" + someHex},
		{message: &Certificate{[]byte{}, []CertificateEntry{{[]byte("leaf"), some}, {[]byte("ca"), Extensions{}}}},
			raw: "0b 00001d 00 000019 000004 6c656166" + someHex + "000002 6361 0000"},
		{message: &CertificateVerify{SchemeEd25519, []byte("sig")}, raw: "0f 000007 0807 0003 736967"},
		{message: &Finished{[]byte("mac")}, raw: "14 000003 6d6163", open: true},
		{message: &NewSessionTicket{7200, 0xfad6aac5, []byte{0, 1}, []byte("ticket"), some},
			raw: "04 00001e 00001c20 fad6aac5 02 0001 0006 7469636b6574" + someHex},
		{message: &EndOfEarlyData{}, raw: "05 000000"},
		{message: &KeyUpdate{UpdateRequested}, raw: "18 000001 01"},
		{message: &MessageHash{[]byte("hash")}, raw: "fe 000004 68617368", open: true},
		{message: &CompressedCertificate{CompressionBrotli, 0x012345, []byte("zz")}, raw: "19 00000a 0002 012345 000002 7a7a"},
		{message: &UnknownMessage{0x63, []byte("??")}, raw: "63 000002 3f3f", open: true},
	}
}

// unhex reads hex that may hold spaces.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

// decodeBody decodes extension_data into v, as if it stood alone in a ClientHello.
func decodeBody(v ExtensionView, body []byte) error {
	m := ClientHello{Extensions: Extensions{{v.Extension(), body}}}
	_, err := m.Ext(v)
	return err
}

// rfc8448 gives the messages of RFC 8448, by "Section/Name".
func rfc8448(t testing.TB) map[string][]byte {
	t.Helper()
	f, err := os.Open("testdata/rfc8448/messages.vec")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	messages := make(map[string][]byte)
	section := ""
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		name, value, _ := strings.Cut(line, " = ")
		messages[section+"/"+name] = unhex(t, value)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return messages
}
