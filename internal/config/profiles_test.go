package config

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tlswright/tlswright/pki"
)

const day = 24 * time.Hour

// example has every key.
const example = `# profiles of ours
profiles:
  web:
    extends: server
    lifetime: 30d
    max-lifetime: 2160h
    san-kinds: [dns, ip]
    policies: [2.23.140.1.2.1, "1.3.6.1.4.1.99999.1"]
    crl: http://ca.example/web.crl
    ocsp: [http://ocsp.example]
    issuer-certificates:
      - http://ca.example/ca.cer
    must-staple: true
  job:
    extends: client
    short-lived: true
    extended-key-usage: [client-auth, 1.3.6.1.4.1.99999.7]
    key-usage: [digital-signature, content-commitment]
    needs-san: true
    san-kinds: uri
  branch:
    extends: intermediate
    lifetime: 2y
    path-length: 0010
    name-constraints:
      permitted:
        dns: [branch.example, .b.example]
        ip: [10.0.0.0/8, "2001:db8::/32", 192.0.2.1]
        email: [branch.example]
        uri: [.branch.example]
        directory: [{country: DE, organization: Branch}]
      excluded: {dns: [secret.branch.example]}
  anchor: {extends: root, path-length: none, max-lifetime: none}
`

func TestProfilesAreRead(t *testing.T) {
	got, err := ReadProfiles([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	web, job, branch, anchor := got["web"], got["job"], got["branch"], got["anchor"]
	if len(got) != 4 || web.Name != "web" || web.Lifetime != 30*day || web.MaxLifetime != 90*day || web.SANKinds != pki.SANDNS|pki.SANIP || !web.NeedsSAN || !web.MustStaple ||
		len(web.Policies) != 2 || web.Policies[1].String() != "1.3.6.1.4.1.99999.1" || !cmp.Equal(web.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) ||
		!cmp.Equal(web.CRLDistributionPoints, []string{"http://ca.example/web.crl"}) || !cmp.Equal(web.OCSPServers, []string{"http://ocsp.example"}) || !cmp.Equal(web.IssuingCertificateURLs, []string{"http://ca.example/ca.cer"}) {
		t.Errorf("%+v", web)
	}
	if !job.ShortLived || job.Lifetime != pki.MaxShortLifetime || job.MaxLifetime != pki.MaxShortLifetime || len(job.OtherExtKeyUsage) != 1 || job.SANKinds != pki.SANURI ||
		job.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment {
		t.Errorf("%+v", job)
	}
	c := branch.NameConstraints
	if !branch.CA || branch.PathLen != 10 || branch.Lifetime != 730*day || c == nil || !cmp.Equal(c.PermittedDNS, []string{"branch.example", ".b.example"}) || len(c.PermittedIP) != 3 ||
		c.PermittedIP[2] != netip.MustParsePrefix("192.0.2.1/32") || len(c.PermittedDirNames) != 1 || !cmp.Equal(c.ExcludedDNS, []string{"secret.branch.example"}) {
		t.Errorf("%+v, %+v", branch, c)
	}
	if anchor.PathLen != -1 || anchor.MaxLifetime != 0 {
		t.Errorf("%+v", anchor)
	}
	// What is read can be issued from.
	rootKey, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	root, err := pki.SelfSign(pki.Request{Spec: &anchor, CommonName: "Root"}, rootKey, now)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := pki.Issuer{Certificate: root, Key: rootKey}.Issue(pki.Request{Spec: &web, SANs: []string{"a.example"}, Key: key.Public()}, now)
	if err != nil || len(leaf.Policies) != 2 || leaf.NotAfter.Sub(leaf.NotBefore) > 30*day {
		t.Errorf("%v", err)
	}
}

func TestAnEmptyFileHasNoProfiles(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "profiles: {}\n"} {
		if got, err := ReadProfiles([]byte(text)); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestMistakesAreShownWithTheirPlace(t *testing.T) {
	in := func(lines ...string) string {
		return "profiles:\n  web:\n    extends: server\n    " + strings.Join(lines, "\n    ") + "\n"
	}
	ca := func(lines ...string) string {
		return strings.Replace(in(lines...), "server", "intermediate", 1)
	}
	for name, c := range map[string]struct {
		text         string
		line, column int
		want, hint   string
	}{
		"unknown top key":          {"profile:\n  a: b\n", 1, 1, `unknown key "profile"`, `"profiles"`},
		"unknown key":              {in("lifetme: 30d"), 4, 5, `unknown key "lifetme"`, `did you mean "lifetime"`},
		"far from any key":         {in("zzzzzzzz: 1"), 4, 5, "unknown key", "known are"},
		"key twice":                {in("lifetime: 30d", "lifetime: 40d"), 5, 5, "", ""},
		"no base":                  {"profiles:\n  web:\n    lifetime: 30d\n", 2, 3, "does not say which", "extends: server"},
		"unknown base":             {"profiles:\n  web:\n    extends: severs\n", 3, 14, "no built-in profile", `"server"`},
		"own base":                 {"profiles:\n  a:\n    extends: server\n  b:\n    extends: a\n", 5, 14, "no built-in profile", ""},
		"name of a built-in":       {"profiles:\n  server:\n    extends: server\n", 2, 3, "is a built-in profile", "another name"},
		"no name":                  {"profiles:\n  \"a b\":\n    extends: server\n", 2, 3, "no name for a profile", "small letters"},
		"time without unit":        {in("lifetime: 30"), 4, 15, `"30" is no time`, "90d"},
		"time of nothing":          {in("lifetime: 0d"), 4, 15, "no time between", "90d"},
		"time of 300 years":        {in("max-lifetime: 300y"), 4, 19, "no time between", "90d"},
		"time below zero":          {in("lifetime: -3d"), 4, 15, "no time", "90d"},
		"lifetime above maximum":   {in("lifetime: 400d"), 2, 3, "maximum of 398 days", "max-lifetime"},
		"value missing":            {in("lifetime:"), 4, 0, "no value", "leave the key out"},
		"list for a value":         {in("lifetime: [30d]"), 4, 15, "not a single value", ""},
		"mapping for a list":       {in("crl: {a: b}"), 4, 0, "is not a list", "[a, b]"},
		"value for a mapping":      {"profiles:\n  web: server\n", 2, 8, "is not a mapping", "key: value"},
		"yes for true":             {in("must-staple: yes"), 4, 18, `"yes"`, "true or false"},
		"unknown usage":            {in("key-usage: [digital-signatures]"), 4, 17, "digital-signatures", `"digital-signature"`},
		"empty usage":              {in("key-usage: []"), 4, 0, "empty", "at least one"},
		"empty kinds":              {in("san-kinds: []"), 4, 0, "empty", "at least one"},
		"unknown kind":             {in("san-kinds: [dnss]"), 4, 17, "dnss", `"dns"`},
		"unknown purpose":          {in("extended-key-usage: serverauth"), 4, 25, "serverauth", `"server-auth"`},
		"purpose twice":            {in("extended-key-usage: [server-auth, server-auth]"), 4, 39, "twice", "once"},
		"purpose of odd number":    {in("extended-key-usage: [1.999]"), 4, 26, "no object identifier", "digits and dots"},
		"policy of words":          {in("policies: [strict]"), 4, 16, "no object identifier", "1.3.6.1.4.1.99999.1"},
		"policy twice":             {in("policies: [1.2.3, 1.2.3]"), 4, 23, "twice", "once"},
		"path length of a leaf":    {in("path-length: 0"), 4, 18, "for CAs", "intermediate or root"},
		"path length of words":     {ca("path-length: many"), 4, 18, `"many"`, "none"},
		"constraints of a leaf":    {in("name-constraints: {permitted: {dns: a}}"), 4, 0, "for CAs", "intermediate or root"},
		"constraints on nothing":   {ca("name-constraints: {}"), 4, 0, "empty", "permitted or excluded"},
		"constraints that no name": {ca("name-constraints: {permitted: {dns: ['a b']}}"), 4, 0, "a b", ""},
		"unknown constraint":       {ca("name-constraints: {permitted: {dsn: a}}"), 4, 36, "dsn", `"dns"`},
		"range with loose bits":    {ca("name-constraints: {permitted: {ip: 10.1.0.0/8}}"), 4, 0, "outside of its mask", "10.0.0.0/8"},
		"no range":                 {ca("name-constraints: {permitted: {ip: ten}}"), 4, 0, "no range", "10.0.0.0/8"},
		"long country":             {ca("name-constraints: {permitted: {directory: [{country: Germany}]}}"), 4, 0, "two letters", ""},
		"two common names":         {ca("name-constraints: {permitted: {directory: [{common-name: [a, b]}]}}"), 4, 0, "single", "one"},
		"unsound":                  {in("short-lived: true", "must-staple: true"), 2, 3, "short-lived", ""},
		"anchor":                   {in("crl: &a [http://a.example]"), 4, 0, "anchors", "write the value out"},
		"alias":                    {"profiles: *x\n", 1, 0, "", ""},
		"tag":                      {in("crl: !!str a"), 4, 0, "", "write the value out"},
		"merge key":                {in("<<: {lifetime: 30d}"), 4, 0, "", ""},
		"second document":          {in("crl: a") + "---\nprofiles: {}\n", 6, 1, "second document", "keep one"},
		"no YAML":                  {"profiles: [\n", 1, 0, "not YAML", ""},
		"a tab":                    {"profiles:\n\tweb: a\n", 2, 0, "not YAML", ""},
		"escapes for terminals":    {in("\"\\e[2J\": 1"), 4, 5, `unknown key "\x1b[2J"`, "known are"},
		"deep":                     {strings.Repeat("[", 1000), 1, 1, "deep", ""},
		"deep by dashes":           {strings.Repeat("- ", 1000), 1, 1, "deep", ""},
		"too much":                 {strings.Repeat("#", maxFile+1), 0, 0, "more than the limit", ""},
		"too many entries":         {in("crl: [" + strings.Repeat("a,", maxEntries) + "a]"), 4, 0, "more than 10000 entries", ""},
	} {
		_, err := ReadProfiles([]byte(c.text))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e.Line != c.line || c.column != 0 && e.Column != c.column || !strings.Contains(e.Text, c.want) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: %d:%d %q (hint %q)", name, e.Line, e.Column, e.Text, e.Hint)
		}
		if pki.Printable(e.Text) != e.Text || pki.Printable(e.Hint) != e.Hint || strings.Contains(e.Error(), "\n") {
			t.Errorf("%s: %q is not fit to print", name, e.Error())
		}
	}
	many := "profiles:\n"
	for i := range maxProfiles + 1 {
		many += "  p" + string(rune('a'+i%26)) + strings.Repeat("x", i/26) + ": {extends: server}\n"
	}
	if _, err := ReadProfiles([]byte(many)); err == nil || !strings.Contains(err.Error(), "more than 100") {
		t.Errorf("%v", err)
	}
}

func FuzzReadProfiles(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("profiles: {a: {extends: server, crl: [x, &y z, *y]}}"))
	f.Add([]byte("? a\n: b\n---\n!!map {}"))
	f.Add([]byte("a: |\n  b\nc: >-\n  d\n\"e\\u0000\": 'f'"))
	f.Fuzz(func(t *testing.T, text []byte) {
		profiles, err := ReadProfiles(text)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%v is no *Error", err)
		}
		if e != nil && (pki.Printable(e.Error()) != e.Error() || pki.Printable(e.Hint) != e.Hint) {
			t.Fatalf("%q is not fit to print", e.Error())
		}
		for name, p := range profiles {
			if err := p.Validate(); err != nil || string(p.Name) != name {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}
