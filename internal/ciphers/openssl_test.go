package ciphers

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tlswright/tlswright/wire"
)

// expressions that OpenSSL and we must read alike: from its manual, from servers' documentation, from the lessons.
var expressions = []string{
	"DEFAULT", "ALL", "ALL:COMPLEMENTOFALL", "COMPLEMENTOFDEFAULT", "HIGH", "HIGH:!aNULL:!MD5", "eNULL", "aNULL", "FIPS",
	"ECDHE+AESGCM:!aNULL", "ECDH+AES256", "ECDH+AES128 ", "AES", "AES256:AES128", "AES128,AES256", "ECDHE:DHE", "kRSA", "RSA",
	"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!MD5:!DSS",
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305",
	"EECDH+AESGCM:EDH+AESGCM", "EECDH:EDH:!NULL:!SSLv2:!RC4:!aNULL:!3DES:!IDEA", "ALL:!ADH:!LOW:!EXP:!MD5:@STRENGTH",
	"ALL:+AES256", "ALL:-AES:AES128", "ALL:-AES:+CAMELLIA", "ECDHE:-AESGCM:AESGCM", "DEFAULT:!AES:+CAMELLIA:PSK",
	"DEFAULT:@STRENGTH", "kECDHE+aECDSA", "aRSA+AESCCM", "AESCCM8", "CBC+SHA256", "SHA384", "SHA", "MD5", "CAMELLIA128",
	"ARIA", "ARIA256:ARIA128", "ARIAGCM", "PSK", "kDHEPSK:kRSAPSK", "SRP", "aSRP", "kPSK+AESGCM", "TLSv1.2", "TLSv1", "SSLv3+AES",
	"DHE-RSA-AES256-SHA:AES256-SHA:AES128-SHA", "ADH:AECDH", "DSS+CAMELLIA", "HIGH:!kRSA:!PSK:!SRP", "SUITEB128", "SUITEB192",
	"DEFAULT:!kRSA:-SHA1:SHA1+ECDHE", "ECDHE+AES:@STRENGTH:+SHA1", "CHACHA20:AESGCM;AES 3DES",
}

func TestExpressionsMeanWhatTheyMeanInOpenSSL(t *testing.T) {
	all := openSSL(t, "ALL:COMPLEMENTOFALL")
	known := make(map[wire.CipherSuite]bool)
	for _, p := range all {
		known[p.Suite] = true
	}
	for _, expression := range expressions {
		s, err := Evaluate(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		var ours, theirs []string
		for _, id := range s.Suites {
			if p, _ := Apart(id); known[id] && p.Since < wire.VersionTLS13 {
				ours = append(ours, p.OpenSSLName)
			}
		}
		for _, p := range openSSL(t, expression) {
			if p.Since < wire.VersionTLS13 {
				theirs = append(theirs, p.OpenSSLName)
			}
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("%s: OpenSSL (-) and we (+) differ:\n%s", expression, diff)
		}
	}
}

func TestSecurityLevelsMeanWhatTheyMeanInOpenSSL(t *testing.T) {
	for level := range 6 {
		expression := fmt.Sprintf("ALL:COMPLEMENTOFALL:@SECLEVEL=%d", level)
		s, err := Evaluate(expression)
		if err != nil || s.SecurityLevel != level {
			t.Fatalf("level %d: %v", s.SecurityLevel, err)
		}
		allowed := openSSL(t, expression, "-s", "-psk", "-srp")
		for _, p := range openSSL(t, "ALL:COMPLEMENTOFALL") {
			if p.Since == wire.VersionTLS13 {
				continue
			}
			theirs := slices.ContainsFunc(allowed, func(q Parts) bool { return q.Suite == p.Suite })
			if ours := slices.Contains(s.Suites, p.Suite); ours != theirs {
				t.Errorf("level %d: %s: we say %v, OpenSSL %v", level, p.OpenSSLName, ours, theirs)
			}
		}
	}
}

func TestPartsAreThoseOfOpenSSL(t *testing.T) {
	for _, theirs := range openSSL(t, "ALL:COMPLEMENTOFALL") {
		ours, ok := Apart(theirs.Suite)
		if !ok {
			t.Errorf("%v is no suite to us", theirs.Suite)
			continue
		}
		ours = Parts{
			Suite: ours.Suite, OpenSSLName: ours.OpenSSLName, Since: ours.Since, KeyExchange: ours.KeyExchange,
			Authentication: ours.Authentication, Encryption: ours.Encryption, Bits: ours.Bits, Mode: ours.Mode, MAC: ours.MAC,
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("%v: OpenSSL (-) and we (+) differ:\n%s", theirs.Suite, diff)
		}
	}
}

// openSSL returns what `openssl ciphers -V` says, in our words.
func openSSL(t *testing.T, expression string, flags ...string) []Parts {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing, and CI=true skips nothing")
		}
		t.Skip("openssl is missing: install the package openssl")
	}
	out, err := exec.Command(program, append(append([]string{"ciphers", "-V"}, flags...), expression)...).CombinedOutput()
	if strings.Contains(string(out), "no cipher match") {
		return nil
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", expression, err, out)
	}
	line := regexp.MustCompile(`0x(..),0x(..) - (\S+) +(\S+) +Kx=(\S+) +Au=(\S+) +Enc=([^( ]+)(?:\((\d+)\))? +Mac=(\S+)`)
	var all []Parts
	for _, m := range line.FindAllStringSubmatch(string(out), -1) {
		var id uint16
		p := Parts{OpenSSLName: m[3], Authentication: m[6], MAC: m[9]}
		if _, err := fmt.Sscanf(m[1]+m[2], "%04x", &id); err != nil {
			t.Fatal(err)
		}
		p.Suite = wire.CipherSuite(id)
		fmt.Sscan(m[8], &p.Bits)
		p.Since = map[string]wire.Version{"SSLv3": wire.VersionSSL30, "TLSv1": wire.VersionTLS10, "TLSv1.2": wire.VersionTLS12, "TLSv1.3": wire.VersionTLS13}[m[4]]
		p.KeyExchange = strings.NewReplacer("ECDHEPSK", "ECDHE_PSK", "DHEPSK", "DHE_PSK", "RSAPSK", "RSA_PSK", "ECDH", "ECDHE", "DH", "DHE").Replace(m[5])
		if m[6] == "None" {
			p.Authentication = "none"
		}
		names := map[string][2]string{
			"AESGCM": {"AES", "GCM"}, "AESCCM": {"AES", "CCM"}, "AESCCM8": {"AES", "CCM_8"}, "AES": {"AES", "CBC"},
			"Camellia": {"CAMELLIA", "CBC"}, "ARIAGCM": {"ARIA", "GCM"}, "CHACHA20/POLY1305": {"CHACHA20", "POLY1305"},
			"None": {"NULL", "none"}, "3DES": {"3DES", "CBC"},
		}[m[7]]
		p.Encryption, p.Mode = names[0], names[1]
		all = append(all, p)
	}
	return all
}
