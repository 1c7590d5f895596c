package wire

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestConstantsAgreeWithTheRegistry compares the names of the constants with the registered ones, letter by letter
// but for case and separators.
func TestConstantsAgreeWithTheRegistry(t *testing.T) {
	plain := strings.NewReplacer("_", "", "-", "")
	for _, c := range []struct {
		file, prefix, typ string
		name              func(uint64) string
		differ            map[string]string // constants that are called otherwise
	}{
		{"extension.go", "Ext", "ExtensionType", func(v uint64) string { return ExtensionType(v).String() }, map[string]string{
			"ALPN":                     "application_layer_protocol_negotiation",
			"SequenceNumberEncryption": "sequence_number_encryption_algorithms",
		}},
		{"group.go", "Group", "Group", func(v uint64) string { return Group(v).String() },
			map[string]string{"X25519Kyber768Draft": "X25519Kyber768Draft00"}},
		{"scheme.go", "Scheme", "SignatureScheme", func(v uint64) string { return SignatureScheme(v).String() }, nil},
		{"alert.go", "Alert", "AlertCode", func(v uint64) string { return AlertCode(v).String() }, nil},
		{"handshake.go", "Type", "HandshakeType", func(v uint64) string { return HandshakeType(v).String() }, nil},
		{"record.go", "Content", "ContentType", func(v uint64) string { return ContentType(v).String() }, nil},
		{"ext_compress_certificate.go", "Compression", "CompressionAlgorithm",
			func(v uint64) string { return CompressionAlgorithm(v).String() }, nil},
		{"ext_client_certificate_type.go", "CertificateType", "CertificateType",
			func(v uint64) string { return CertificateType(v).String() }, nil},
		{"ext_psk_key_exchange_modes.go", "PSKMode", "PSKKeyExchangeMode",
			func(v uint64) string { return PSKKeyExchangeMode(v).String() }, map[string]string{"KE": "psk_ke", "DHEKE": "psk_dhe_ke"}},
	} {
		source, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		constants := regexp.MustCompile(`(?m)^\t`+c.prefix+`(\w+)\s+`+c.typ+` = (\w+)`).FindAllStringSubmatch(string(source), -1)
		if len(constants) < 2 {
			t.Errorf("%s: found %d constants", c.file, len(constants))
		}
		for _, m := range constants {
			value, err := strconv.ParseUint(m[2], 0, 16)
			if err != nil {
				t.Fatal(err)
			}
			want := c.name(value)
			name := m[1]
			if n, ok := c.differ[name]; ok {
				name = n
			}
			if !strings.EqualFold(plain.Replace(name), plain.Replace(want)) {
				t.Errorf("%s: %s%s = %s is registered as %s", c.file, c.prefix, m[1], m[2], want)
			}
		}
	}
}

func TestUnknownNumbersAreShownInHex(t *testing.T) {
	for _, c := range []struct {
		value fmt.Stringer
		want  string
	}{
		{VersionTLS13, "TLS 1.3"}, {VersionTLS12, "TLS 1.2"}, {VersionTLS11, "TLS 1.1"}, {VersionTLS10, "TLS 1.0"},
		{VersionSSL30, "SSL 3.0"}, {Version(0x7f1c), "0x7f1c"}, {Version(0x3a3a), "GREASE 0x3a3a"},
		{CipherSuite(0x1301), "TLS_AES_128_GCM_SHA256"}, {CipherSuite(0xfafa), "GREASE 0xfafa"}, {CipherSuite(0xee01), "0xee01"},
		{ExtKeyShare, "key_share"}, {ExtensionType(0x1234), "0x1234"}, {ExtensionType(0x0a0a), "GREASE 0x0a0a"},
		{GroupX25519, "x25519"}, {Group(0xeeee), "0xeeee"}, {Group(0xeaea), "GREASE 0xeaea"},
		{SchemeEd25519, "ed25519"}, {SignatureScheme(0xeeee), "0xeeee"},
		{AlertBadRecordMAC, "bad_record_mac"}, {AlertCode(0x7b), "0x7b"},
		{AlertLevelWarning, "warning"}, {AlertLevelFatal, "fatal"}, {AlertLevel(3), "0x03"},
		{TypeClientHello, "client_hello"}, {HandshakeType(0x63), "0x63"},
		{ContentApplicationData, "application_data"}, {ContentType(0x80), "0x80"},
		{PSKModeDHEKE, "psk_dhe_ke"}, {PSKKeyExchangeMode(0x0b), "0x0b"},
		{CompressionBrotli, "brotli"}, {CompressionAlgorithm(9), "0x0009"},
		{CertificateTypeRawPublicKey, "RawPublicKey"}, {CertificateType(9), "0x09"},
		{UpdateNotRequested, "update_not_requested"}, {UpdateRequested, "update_requested"}, {KeyUpdateRequest(2), "0x02"},
	} {
		if got := c.value.String(); got != c.want {
			t.Errorf("%T: %q, want %q", c.value, got, c.want)
		}
	}
}

func TestGREASEIsTheSixteenReservedValues(t *testing.T) {
	count := 0
	for v := range 1 << 16 {
		if IsGREASE(uint16(v)) {
			if want := 0x0a0a + 0x1010*count; v != want {
				t.Errorf("%#04x, want %#04x", v, want)
			}
			count++
		}
	}
	if count != 16 {
		t.Errorf("%d values", count)
	}
}
