package bogo_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the run found into docs/conformance.md, in the place of complaining that it says something else")

// page is where the outcome of the runs stands, a section per runner, each written by a run with that runner.
const page = "../../docs/conformance.md"

// theme is what a test is about, by its name. The first theme of which a pattern matches counts.
type theme struct {
	name     string
	patterns []string
}

var themes = []theme{
	{"Encrypted Client Hello", []string{"*ECH*"}},
	{"Raw public keys (RFC 7250)", []string{"*CertificateType-*", "*RawPublicKey*"}},
	{"External PSKs (RFC 9258)", []string{"PSK-*"}},
	{"ML-DSA certificates", []string{"*ML-DSA*"}},
	{"Certificate compression (RFC 8879)", []string{"*CertCompression*"}},
	{"Server padding (draft)", []string{"ServerPadding*"}},
	{"GREASE (RFC 8701)", []string{"*GREASE*"}},
	{"OCSP responses and SCTs", []string{"*OCSP*", "*SCT*", "*SignedCertificateTimestamp*", "*CertificateStatus*"}},
	{"Choice of a certificate", []string{"CertificateSelection-*", "*ClientCertificateTypes*"}},
	{"Verification by the application", []string{"CertificateVerification*"}},
	{"0-RTT", []string{"*EarlyData*", "*0RTT*", "*HalfRTT*"}},
	{"Resumption and tickets", []string{"*Resum*", "*Ticket*", "*Session*", "*PSK*"}},
	{"Signatures and signature algorithms", []string{"*-Sign*", "*-Verify*", "*Signature*", "*SigningHash*", "*ECDSA*", "*KeyUsage*"}},
	{"Groups and key shares", []string{"*Curve*", "*KeyShare*", "*MLKEM*", "*Point*", "*Group*", "*HelloRetryRequest*", "*HRR*"}},
	{"Versions and downgrades", []string{"*Version*", "*Downgrade*", "*FallbackSCSV*"}},
	{"Cipher suites", []string{"TLS-TLS1*", "*Cipher*"}},
	{"Extensions", []string{"*Extension*", "*ALPN*", "*ServerName*", "*ExtendedMasterSecret*", "*SNI*", "*EMS*"}},
	{"Messages out of place", []string{"WrongMessageType*", "TrailingMessageData*", "TrailingDataWith*", "Partial*", "*ChangeCipherSpec*", "*CCS*"}},
	{"Client certificates", []string{"*ClientAuth*", "*ClientCertificate*", "*CertificateRequest*"}},
	{"Closing and alerts", []string{"Shutdown*", "*Alert*", "*CloseNotify*"}},
	{"Handshake, records and the rest", []string{"*"}},
}

func themeOf(t *testing.T, name string) string {
	t.Helper()
	i := slices.IndexFunc(themes, func(th theme) bool {
		return slices.ContainsFunc(th.patterns, func(p string) bool { return matches(t, p, []string{name}) })
	})
	return themes[i].name
}

// row is the outcome by theme.
type row struct{ passed, unimplemented, excluded int }

func (r row) sum(s row) row {
	return row{r.passed + s.passed, r.unimplemented + s.unimplemented, r.excluded + s.excluded}
}

func (r row) String() string {
	return fmt.Sprintf("%d | %d | %d | %d", r.passed+r.unimplemented+r.excluded, r.passed, r.unimplemented, r.excluded)
}

// readScope returns the names of the tests of August 2026 that are about TLS 1.3, and TLS 1.2 with ECDHE and AEAD.
func readScope(t *testing.T) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "in-scope-2026-08.txt"))
	if err != nil {
		t.Fatal(err)
	}
	scope := map[string]bool{}
	for name := range strings.FieldsSeq(string(data)) {
		scope[name] = true
	}
	return scope
}

// section writes the section of the runner at hand: o is the run without the excluded tests, excluded those alone. The
// name is empty for a runner that has no section.
func section(t *testing.T, o, excluded outcome) (name, text string) {
	scope := readScope(t)
	off := slices.Concat(excluded.passed, excluded.failed, excluded.unimplemented)
	rows, others := map[string]row{}, row{}
	count := func(names []string, one row) (known int) {
		for _, n := range names {
			if !scope[n] {
				others = others.sum(one)
				continue
			}
			known++
			rows[themeOf(t, n)] = rows[themeOf(t, n)].sum(one)
		}
		return known
	}
	known := count(o.passed, row{passed: 1}) + count(o.unimplemented, row{unimplemented: 1}) + count(off, row{excluded: 1})
	switch {
	case known == len(scope):
		name = "BoringSSL a0689af29e8e, August 2026"
	case os.Getenv("BORINGSSL") == "":
		name = "Debian's android-platform-external-boringssl 13.0.0+r24, 2022"
	default:
		return "", ""
	}
	var b, all strings.Builder
	total := row{}
	for _, th := range themes {
		if r, ok := rows[th.name]; ok {
			total = total.sum(r)
			fmt.Fprintf(&all, "| %s | %v |\n", th.name, r)
		}
	}
	fmt.Fprintf(&b, "## %s\n\n%d tests in scope: %d pass, none fails.\n\n", name, known, total.passed)
	fmt.Fprintf(&b, "| theme | in scope | passed | unimplemented | excluded |\n|---|---:|---:|---:|---:|\n%s", all.String())
	fmt.Fprintf(&b, "| **all** | %v |\n\n", total)
	fmt.Fprintf(&b, "Of the tests outside that scope this runner has %d pass too.\n\n", others.passed)
	b.WriteString(reasons(t, off, scope))
	return name, b.String()
}

// reasons lists why in-scope tests are excluded, with how many each sentence holds for.
func reasons(t *testing.T, off []string, scope map[string]bool) string {
	t.Helper()
	why := map[string]int{}
	exceptions := readExceptions(t)
	for _, n := range off {
		for _, pattern := range slices.Sorted(maps.Keys(exceptions)) {
			if scope[n] && matches(t, pattern, []string{n}) {
				why[exceptions[pattern]]++
				break
			}
		}
	}
	var b strings.Builder
	b.WriteString("Excluded:\n\n")
	for _, sentence := range slices.Sorted(maps.Keys(why)) {
		fmt.Fprintf(&b, "* %d: %s\n", why[sentence], sentence)
	}
	return b.String()
}

// checkPage compares the runner's section of the page with what the run found, or writes it.
func checkPage(t *testing.T, o, excluded outcome) {
	name, text := section(t, o, excluded)
	if name == "" {
		t.Log("this runner has no section in docs/conformance.md")
		return
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- end -->\n"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for %q", page, name)
	}
	now := []byte(before + begin + text + end + after)
	switch {
	case bytes.Equal(now, data):
	case *update:
		if err := os.WriteFile(page, now, 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s says something else about %s; go test ./interop/bogo -update writes what is so", page, name)
	}
}
