package grade

import (
	"time"

	"github.com/tlswright/tlswright/wire"
)

// scanTime is when all fixtures were scanned.
var scanTime = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// suitesOf makes the suites of a version, as a server with X25519 would take them.
func suitesOf(ids ...wire.CipherSuite) []Suite {
	list := make([]Suite, 0, len(ids))
	for _, id := range ids {
		list = append(list, Suite{ID: id, Name: id.String(), Group: wire.GroupX25519})
	}
	return list
}

// offered is a version that is taken; refused one that is not.
func offered(v wire.Version, ids ...wire.CipherSuite) Protocol {
	return Protocol{Version: v, Name: versionName(v), Offered: Yes, Suites: suitesOf(ids...), Order: Yes, Complete: true}
}

func refused(v wire.Version) Protocol {
	return Protocol{Version: v, Name: versionName(v), Offered: No, Complete: true}
}

// setProtocol replaces what is known about a version.
func (f *Facts) setProtocol(p Protocol) {
	for i := range f.Protocols {
		if f.Protocols[i].Version == p.Version {
			f.Protocols[i] = p
			return
		}
	}
	f.Protocols = append(f.Protocols, p)
}

// chain is the fixture's chain, to be changed.
func (f *Facts) chain() *Chain { return &f.Chains[0] }

// leaf is the fixture's certificate, to be changed.
func (f *Facts) leaf() *Certificate { return &f.Chains[0].Sent[0] }

// goodCertificate is an RSA certificate of 2048 bits for 90 days, in the middle of its life.
func goodCertificate() Certificate {
	return Certificate{
		Subject: "CN=www.example.org", Issuer: "CN=Good CA", Serial: "0a1b", Names: []string{"www.example.org"},
		NotBefore: scanTime.Add(-30 * oneDay), NotAfter: scanTime.Add(60 * oneDay), Key: "RSA 2048 bits", KeyBits: 2048, KeyStrength: 2048,
		Exponent: "65537", Signature: "SHA256-RSA", SHA256: "aa", SPKI: "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
	}
}

func goodChain() Chain {
	return Chain{
		KeyType: "RSA", SNI: true, Seen: []wire.Version{wire.VersionTLS12, wire.VersionTLS13},
		Sent: []Certificate{goodCertificate(), {Subject: "CN=Good CA", Issuer: "CN=Good Root", Serial: "01", Signature: "SHA256-RSA", SHA256: "bb",
			Key: "RSA 4096 bits", KeyBits: 4096, KeyStrength: 4096, NotBefore: scanTime.Add(-1000 * oneDay), NotAfter: scanTime.Add(1000 * oneDay), IsCA: true}},
		Path: []string{"aa", "bb", "cc"}, Trust: []StoreTrust{{Store: "system", Trusted: true}},
		Trusted: Yes, Complete: Yes, NameMatches: Yes, Revoked: No, VerifiedAt: scanTime, CTPolicy: Yes, CTReason: "3 timestamps of 2 operators",
	}
}

// goodFacts is the good server of RATING 2.6: nginx with TLS 1.2 and 1.3, RSA of 2048 bits, HSTS of two years. Its grade is A+
// with 93 points.
func goodFacts() *Facts {
	gcm128, gcm256 := wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
	f := &Facts{
		Schema: FactsSchema, Host: "www.example.org", Port: 443, Address: "192.0.2.1", ServerName: "www.example.org", Time: scanTime, Connections: 80,
		Protocols: []Protocol{
			refused(VersionSSL20), refused(wire.VersionSSL30), refused(wire.VersionTLS10), refused(wire.VersionTLS11),
			offered(wire.VersionTLS12, gcm128, gcm256),
			offered(wire.VersionTLS13, wire.TLS_AES_256_GCM_SHA384, wire.TLS_AES_128_GCM_SHA256),
		},
		Groups: []Group{
			{ID: wire.GroupX25519MLKEM768, Name: "X25519MLKEM768", Versions: []wire.Version{wire.VersionTLS13}, Hybrid: true},
			{ID: wire.GroupX25519, Name: "x25519", Versions: []wire.Version{wire.VersionTLS12, wire.VersionTLS13}},
		},
		Chains: []Chain{goodChain()},
		Features: Features{
			SecureRenegotiation: Yes, ClientRenegotiation: No, InsecureRenegotiation: No, Compression: No, Heartbeat: No, ExtendedMasterSecret: Yes,
			FallbackSCSV: Yes, DowngradeSignals: Yes, SessionIDs: Yes, SessionTickets: Yes, Resumption13: Yes, TicketLifetime: 7200, Staple: No,
			ALPN: []string{"h2", "http/1.1"}, StrictALPN: Yes, StrictSNI: No,
		},
		HTTP: &HTTP{
			Status: 200, URL: "https://www.example.org/", HSTS: HSTS{Present: true, Raw: "max-age=63072000", MaxAge: 63072000},
			Headers: []Header{
				{"Server", "nginx"}, {"Strict-Transport-Security", "max-age=63072000"}, {"Content-Security-Policy", "default-src 'self'"},
				{"X-Content-Type-Options", "nosniff"}, {"X-Frame-Options", "DENY"}, {"Referrer-Policy", "no-referrer"}, {"Permissions-Policy", "camera=()"},
			},
			Redirects: []Redirect{{URL: "http://www.example.org/", Status: 301, To: "https://www.example.org/"}},
			PlainHTTP: Yes, RedirectsToHTTPS: Yes, Permanent: Yes, Server: "nginx",
		},
		DNS:      &DNS{CAA: []CAA{{Tag: "issue", Value: "good.example"}}, CAAAt: "example.org", CAAAllows: Yes, Authentic: No},
		Software: "nginx/1.22.1",
	}
	f.Simulations = []Simulation{
		simulated("Firefox 128 ESR", wire.VersionTLS13, wire.TLS_AES_128_GCM_SHA256),
		simulated("Java 8u31", wire.VersionTLS12, gcm128),
	}
	for _, id := range vulnerabilityIDs() {
		f.Vulnerabilities = append(f.Vulnerabilities, Vulnerability{ID: id, Name: id, Verdict: NotVulnerable, Text: "The server answered as a healthy one does."})
	}
	return f
}

// simulated is what a reference client came to.
func simulated(client string, v wire.Version, id wire.CipherSuite) Simulation {
	return Simulation{Client: client, Source: "documented", Reference: true, OK: Yes, Version: v, Suite: id, SuiteName: id.String()}
}

// vulnerabilityIDs are those that a scan has a verdict on.
func vulnerabilityIDs() []string {
	return []string{
		"heartbleed", "ccs-injection", "ticketbleed", "robot", "poodle-ssl", "poodle-tls", "zombie-poodle", "goldendoodle", "sleeping-poodle",
		"zero-length", "cve-2016-2107", "freak", "logjam", "drown", "sweet32", "beast", "crime", "breach", "lucky13", "rc4",
		"insecure-renegotiation", "client-renegotiation", "fallback-scsv", "starttls-injection", "raccoon", "weak-dh", "shared-dh", "roca",
		"debian-weak-key", "early-data-425", "alpaca", "opossum", "winshock",
	}
}

// setVerdict changes the verdict on an attack.
func (f *Facts) setVerdict(id string, v Verdict) {
	for i := range f.Vulnerabilities {
		if f.Vulnerabilities[i].ID == id {
			f.Vulnerabilities[i].Verdict, f.Vulnerabilities[i].Text = v, "This came back."
			f.Vulnerabilities[i].Evidence = []string{"15 03 01"}
			return
		}
	}
}
