package wire

import (
	"bytes"
	"crypto/tls"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRegistryIsGeneratedFromItsTables(t *testing.T) {
	cmd := exec.Command("go", "run", "generate.go", "-stdout")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	want, err := cmd.Output()
	if err != nil {
		t.Fatalf("generate.go: %v\n%s", err, stderr.String())
	}
	got, err := os.ReadFile("zregistry.go")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("zregistry.go is stale, run `go generate ./wire` (-generated +checked in):\n%s", diff)
	}
}

func TestEveryTableStatesItsDateAndSources(t *testing.T) {
	files, err := os.ReadDir("registry")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile("registry/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		header, _, _ := strings.Cut(string(text), "\n0x")
		for _, want := range []string{"# Stand: 20", "# Sources: "} {
			if !strings.Contains(header, want) {
				t.Errorf("%s: the header does not say %q", file.Name(), want)
			}
		}
	}
}

func TestCipherSuiteNamesAgreeWithTheStandardLibrary(t *testing.T) {
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if got, ok := cipherSuiteName(suite.ID); !ok || got != suite.Name {
			t.Errorf("cipherSuiteName(0x%04x) = %q, %t; crypto/tls says %q", suite.ID, got, ok, suite.Name)
		}
	}
}

func TestGroupNamesAgreeWithTheStandardLibrary(t *testing.T) {
	// crypto/tls names the NIST curves its own way, so those are compared by the name they stand for.
	ours := map[string]string{"CurveP256": "secp256r1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "x25519"}
	for _, id := range []tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521, tls.X25519,
		tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024} {
		want := id.String()
		if name, ok := ours[want]; ok {
			want = name
		}
		if got, ok := groupName(uint16(id)); !ok || got != want {
			t.Errorf("groupName(0x%04x) = %q, %t; want %q", uint16(id), got, ok, want)
		}
	}
}

func TestSchemeNamesAgreeWithTheStandardLibrary(t *testing.T) {
	// PKCS1WithSHA256 and rsa_pkcs1_sha256 are one name in two spellings: compare the letters and digits that matter.
	respell := strings.NewReplacer("PKCS1With", "rsapkcs1", "PSSWith", "rsapssrsae", "ECDSAWithP256And", "ecdsasecp256r1",
		"ECDSAWithP384And", "ecdsasecp384r1", "ECDSAWithP521And", "ecdsasecp521r1", "ECDSAWith", "ecdsa")
	for _, id := range []tls.SignatureScheme{tls.PKCS1WithSHA1, tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512,
		tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512, tls.ECDSAWithSHA1, tls.ECDSAWithP256AndSHA256,
		tls.ECDSAWithP384AndSHA384, tls.ECDSAWithP521AndSHA512, tls.Ed25519} {
		want := strings.ToLower(respell.Replace(id.String()))
		got, ok := schemeName(uint16(id))
		if !ok || strings.ReplaceAll(got, "_", "") != want {
			t.Errorf("schemeName(0x%04x) = %q, %t; crypto/tls says %s", uint16(id), got, ok, id)
		}
	}
}

func TestNamesOfKnownCodePoints(t *testing.T) {
	for _, test := range []struct {
		table  string
		lookup func(uint32) (string, bool)
		code   uint32
		want   string
	}{
		{"suites", cipherSuiteName[uint32], 0x0000, "TLS_NULL_WITH_NULL_NULL"},
		{"suites", cipherSuiteName[uint32], 0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"},
		{"suites", cipherSuiteName[uint32], 0x1305, "TLS_AES_128_CCM_8_SHA256"},
		{"suites", cipherSuiteName[uint32], 0xc102, "TLS_GOSTR341112_256_WITH_28147_CNT_IMIT"},
		{"suites", cipherSuiteName[uint32], 0xcc13, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256_OLD"},
		{"suites", cipherSuiteName[uint32], 0xfeff, "SSL_RSA_FIPS_WITH_3DES_EDE_CBC_SHA"},
		{"SSL 2.0", ssl2CipherKindName[uint32], 0x0700c0, "SSL_CK_DES_192_EDE3_CBC_WITH_MD5"},
		{"extensions", extensionName[uint32], 0, "server_name"},
		{"extensions", extensionName[uint32], 51, "key_share"},
		{"extensions", extensionName[uint32], 0xfd00, "ech_outer_extensions"},
		{"extensions", extensionName[uint32], 0xfe0d, "encrypted_client_hello"},
		{"extensions", extensionName[uint32], 0xff01, "renegotiation_info"},
		{"groups", groupName[uint32], 0x0100, "ffdhe2048"},
		{"groups", groupName[uint32], 0x0200, "MLKEM512"},
		{"groups", groupName[uint32], 0x0202, "MLKEM1024"},
		{"schemes", schemeName[uint32], 0x0809, "rsa_pss_pss_sha256"},
		{"schemes", schemeName[uint32], 0x0906, "mldsa87"},
		{"alerts", alertName[uint32], 20, "bad_record_mac"},
		{"alerts", alertName[uint32], 121, "ech_required"},
		{"handshake", handshakeTypeName[uint32], 254, "message_hash"},
		{"content", contentTypeName[uint32], 23, "application_data"},
		{"compression", compressionAlgorithmName[uint32], 2, "brotli"},
		{"PSK", pskModeName[uint32], 1, "psk_dhe_ke"},
		{"certificate", certificateTypeName[uint32], 2, "RawPublicKey"},
	} {
		if got, ok := test.lookup(test.code); !ok || got != test.want {
			t.Errorf("%s: 0x%04x is %q, %t; want %q", test.table, test.code, got, ok, test.want)
		}
	}
}

func TestUnknownAndGREASECodePointsHaveNoName(t *testing.T) {
	for _, code := range []uint16{0x0a0a, 0x1a1a, 0xfafa, 0x5601, 0xffff} {
		for table, lookup := range map[string]func(uint16) (string, bool){
			"suites": cipherSuiteName[uint16], "extensions": extensionName[uint16],
			"groups": groupName[uint16], "schemes": schemeName[uint16],
		} {
			if name, ok := lookup(code); ok || name != "" {
				t.Errorf("%s: 0x%04x has the name %q", table, code, name)
			}
		}
	}
}

func TestCipherSuitesAscendAndAllHaveNames(t *testing.T) {
	all := slices.Collect(CipherSuites())
	if len(all) < 400 {
		t.Fatalf("only %d suites", len(all))
	}
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Error("the suites do not ascend strictly")
	}
	for _, suite := range all {
		if name, ok := cipherSuiteName(suite); !ok || suite.String() != name {
			t.Errorf("0x%04x: String says %q, the table %q", uint16(suite), suite, name)
		}
	}
	for suite := range CipherSuites() {
		if suite != TLS_NULL_WITH_NULL_NULL {
			t.Errorf("the first suite is %s", suite)
		}
		break
	}
}

func TestSSL2CipherKindsWithoutNameShowTheirNumber(t *testing.T) {
	for kind, want := range map[SSL2CipherKind]string{
		SSL_CK_RC4_128_WITH_MD5: "SSL_CK_RC4_128_WITH_MD5",
		0x123456:                "0x123456",
	} {
		if got := kind.String(); got != want {
			t.Errorf("%06x: got %q, want %q", uint32(kind), got, want)
		}
	}
}

func TestLookUpAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { cipherSuiteName(TLS_AES_128_GCM_SHA256) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
