package config

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func caExample(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/ca.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func comparePrefixes() cmp.Option {
	return cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
}

func TestCAsAreRead(t *testing.T) {
	c, err := ReadCA(caExample(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &CA{
		Listen: ":9443", HTTP: "[::1]:9080", URL: "https://ca.corp.example", HTTPURL: "http://ca.corp.example",
		Names: []string{"ca", "192.0.2.1"}, Certificate: "service.pem", Key: "service.key", Issuers: []string{"devices", "web-2"},
		Database: "postgres://ca:secret@db.corp.example/ca", Admin: "127.0.0.1:9444", Metrics: "127.0.0.1:9464",
		Terms: "https://corp.example/terms", NeedsBinding: true, Chains: []string{"old.pem"}, CTLogs: "logs.json", CTMinimum: 2,
		HTTP01Port: 5002, TLSALPN01Port: 5001, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		Resolvers: []string{"192.0.2.53", "192.0.2.54:5353"}, Quorum: 2, NoCAA: true, CAAIdentities: []string{"ca.corp.example"},
		AllowNames: []string{"corp.example", "=www.other.example"}, DenyNames: []string{"secret.corp.example"}, AllowAddresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		NoWildcards: true, Challenges: []string{"http-01", "dns-01"}, KeyTypes: []string{"ECDSA P-256", "RSA"}, Lifetime: 5 * time.Minute, Reuse: -1,
	}
	if d := cmp.Diff(want, c, comparePrefixes()); d != "" {
		t.Error(d)
	}
	c.RelativeTo("/etc/tlswright")
	if c.Certificate != "/etc/tlswright/service.pem" || c.Key != "/etc/tlswright/service.key" || c.Chains[0] != "/etc/tlswright/old.pem" || c.CTLogs != "/etc/tlswright/logs.json" {
		t.Errorf("%+v", c)
	}
}

func TestAnEmptySectionIsTheDefaults(t *testing.T) {
	for _, text := range []string{"ca:", "ca: {}", `{"ca": {}}`, "gateway: {}\nca:\n", "ca: # all as usual\n"} {
		c, err := ReadCA([]byte(text), nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if d := cmp.Diff(DefaultCA(), c, comparePrefixes()); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
	usual := &CA{Listen: ":1", HTTP: ":2"}
	if c, err := ReadCA([]byte("ca:"), usual); err != nil || c.Listen != ":1" || c == usual {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := ReadCA([]byte("ca: {http: ':3'}"), usual); err != nil || c.Listen != DefaultCA().Listen {
		t.Errorf("%+v, %v", c, err)
	}
	c, err := ReadCA([]byte("ca: {http: none, ct-logs: none, key: 'pkcs11:token=x', cert: /a.pem}"), nil)
	if err != nil || c.HTTP != "" {
		t.Fatalf("%+v, %v", c, err)
	}
	if c.RelativeTo("/x"); c.CTLogs != NoLogs || c.Key != "pkcs11:token=x" || c.Certificate != "/a.pem" {
		t.Errorf("%+v", c)
	}
}

func TestMistakesInACAAreShown(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "the file is empty",
		"gateway: {}":                         "there is no section ca in the file",
		"ca: 127.0.0.1:9443":                  "line 1, column 5: ca is not a mapping",
		"ca:\n  listn: ':9443'":               `line 2, column 3: unknown key "listn"`,
		"ca:\n  listen: none":                 `line 2, column 11: ca.listen: "none" is not an address with a port`,
		"ca:\n  listen: ca.example:443":       `"ca.example" is not an address of this machine`,
		"ca:\n  http: 127.0.0.1:99999":        `"99999" is no port`,
		"ca:\n  admin: 'unix:/run/x'":         `"/run/x" is no port`,
		"ca:\n  url: http://ca.example":       "is no https URL without a path",
		"ca:\n  url: https://ca.example/":     "is no https URL without a path",
		"ca:\n  url: https://ca.example?":     "is no https URL without a path",
		"ca:\n  http-url: https://x":          "is no http URL without a path",
		"ca:\n  names: ['*.example']":         "a star stands for any name",
		"ca:\n  issuers: [a, B]":              `line 2, column 16: ca.issuers[1]: "B" is no name of an intermediate`,
		"ca:\n  database: mysql://x/y":        "is no address of a PostgreSQL database",
		"ca:\n  terms: ftp://x":               "ftp",
		"ca:\n  require-binding: yes":         `ca.require-binding is "yes"`,
		"ca:\n  ct-minimum: 2":                "has ct-minimum, and no ct-logs",
		"ca:\n  ct-minimum: 17\n  ct-logs: x": "no number of that kind",
		"ca:\n  http01-port: 70000":           "no number of that kind",
		"ca:\n  allow-networks:\n    - 10.0.0.0/8\n    - everywhere": `line 4, column 7: ca.allow-networks[1]: "everywhere" is no network`,
		"ca:\n  allow-networks: []":                                  "ca.allow-networks is empty",
		"ca:\n  allow-networks: [10.0.0.0/8, 10.0.0.0/8]":            "is listed twice",
		"ca:\n  quorum: 2":                                           "cannot be had from 0 resolvers",
		"ca:\n  quorum: 3\n  resolvers: [a, b]":                      "cannot be had from 2 resolvers",
		"ca:\n  allow-names: ['a b']":                                "is no name",
		"ca:\n  deny-names: ['=']":                                   "is no name",
		"ca:\n  allow-addresses: [10.0.0.1]":                         "is no network",
		"ca:\n  no-addresses: true\n  allow-addresses: [10.0.0.0/8]": "both no-addresses and allow-addresses",
		"ca:\n  challenges: [http-02]":                               `"http-02" is not known`,
		"ca:\n  lifetime: 30s":                                       "too short or too long",
		"ca:\n  lifetime: 2y":                                        "too short or too long",
		"ca:\n  lifetime: none":                                      "none is no time here",
		"ca:\n  lifetime: soon":                                      "is no time",
		"ca:\n  key: service.key":                                    "has a key, and no cert",
		"ca:\n  listen: ':1'\n  listen: ':2'":                        `"listen" already defined`,
		"ca:\n  chaos: mild":                                         `unknown key "chaos"`,
	} {
		_, err := ReadCA([]byte(text), nil)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestTimesAreWrittenAsTheyAreRead(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "", -1: "none", 90 * 24 * time.Hour: "90d", 5 * time.Minute: "5m", 36 * time.Hour: "36h", 1500 * time.Millisecond: "1.5s"} {
		if got := spanText(d); got != want {
			t.Errorf("%d is %q, not %q", d, got, want)
		}
	}
}

func FuzzReadCA(f *testing.F) {
	f.Add(caExample(f))
	f.Add([]byte("ca: {lifetime: 4m, http: none, allow-networks: 10.0.0.0/8}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ReadCA(text, nil)
		var e *Error
		if err != nil {
			if !errors.As(err, &e) || strings.ContainsAny(e.Text+e.Hint, "\n\x1b") || strings.Contains(e.Excerpt(text), "\x1b") {
				t.Fatalf("%v", err)
			}
			return
		}
		if c.Listen == "" || c.Lifetime < 0 || c.Lifetime > 0 && c.Lifetime < time.Minute || c.HTTP01Port <= 0 || c.Key != "" && c.Certificate == "" {
			t.Fatalf("%+v", c)
		}
	})
}
