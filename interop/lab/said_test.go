package lab

import (
	"bytes"
	"encoding/xml"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tlswright/tlswright/wire"
)

const testsslSample = `[
{"id":"SSLv2","severity":"OK","finding":"not offered"},
{"id":"TLS1","severity":"LOW","finding":"offered (deprecated)"},
{"id":"TLS1_2","severity":"OK","finding":"offered"},
{"id":"TLS1_3","severity":"OK","finding":"not offered"},
{"id":"cipher_order","severity":"OK","finding":"server"},
{"id":"cipher-tls1_2_xc02f","severity":"INFO","finding":"…"},
{"id":"cipher-tls1_2_x9c","severity":"INFO","finding":"…"},
{"id":"PFS_ECDHE_curves","severity":"OK","finding":"prime256v1 X25519"},
{"id":"DH_groups","severity":"OK","finding":"ffdhe2048"},
{"id":"cert_keySize <cert#1>","severity":"INFO","finding":"RSA 1024 bits"},
{"id":"cert_trust <cert#1>","severity":"HIGH","finding":"certificate does not match supplied URI"},
{"id":"cert_chain_of_trust <cert#1>","severity":"CRITICAL","finding":"failed (self signed)."},
{"id":"OCSP_stapling","severity":"INFO","finding":"not offered"},
{"id":"ROBOT","severity":"CRITICAL","finding":"VULNERABLE (NOT ok)"}]`

func TestTestsslIsRead(t *testing.T) {
	s, err := ParseTestssl([]byte(testsslSample))
	if err != nil {
		t.Fatal(err)
	}
	no := false
	want := &Said{
		Versions: map[wire.Version]bool{wire.VersionTLS10: true, wire.VersionTLS12: true, wire.VersionTLS13: false}, SSL2: &no,
		Suites:  map[wire.Version][]wire.CipherSuite{wire.VersionTLS12: {wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		Groups:  []wire.Group{wire.GroupSecp256r1, wire.GroupX25519, wire.GroupFFDHE2048},
		Order:   map[wire.Version]string{wire.VersionTLS12: "yes"},
		Judges:  []string{WeakKey, WrongName, Untrusted, SelfSigned, Incomplete},
		Defects: []string{WeakKey, WrongName, Untrusted, SelfSigned},
		Staple:  "none", Alarms: []string{"robot"},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
}

const nmapSample = `<?xml version="1.0"?><nmaprun><host><ports><port><script id="ssl-enum-ciphers" output="">
<table key="TLSv1.2"><table key="ciphers"><table><elem key="name">TLS_RSA_WITH_AES_128_GCM_SHA256</elem></table></table><elem key="cipher preference">client</elem></table>
<table key="TLSv1.3"><table key="ciphers"><table><elem key="name">TLS_AKE_WITH_AES_128_GCM_SHA256</elem></table></table></table>
<elem key="least strength">A</elem></script></port></ports></host></nmaprun>`

func TestNmapIsRead(t *testing.T) {
	s, err := ParseNmap([]byte(nmapSample))
	if err != nil {
		t.Fatal(err)
	}
	if !s.Versions[wire.VersionTLS12] || !s.Versions[wire.VersionTLS13] || s.Versions[wire.VersionTLS10] || len(s.Versions) != 5 || *s.SSL2 {
		t.Errorf("%v", s.Versions)
	}
	if s.Order[wire.VersionTLS12] != "no" || !slices.Equal(s.Suites[wire.VersionTLS13], []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256}) {
		t.Errorf("%v %v", s.Order, s.Suites)
	}
}

const sslscanSample = `<document><ssltest host="127.0.0.1"><protocol type="ssl" version="2" enabled="0" /><protocol type="ssl" version="3" enabled="1" />
<protocol type="tls" version="1.2" enabled="1" /><heartbleed sslversion="TLSv1.2" vulnerable="1" />
<cipher status="preferred" sslversion="TLSv1.2" cipher="AES128-GCM-SHA256" id="0x009C" /><group sslversion="TLSv1.2" name="x25519" id="0x001d" />
<certificates><certificate type="full"></certificate><certificate type="short"><signature-algorithm>sha1WithRSAEncryption</signature-algorithm>
<pk error="false" type="EC" curve_name="prime256v1" bits="128" /><self-signed>false</self-signed><expired>true</expired></certificate></certificates></ssltest></document>`

func TestSSLScanIsRead(t *testing.T) {
	s, err := ParseSSLScan([]byte(sslscanSample))
	if err != nil {
		t.Fatal(err)
	}
	if !s.Versions[wire.VersionSSL30] || !s.Versions[wire.VersionTLS12] || *s.SSL2 || !slices.Equal(s.Groups, []wire.Group{wire.GroupX25519}) {
		t.Errorf("%v %v", s.Versions, s.Groups)
	}
	if !slices.Equal(s.Defects, []string{Expired, SHA1}) || !slices.Equal(s.Alarms, []string{"heartbleed"}) {
		t.Errorf("%v %v", s.Defects, s.Alarms)
	}
	if !slices.Equal(s.Suites[wire.VersionTLS12], []wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_GCM_SHA256}) {
		t.Errorf("%v", s.Suites)
	}
}

// TestEveryExplanationCanMatch guards against patterns that no scanner or server of the lab has.
func TestEveryExplanationCanMatch(t *testing.T) {
	names := []string{"tlswright"}
	for _, s := range Scanners() {
		names = append(names, s.Name)
	}
	for i, e := range explanations() {
		if !slices.ContainsFunc(names, func(name string) bool { return matches(e.scanner, name) }) {
			t.Errorf("explanation %d is about no scanner: %s", i+1, e.scanner)
		}
		is := func(want func(string) bool) bool {
			return slices.ContainsFunc(everyGroup(t), func(g *Group) bool {
				return slices.ContainsFunc(g.Configs, func(c *Config) bool { return want(c.Name) })
			})
		}
		if !is(func(name string) bool { return matches(e.server, name) }) || e.witness != "" && !is(func(name string) bool { return name == e.witness }) {
			t.Errorf("explanation %d is about no server: %s, %s", i+1, e.server, e.witness)
		}
	}
}

func TestADifferenceIsFound(t *testing.T) {
	truth := &Truth{Protocols: []TruthProtocol{{Version: wire.VersionTLS12, Suites: []wire.CipherSuite{1, 2}, Order: "yes"}}}
	said := newSaid()
	said.Versions[wire.VersionTLS12], said.Versions[wire.VersionTLS13] = true, true
	said.addSuite(wire.VersionTLS12, 1)
	said.Order[wire.VersionTLS12] = "no"
	said.judge(Expired, true)
	var aspects []string
	for _, d := range Compare("x", &Lab{}, &Config{Name: "y", Identities: []string{"rsa"}}, said, truth) {
		aspects = append(aspects, d.Aspect)
	}
	if diff := cmp.Diff([]string{"versions", "suites of TLS 1.2", "order of TLS 1.2", "certificate"}, aspects); diff != "" {
		t.Error(diff)
	}
	if len(Compare("x", &Lab{}, &Config{}, newSaid(), truth)) != 1 {
		t.Error("a scanner that says nothing agrees")
	}
}

// FuzzReports feeds anything to the readers of reports: an error is fine, a panic or a list out of order is not.
func FuzzReports(f *testing.F) {
	for _, sample := range []string{testsslSample, nmapSample, sslscanSample, xml.Header} {
		f.Add([]byte(sample))
	}
	f.Fuzz(func(t *testing.T, report []byte) {
		for _, parse := range []func([]byte) (*Said, error){ParseTestssl, ParseNmap, ParseSSLScan} {
			s, err := parse(bytes.Clone(report))
			if err != nil {
				continue
			}
			for _, suites := range s.Suites {
				if !slices.IsSorted(suites) {
					t.Errorf("%v", suites)
				}
			}
		}
	})
}
