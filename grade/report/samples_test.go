package report

import (
	"fmt"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

const guide = "SSL Labs Server Rating Guide 2009r"

func scanned() time.Time { return time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC) }

func suites(ids ...wire.CipherSuite) []grade.Suite {
	var list []grade.Suite
	for _, id := range ids {
		s := grade.Suite{ID: id, Name: id.String()}
		switch {
		case id>>8 == 0x13 || id>>8 == 0xc0 || id>>8 == 0xcc:
			s.Group = wire.GroupX25519
		case id == 0x0033 || id == 0x0014:
			s.DHBits = 1024
		case id == 0x0003:
			s.RSABits = 512
		}
		list = append(list, s)
	}
	return list
}

func protocol(v wire.Version, offered grade.Answer, order grade.Answer, ids ...wire.CipherSuite) grade.Protocol {
	name := v.String()
	if v == grade.VersionSSL20 {
		name = "SSL 2.0"
	}
	return grade.Protocol{Version: v, Name: name, Offered: offered, Order: order, Suites: suites(ids...), Complete: true}
}

func certificate(subject, issuer string, names ...string) grade.Certificate {
	return grade.Certificate{
		Subject: subject, Issuer: issuer, Serial: "4d1f09", Names: names, NotBefore: scanned().AddDate(0, 0, -30), NotAfter: scanned().AddDate(0, 0, 60),
		Key: "ECDSA P-256", KeyBits: 256, KeyStrength: 3072, Signature: "SHA256-RSA",
		SHA256: "5d1ab3f0c1e2a4968f77c0de5d1ab3f0c1e2a4968f77c0de5d1ab3f0c1e2a496", SPKI: "sha256/C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M=", DER: []byte{0x30, 0x03, 0x02, 0x01, 0x00},
	}
}

func goodChain(host string) grade.Chain {
	leaf, ca := certificate("CN="+host, "CN=Honest CA 3,O=Honest Trust", host, "www."+host), certificate("CN=Honest CA 3,O=Honest Trust", "CN=Honest Root,O=Honest Trust")
	ca.IsCA, ca.NotAfter, ca.Key, ca.KeyBits = true, scanned().AddDate(4, 0, 0), "RSA 4096 bits", 4096
	return grade.Chain{
		KeyType: "ECDSA", SNI: true, Seen: []wire.Version{wire.VersionTLS12, wire.VersionTLS13}, Sent: []grade.Certificate{leaf, ca},
		Checks:  []grade.CertCheck{{Check: "signatures", Outcome: "passed"}, {Check: "validity", Outcome: "passed"}, {Check: "trust", Outcome: "passed"}, {Check: "name", Outcome: "passed"}, {Check: "revocation", Outcome: "passed", Text: "an OCSP answer of 2026-11-20 says good"}},
		Trust:   []grade.StoreTrust{{Store: "system", Trusted: true}, {Store: "Java", Trusted: true}},
		Trusted: grade.Yes, Complete: grade.Yes, NameMatches: grade.Yes, Revoked: grade.No, CTPolicy: grade.Yes, CTReason: "2 SCTs of 2 operators",
		SCTs:   []grade.SCT{{Log: "Argon 2027h1", Source: "certificate", Time: scanned().AddDate(0, 0, -30), Valid: grade.Yes}, {Log: "Sycamore 2027h1", Source: "certificate", Time: scanned().AddDate(0, 0, -30), Valid: grade.Unknown, Reason: "the log is in no list of ours"}},
		Staple: &grade.Staple{Status: "good", Valid: true, ThisUpdate: scanned().AddDate(0, 0, -1), NextUpdate: scanned().AddDate(0, 0, 6)}, VerifiedAt: scanned(),
	}
}

func vulnerability(id, name string, v grade.Verdict, text string) grade.Vulnerability {
	return grade.Vulnerability{ID: id, Name: name, Verdict: v, Text: text}
}

func simulations(failing ...string) []grade.Simulation {
	var list []grade.Simulation
	for _, client := range []string{"Chrome 120", "Firefox 128 ESR", "Safari 17", "Java 8u161", "Java 17", "OpenSSL 1.0.2", "OpenSSL 3.0", "curl 7.88", "Android 4.4", "IE 11 on Windows 7"} {
		s := grade.Simulation{Client: client, Source: "documented", Reference: client[0] != 'J', OK: grade.Yes, Version: wire.VersionTLS13, Suite: 0x1302, SuiteName: "TLS_AES_256_GCM_SHA384",
			Group: wire.GroupX25519, GroupName: "x25519", KeyType: "ECDSA", ALPN: "h2"}
		for _, f := range failing {
			if f == client {
				s = grade.Simulation{Client: client, Source: "documented", OK: grade.No, Problem: "the server answers with handshake_failure"}
			}
		}
		list = append(list, s)
	}
	return list
}

// good is a modern nginx.
func good() Report {
	f := &grade.Facts{
		Schema: grade.FactsSchema, Tool: "tlswright 0.6", Host: "good.example", Port: 443, Address: "192.0.2.1", ServerName: "good.example", Time: scanned(), Seconds: 0.94, Connections: 87, Software: "nginx/1.22.1",
		Protocols: []grade.Protocol{
			protocol(grade.VersionSSL20, grade.No, ""), protocol(wire.VersionSSL30, grade.No, ""), protocol(wire.VersionTLS10, grade.No, ""), protocol(wire.VersionTLS11, grade.No, ""),
			protocol(wire.VersionTLS12, grade.Yes, grade.No, 0xc02b, 0xc02c, 0xcca9), protocol(wire.VersionTLS13, grade.Yes, grade.No, 0x1302, 0x1303, 0x1301),
		},
		Groups:     []grade.Group{{ID: wire.GroupX25519, Name: "x25519", Versions: []wire.Version{wire.VersionTLS12, wire.VersionTLS13}}, {ID: 0x0017, Name: "secp256r1", Versions: []wire.Version{wire.VersionTLS13}}},
		GroupOrder: grade.No, Schemes: []grade.Scheme{{ID: 0x0403, Name: "ecdsa_secp256r1_sha256", Versions: []wire.Version{wire.VersionTLS13}}}, Chains: []grade.Chain{goodChain("good.example")},
		Features: grade.Features{ExtendedMasterSecret: grade.Yes, SecureRenegotiation: grade.Yes, ClientRenegotiation: grade.No, Compression: grade.No, ALPN: []string{"h2", "http/1.1"}, SessionTickets: grade.Yes,
			Resumption13: grade.Yes, EarlyData: grade.No, Staple: grade.Yes, Heartbeat: grade.No, FallbackSCSV: grade.Yes, Tolerance: []grade.Tolerance{{Probe: "unknown extension", OK: grade.Yes}, {Probe: "TLS 1.4", OK: grade.Yes}}},
		Vulnerabilities: []grade.Vulnerability{
			vulnerability("heartbleed", "Heartbleed", grade.NotApplicable, "The heartbeat extension is not answered."), vulnerability("robot", "ROBOT", grade.NotApplicable, "No suite exchanges keys by RSA."),
			vulnerability("drown", "DROWN", grade.NotVulnerable, "A hello of SSL 2.0 was answered with an alert."), vulnerability("sweet32", "SWEET32", grade.NotApplicable, "No suite has blocks of 64 bits."),
		},
		Simulations: simulations(),
		HTTP: &grade.HTTP{Status: 200, URL: "https://good.example/", HSTS: grade.HSTS{Present: true, Raw: "max-age=63072000; includeSubDomains; preload", MaxAge: 63072000, SubDomains: true, Preload: true, Preloadble: grade.Yes},
			Headers: []grade.Header{{Name: "Server", Value: "nginx/1.22.1"}, {Name: "X-Content-Type-Options", Value: "nosniff"}}, Redirects: []grade.Redirect{{URL: "http://good.example/", Status: 301, To: "https://good.example/"}},
			PlainHTTP: grade.Yes, RedirectsToHTTPS: grade.Yes, Permanent: grade.Yes, Server: "nginx/1.22.1", Cookies: []grade.Cookie{{Name: "__Host-id", Secure: true, HTTPOnly: true, SameSite: "Lax", Prefix: "__Host-"}}},
		DNS: &grade.DNS{Authentic: grade.Yes, CAA: []grade.CAA{{Tag: "issue", Value: "honest.example"}}, CAAAt: "good.example", CAAAllows: grade.Yes, Addresses: []string{"192.0.2.1"}},
	}
	return Report{Facts: f, Result: &grade.Result{
		Schema: grade.FactsSchema, Rules: "2009r-1", Grade: "A+", GradeIgnoringTrust: "A+", Score: 96, Protocol: 100, KeyExchange: 90, Cipher: 97.5,
		Findings: []grade.Finding{
			{Rule: "server-version", Severity: grade.Info, Title: "The server tells its version", Reason: "The Server header names nginx/1.22.1, which saves an attacker a guess.", Evidence: []string{"Server: nginx/1.22.1"},
				Fix: &grade.Fix{Text: "Leave the version out.", Snippets: []grade.Snippet{{Server: "nginx", File: "/etc/nginx/nginx.conf, in http { }", Text: "server_tokens off;"}}}},
			{Rule: "hsts-good", Severity: grade.Good, Title: "HSTS for two years, fit for preloading", Reason: "Browsers will not speak plain HTTP with this host.", Reference: []string{"RFC 6797, Section 6.1"}},
		},
		Misconfigurations: []grade.Misconfiguration{{Number: 1, Name: "Expired certificate", Found: grade.No}, {Number: 2, Name: "Chain incomplete", Found: grade.No}, {Number: 8, Name: "Private key readable by others", Found: grade.Unasked}},
		Policies:          []grade.PolicyResult{{Policy: "mozilla-intermediate-6.0", Complies: grade.Yes}, {Policy: "mozilla-modern-6.0", Complies: grade.No, Failures: []string{"TLS 1.2 must not be offered."}}},
	}}
}

func nginxProtocols() []grade.Snippet {
	return []grade.Snippet{
		{Server: "OpenSSL", File: "/etc/ssl/openssl.cnf, in [system_default_sect]", Text: "MinProtocol = TLSv1.2"}, {Server: "nginx", File: "/etc/nginx/nginx.conf, in http { }", Text: "ssl_protocols TLSv1.2 TLSv1.3;"},
		{Server: "Apache", File: "/etc/apache2/mods-enabled/ssl.conf", Text: "SSLProtocol -all +TLSv1.2 +TLSv1.3"},
	}
}

// old is what a server of 2010 looks like: nearly everything is wrong.
func old() Report {
	r := good()
	f := r.Facts
	f.Host, f.ServerName, f.Address, f.Software, f.Connections, f.Seconds = "old.example", "old.example", "192.0.2.7", "Apache/2.2.22 (Debian)", 212, 3.1
	f.Protocols = []grade.Protocol{
		protocol(grade.VersionSSL20, grade.Yes, ""), protocol(wire.VersionSSL30, grade.Yes, grade.No, 0x0005, 0x000a, 0x0003), protocol(wire.VersionTLS10, grade.Yes, grade.No, 0xc014, 0x0033, 0x0035, 0x0005, 0x000a, 0x0003, 0x0034),
		protocol(wire.VersionTLS11, grade.Unknown, ""), protocol(wire.VersionTLS12, grade.No, ""), protocol(wire.VersionTLS13, grade.No, ""),
	}
	f.SSL2Kinds = []grade.Numbered{{ID: 0x010080, Name: "SSL_CK_RC4_128_WITH_MD5"}, {ID: 0x020080, Name: "SSL_CK_RC4_128_EXPORT40_WITH_MD5"}}
	f.DH = []grade.DH{{Bits: 1024, Prime: "ffffffffffffffffc90fdaa2", Generator: "02", Known: "RFC 2409 group 2", Safe: grade.Yes, Reused: grade.Yes}}
	f.Features.Compression, f.Features.SecureRenegotiation, f.Features.InsecureRenegotiation, f.Features.Heartbeat, f.Features.FallbackSCSV = grade.Yes, grade.No, grade.Yes, grade.Yes, grade.No
	f.Gaps = []grade.Gap{{Probe: "suites of TLS 1.1", Reason: "the server reset 3 connections in a row"}}
	f.Vulnerabilities = []grade.Vulnerability{
		{ID: "heartbleed", Name: "Heartbleed", Verdict: grade.Vulnerable, Text: "A heartbeat that claimed 16 bytes and held none was answered with 16 bytes of the server's memory.", Evidence: []string{"18 03 01 00 23 02 00 10 …"}, CVE: []string{"CVE-2014-0160"}, URL: "https://www.rfc-editor.org/rfc/rfc6520"},
		vulnerability("drown", "DROWN", grade.Vulnerable, "SSL 2.0 takes an export cipher with the same key."), vulnerability("poodle-ssl", "POODLE (SSL 3.0)", grade.Vulnerable, "SSL 3.0 takes a CBC suite."),
		vulnerability("lucky13", "LUCKY13", grade.Potential, "CBC suites are offered; whether their check takes the same time cannot be seen from here."), vulnerability("ticketbleed", "Ticketbleed", grade.Inconclusive, "The server hung up."),
		vulnerability("robot", "ROBOT", grade.NotVulnerable, "Eight malformed messages were all answered alike."),
	}
	f.Simulations = simulations("Chrome 120", "Firefox 128 ESR", "Safari 17", "OpenSSL 3.0", "curl 7.88")
	f.HTTP = &grade.HTTP{Status: 200, URL: "https://old.example/", PlainHTTP: grade.Yes, RedirectsToHTTPS: grade.No, Server: f.Software, Headers: []grade.Header{{Name: "Server", Value: f.Software}}, Cookies: []grade.Cookie{{Name: "PHPSESSID"}}}
	f.DNS = nil
	r.Result = oldResult()
	return r
}

func oldResult() *grade.Result {
	fix := &grade.Fix{Text: "Offer TLS 1.2 and TLS 1.3 alone.", Snippets: nginxProtocols()[2:]}
	fix.Snippets = append(fix.Snippets, nginxProtocols()[:2]...)
	ciphers := &grade.Fix{Text: "Offer suites with forward secrecy and AEAD alone.", Snippets: []grade.Snippet{{Server: "Apache", File: "/etc/apache2/mods-enabled/ssl.conf", Text: "SSLCipherSuite ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305\nSSLHonorCipherOrder off"}}}
	return &grade.Result{
		Schema: grade.FactsSchema, Rules: "2009r-1", Grade: "F", GradeIgnoringTrust: "F", Score: 0, Protocol: 45, KeyExchange: 40, Cipher: 60,
		Findings: []grade.Finding{
			{Rule: "F12", Severity: grade.Critical, Cap: "F", Title: "Heartbleed: the server gives away its memory", Reason: "A heartbeat that claimed more than it held was answered with memory of the server. Private key and passwords must be taken as known to others.",
				Evidence: []string{"18 03 01 00 23 02 00 10 …"}, Reference: []string{guide, "https://www.rfc-editor.org/rfc/rfc6520"}, Fix: &grade.Fix{Text: "Update OpenSSL, then replace key and certificate, and revoke the old one.", Snippets: []grade.Snippet{{Server: "OpenSSL", File: "shell", Text: "apt-get update && apt-get install --only-upgrade openssl libssl3"}}}},
			{Rule: "F1", Severity: grade.Critical, Cap: "F", Title: "SSL 2.0 is offered", Reason: "It has been broken since 1995, and it breaks the newer versions too where they share a key.", Evidence: []string{"SSL_CK_RC4_128_WITH_MD5"}, Reference: []string{guide, "RFC 6176, Section 3"}, Fix: fix, Misconfiguration: 3},
			{Rule: "F11", Severity: grade.Critical, Cap: "F", Title: "Export suites are offered", Reason: "Keys of 40 bits are found within minutes.", Evidence: []string{"TLS_RSA_EXPORT_WITH_RC4_40_MD5"}, Reference: []string{guide}, Fix: ciphers},
			{Rule: "C4", Severity: grade.High, Cap: "C", Title: "Neither TLS 1.2 nor TLS 1.3", Reason: "Today's browsers refuse to connect.", Reference: []string{guide, "RFC 8996, Section 4"}, Fix: fix},
			{Rule: "B7", Severity: grade.Medium, Cap: "B", Title: "TLS 1.0 is offered", Reason: "It was withdrawn in 2021.", Reference: []string{"RFC 8996, Section 4"}, Fix: fix},
			{Rule: "no-redirect", Severity: grade.Low, Title: "Plain HTTP is not led to HTTPS", Reason: "Who types the name alone stays in plain text.", Fix: &grade.Fix{Text: "Redirect all of port 80.", Snippets: []grade.Snippet{{Server: "Apache", File: "the virtual host of port 80", Text: "Redirect permanent / https://old.example/"}}}},
		},
		Missing:           []string{"Heartbleed must be gone", "only TLS 1.2 and TLS 1.3", "HSTS of half a year or more"},
		Misconfigurations: []grade.Misconfiguration{{Number: 1, Name: "Expired certificate", Found: grade.No}, {Number: 3, Name: "Old protocol versions", Found: grade.Yes, Text: "SSL 2.0, SSL 3.0, TLS 1.0", Fix: "Offer TLS 1.2 and TLS 1.3 alone."}},
		Policies:          []grade.PolicyResult{{Policy: "mozilla-old-5.7", Complies: grade.No, Failures: []string{"SSL 2.0 must not be offered.", "SSL 3.0 must not be offered."}, Uncertain: []string{"TLS 1.1 could not be asked about."}}},
		Incomplete:        []string{"the suites of TLS 1.1"},
	}
}

// untrusted is a server whose certificate comes from an unknown authority, and has run out.
func untrusted() Report {
	r := good()
	r.Facts.Host, r.Facts.ServerName, r.Facts.StartTLS, r.Facts.Port, r.Facts.HTTP, r.Facts.DNS, r.Facts.Software = "mail.example", "mail.example", "smtp", 25, nil, nil, "Postfix"
	c := goodChain("mail.example")
	c.Trusted, c.Complete, c.AIARepairs, c.Missing, c.Sent[0].NotAfter = grade.No, grade.No, grade.Yes, []string{"CN=Honest CA 3"}, scanned().AddDate(0, 0, -12)
	c.Sent, c.Staple, c.SCTs = c.Sent[:1], nil, nil
	c.Trust = []grade.StoreTrust{{Store: "system", Reason: "expired"}, {Store: "own CA", Reason: "unknown root"}}
	c.Checks[1] = grade.CertCheck{Check: "validity", Outcome: "failed", Text: "it ran out on 2026-11-08, 12 days ago", Hint: "renew it", Section: "RFC 5280, Section 4.1.2.5", Reason: "expired"}
	r.Facts.Chains = []grade.Chain{c}
	r.Result.Grade, r.Result.GradeIgnoringTrust = "T", "A"
	r.Result.Findings = []grade.Finding{
		{Rule: "T2", Severity: grade.Critical, Cap: "T", Title: "The certificate has expired", Reason: "It ran out on 2026-11-08, 12 days ago. Clients that verify refuse it.", Evidence: []string{"notAfter 2026-11-08 09:30 UTC"}, Reference: []string{"RFC 5280, Section 4.1.2.5"}, Fix: &grade.Fix{Text: "Renew it, and let a timer do so from now on.", Snippets: []grade.Snippet{{Server: "Go", File: "main.go", Text: "m := &autocert.Manager{\n\tPrompt: autocert.AcceptTOS,\n}"}}}},
		{Rule: "B3", Severity: grade.Medium, Cap: "B", Title: "The chain is incomplete", Reason: "CN=Honest CA 3 is missing.", Fix: &grade.Fix{Text: "Serve the intermediate certificate, too."}},
	}
	r.Result.Missing = []string{"a certificate that is valid today"}
	return r
}

// mismatch is a server whose certificate is for another name.
func mismatch() Report {
	r := good()
	r.Facts.Host, r.Facts.ServerName = "wrong.example", "wrong.example"
	r.Facts.Chains[0].NameMatches, r.Facts.Chains[0].Suggestion = grade.No, "good.example"
	r.Result.Grade, r.Result.Mismatch = "M", true
	r.Result.Findings = append([]grade.Finding{{Rule: "M1", Severity: grade.Critical, Cap: "M", Title: "The certificate is for another name", Reason: "It is valid for good.example and www.good.example, not for wrong.example.", Evidence: []string{"DNS:good.example"}, Reference: []string{"RFC 9525, Section 6.3"},
		Fix: &grade.Fix{Text: "Get a certificate with wrong.example among its names."}}}, r.Result.Findings...)
	return r
}

func unreachable() Report {
	return Report{Facts: &grade.Facts{Schema: grade.FactsSchema, Host: "2001:db8::dead", Port: 8443, Address: "2001:db8::dead", Time: scanned(), Seconds: 5, Connections: 1, Unreachable: "connection refused"},
		Result: &grade.Result{Schema: grade.FactsSchema, Rules: "2009r-1", Incomplete: []string{"everything"}, Findings: []grade.Finding{{Rule: "unreachable", Severity: grade.Info, Title: "There is nothing to judge"}}}}
}

// fleet is fifty servers of all kinds.
func fleet() []Report {
	kinds := []func() Report{good, good, old, good, mismatch, good, untrusted, good, good, unreachable}
	var reports []Report
	for i := range 50 {
		r := kinds[i%len(kinds)]()
		r.Facts.Host, r.Facts.Address = fmt.Sprintf("host-%02d.example", i), fmt.Sprintf("192.0.2.%d", i+1)
		r.Facts.ServerName = r.Facts.Host
		if i%9 == 0 && r.Result != nil && r.Result.Grade == "A+" {
			r.Result.Grade, r.Result.GradeIgnoringTrust = "A", "A"
			r.Result.Findings = append([]grade.Finding{{Rule: "hsts-missing", Severity: grade.Low, Title: "No HSTS", Reason: "A first visit may go by plain HTTP.", Cap: "A", Fix: &grade.Fix{Text: "Send Strict-Transport-Security.", Snippets: []grade.Snippet{{Server: "nginx", File: "/etc/nginx/nginx.conf, in server { }", Text: `add_header Strict-Transport-Security "max-age=63072000" always;`}}}}}, r.Result.Findings...)
		}
		reports = append(reports, r)
	}
	return reports
}

// files are what --files looked at.
func files() Report {
	return Report{
		Files:  []grade.FileFact{{Path: "/etc/ssl/private/site.key", Kind: "private key", Mode: "0644", Owner: "root", Group: "root", Problems: []string{"everybody may read it"}, Key: "RSA 2048 bits"}, {Path: "/etc/pins.txt", Kind: "pin set", Mode: "0644", Owner: "root", Group: "root", Pins: 1, Backup: grade.No}},
		Result: &grade.Result{Schema: grade.FactsSchema, Rules: "2009r-1", Findings: []grade.Finding{{Rule: "key-readable", Severity: grade.Critical, Title: "A private key is open to everybody", Reason: "/etc/ssl/private/site.key has the mode 0644.", Evidence: []string{"/etc/ssl/private/site.key 0644 root:root"}, Misconfiguration: 8, Fix: &grade.Fix{Text: "Take the rights away, then replace the key.", Snippets: []grade.Snippet{{Server: "shell", File: "", Text: "chmod 0600 /etc/ssl/private/site.key"}}}}}},
	}
}

// samples are the reports that golden files are made of.
func samples() map[string][]Report {
	v6 := good()
	v6.Facts.Address = "2001:db8::1"
	return map[string][]Report{
		"good": {good()}, "old": {old()}, "untrusted": {untrusted()}, "mismatch": {mismatch()}, "unreachable": {unreachable()}, "addresses": {good(), v6}, "files": {files()}, "fleet": fleet(),
	}
}
