package grade

import (
	"time"

	"github.com/tlswright/tlswright/wire"
)

// ruleCase is a server for which a rule fires, and one that comes near without it; each as a change to the good server.
type ruleCase struct {
	fires, silent func(*Facts)
}

func unchanged(*Facts) {}

// verdictCase is the case of a rule about a single verdict.
func verdictCase(id string) ruleCase {
	return ruleCase{
		fires:  func(f *Facts) { f.setVerdict(id, Vulnerable) },
		silent: func(f *Facts) { f.setVerdict(id, Inconclusive) },
	}
}

// addSuite adds a suite to a version.
func addSuite(v wire.Version, s Suite) func(*Facts) {
	return func(f *Facts) {
		p := f.Protocol(v)
		p.Suites = append(p.Suites, s)
	}
}

func without13(f *Facts) {
	f.setProtocol(refused(wire.VersionTLS13))
	f.Simulations = []Simulation{simulated("Java 8u31", wire.VersionTLS12, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)}
}

// setHeader sets or, with an empty value, removes a header.
func setHeader(name, value string) func(*Facts) {
	return func(f *Facts) {
		var kept []Header
		for _, h := range f.HTTP.Headers {
			if h.Name != name {
				kept = append(kept, h)
			}
		}
		if value != "" {
			kept = append(kept, Header{name, value})
		}
		f.HTTP.Headers = kept
	}
}

// certificateOf gives the leaf a span of life around the scan.
func certificateOf(before, after time.Duration) func(*Facts) {
	return func(f *Facts) { f.leaf().NotBefore, f.leaf().NotAfter = scanTime.Add(-before), scanTime.Add(after) }
}

func withDH(dh DH) func(*Facts) { return func(f *Facts) { f.DH = []DH{dh} } }

func cookie(c Cookie) func(*Facts) { return func(f *Facts) { f.HTTP.Cookies = []Cookie{c} } }

// ruleCases holds the cases of every rule.
func ruleCases() map[string]ruleCase {
	all := make(map[string]ruleCase)
	for _, part := range []map[string]ruleCase{trustCases(), chainCases(), protocolCases(), suiteCases(), exchangeCases(), verdictCases(), featureCases(), httpCases(), headerCases(), dnsCases(), goodCases()} {
		for id, c := range part {
			all[id] = c
		}
	}
	return all
}

func trustCases() map[string]ruleCase {
	return map[string]ruleCase{
		"T-revoked": {
			fires:  func(f *Facts) { f.chain().Revoked, f.chain().Revocation = Yes, []string{"the CRL says so"} },
			silent: func(f *Facts) { f.chain().Staple = &Staple{Status: "revoked", Valid: false} }},
		"T-expired":       {fires: certificateOf(90*oneDay, -time.Second), silent: certificateOf(90*oneDay, time.Second)},
		"T-not-yet-valid": {fires: certificateOf(-time.Second, 90*oneDay), silent: certificateOf(time.Second, 89*oneDay)},
		"T-self-signed": {
			fires:  func(f *Facts) { f.chain().SelfSigned, f.chain().Trusted = true, No },
			silent: func(f *Facts) { f.chain().SelfSigned, f.chain().Trusted = true, Yes }},
		"T-untrusted": {
			fires:  func(f *Facts) { f.chain().Trusted = No },
			silent: func(f *Facts) { f.chain().Trusted = Unknown }},
		"T-sha1": {
			fires:  func(f *Facts) { f.leaf().Signature = "SHA1-RSA" },
			silent: func(f *Facts) { f.leaf().Signature = "SHA1024-RSA" }},
		"T-invalid": {
			fires: func(f *Facts) {
				f.chain().Checks = []CertCheck{{Check: "usage", Outcome: "failed", Reason: "wrong usage", Text: "not for servers"}}
			},
			silent: func(f *Facts) {
				f.chain().Checks = []CertCheck{{Check: "name", Outcome: "failed", Reason: "name mismatch", Text: "another name"}}
			}},
		"M-name": {
			fires:  func(f *Facts) { f.chain().NameMatches = No },
			silent: func(f *Facts) { f.chain().NameMatches = Unknown }},
		"F4": {
			fires:  func(f *Facts) { f.chain().Sent[1].Signature = "MD5-RSA" },
			silent: func(f *Facts) { f.chain().Sent[1].Signature, f.chain().Sent[1].IsSelfSigned = "MD5-RSA", true }},
		"F9": {
			fires:  func(f *Facts) { f.leaf().Exponent = "1" },
			silent: func(f *Facts) { f.leaf().Exponent = "3" }},
		"weak-key-known": {
			fires:  func(f *Facts) { f.leaf().WeakKey = "ROCA (CVE-2017-15361)" },
			silent: func(f *Facts) { f.setVerdict("roca", Inconclusive) }},
		"expires-7":  {fires: certificateOf(84*oneDay, 6*oneDay), silent: certificateOf(oneDay, 6*oneDay)},
		"expires-30": {fires: certificateOf(61*oneDay, 29*oneDay), silent: certificateOf(59*oneDay, 31*oneDay)},
		"lifetime":   {fires: certificateOf(10*oneDay, 191*oneDay), silent: certificateOf(10*oneDay, 190*oneDay)},
		"wildcard": {
			fires:  func(f *Facts) { f.leaf().Wildcard = []string{"*.example.org"} },
			silent: func(f *Facts) { f.leaf().Names = []string{"a.example.org", "b.example.org"} }},
		"key-shared": {fires: func(f *Facts) { f.chain().SharedWith = []string{"mail.example.org:25"} }, silent: unchanged},
		"certificate-lint": {
			fires:  func(f *Facts) { f.chain().Lint = []Lint{{Name: "x", Severity: "error", Text: "bad"}} },
			silent: func(f *Facts) { f.chain().Lint = []Lint{{Name: "x", Severity: "notice", Text: "odd"}} }},
		"certificate-unreadable": {fires: func(f *Facts) { f.leaf().Unreadable = "not DER" }, silent: unchanged},
		"sni-splits": {
			fires:  func(f *Facts) { f.Features.SNISplits = Yes },
			silent: func(f *Facts) { f.Features.SNISplits = Unknown }},
	}
}

func chainCases() map[string]ruleCase {
	return map[string]ruleCase{
		"B3": {
			fires:  func(f *Facts) { f.chain().Complete = No },
			silent: func(f *Facts) { f.chain().Complete = Unknown }},
		"chain-aia": {
			fires:  func(f *Facts) { f.chain().Complete, f.chain().AIARepairs = No, Yes },
			silent: func(f *Facts) { f.chain().Complete, f.chain().AIARepairs = No, No }},
		"chain-order":   {fires: func(f *Facts) { f.chain().OutOfOrder = true }, silent: unchanged},
		"chain-surplus": {fires: func(f *Facts) { f.chain().Surplus = []string{"CN=Other"} }, silent: unchanged},
		"root-sent":     {fires: func(f *Facts) { f.chain().RootSent = true }, silent: unchanged},
		"trust-differs": {
			fires:  func(f *Facts) { f.chain().Trust = append(f.chain().Trust, StoreTrust{Store: "Java"}) },
			silent: func(f *Facts) { f.chain().Trust = append(f.chain().Trust, StoreTrust{Store: "own CA", Own: true}) }},
		"trust-own": {
			fires: func(f *Facts) {
				f.chain().Trust = []StoreTrust{{Store: "system"}, {Store: "own CA", Own: true, Trusted: true}}
			},
			silent: func(f *Facts) {
				f.chain().Trust = []StoreTrust{{Store: "system", Trusted: true}, {Store: "own CA", Own: true, Trusted: true}}
			}},
		"chain-unknown": {
			fires: func(f *Facts) {
				f.chain().Sent, f.chain().Complete, f.chain().Trusted = f.chain().Sent[:1], Unknown, No
			},
			silent: func(f *Facts) { f.chain().Complete, f.chain().Trusted = Unknown, No }},
		"staple-bad": {
			fires:  func(f *Facts) { f.chain().Staple = &Staple{Status: "good", Reason: "too old"} },
			silent: func(f *Facts) { f.chain().Staple = &Staple{Status: "good", Valid: true} }},
		"must-staple": {
			fires:  func(f *Facts) { f.leaf().MustStaple = true },
			silent: func(f *Facts) { f.leaf().MustStaple, f.Features.Staple = true, Unknown }},
		"staple-missing": {
			fires:  func(f *Facts) { f.leaf().OCSP = []string{"http://ocsp.example.net"} },
			silent: func(f *Facts) { f.Features.Staple, f.leaf().OCSP = Yes, []string{"http://ocsp.example.net"} }},
		"ct-policy": {
			fires:  func(f *Facts) { f.chain().CTPolicy = No },
			silent: func(f *Facts) { f.chain().CTPolicy = Unasked }},
		"sct-invalid": {
			fires:  func(f *Facts) { f.chain().SCTs = []SCT{{Log: "a", Source: "certificate", Valid: No}} },
			silent: func(f *Facts) { f.chain().SCTs = []SCT{{Log: "a", Source: "certificate", Valid: Unknown}} }},
	}
}

func protocolCases() map[string]ruleCase {
	old := func(v wire.Version) func(*Facts) {
		return func(f *Facts) { f.setProtocol(offered(v, wire.TLS_RSA_WITH_AES_128_CBC_SHA)) }
	}
	unknown := func(v wire.Version) func(*Facts) {
		return func(f *Facts) { f.setProtocol(Protocol{Version: v, Offered: Unknown}) }
	}
	only := func(v wire.Version) func(*Facts) {
		return func(f *Facts) {
			for i := range f.Protocols {
				f.setProtocol(refused(f.Protocols[i].Version))
			}
			old(v)(f)
			f.Simulations = nil
		}
	}
	return map[string]ruleCase{
		"F1":  {fires: func(f *Facts) { f.setProtocol(Protocol{Version: VersionSSL20, Offered: Yes}) }, silent: unknown(VersionSSL20)},
		"F6":  {fires: only(wire.VersionSSL30), silent: old(wire.VersionSSL30)},
		"C4":  {fires: only(wire.VersionTLS11), silent: func(f *Facts) { only(wire.VersionTLS11)(f); unknown(wire.VersionTLS13)(f) }},
		"B1":  {fires: old(wire.VersionSSL30), silent: unknown(wire.VersionSSL30)},
		"B7":  {fires: old(wire.VersionTLS11), silent: unknown(wire.VersionTLS11)},
		"A-2": {fires: without13, silent: unknown(wire.VersionTLS13)},
		"downgrade-signal": {
			fires:  func(f *Facts) { f.Features.DowngradeSignals = No },
			silent: func(f *Facts) { f.Features.DowngradeSignals = No; without13(f) }},
		"fallback-scsv": {fires: func(f *Facts) { f.Features.FallbackSCSV = No }, silent: func(f *Facts) { f.Features.FallbackSCSV = Unknown }},
		"intolerance": {
			fires: func(f *Facts) {
				f.Features.Tolerance = []Tolerance{{Probe: "unknown extension", OK: No, Text: "closed"}}
			},
			silent: func(f *Facts) { f.Features.Tolerance = []Tolerance{{Probe: "unknown extension", OK: Unknown}} }},
		"unreachable": {
			fires:  func(f *Facts) { f.Protocols, f.Unreachable = nil, "connection refused" },
			silent: unchanged},
		"starttls-scope": {fires: func(f *Facts) { f.StartTLS = "smtp" }, silent: unchanged},
		"client-auth":    {fires: func(f *Facts) { f.Features.ClientAuth = Yes }, silent: func(f *Facts) { f.Features.ClientAuth = No }},
		"incomplete":     {fires: func(f *Facts) { f.Gaps = []Gap{{Probe: "suites of TLS 1.2", Reason: "reset"}} }, silent: unchanged},
	}
}

func suiteCases() map[string]ruleCase {
	tls12 := wire.VersionTLS12
	rc4 := Suite{ID: wire.TLS_RSA_WITH_RC4_128_SHA}
	des := Suite{ID: wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
	sole := func(ids ...wire.CipherSuite) func(*Facts) {
		return func(f *Facts) {
			f.setProtocol(refused(wire.VersionTLS13))
			f.setProtocol(offered(tls12, ids...))
			f.Simulations = nil
		}
	}
	agreed := func(id wire.CipherSuite) func(*Facts) {
		return func(f *Facts) { f.Simulations = append(f.Simulations, simulated("Safari 9", tls12, id)) }
	}
	stranger := func(id wire.CipherSuite) func(*Facts) {
		return func(f *Facts) { agreed(id)(f); f.Simulations[len(f.Simulations)-1].Reference = false }
	}
	return map[string]ruleCase{
		"F13": {fires: addSuite(tls12, Suite{ID: wire.TLS_DH_anon_WITH_AES_128_GCM_SHA256}), silent: addSuite(tls12, des)},
		"F11": {fires: addSuite(tls12, Suite{ID: wire.TLS_RSA_WITH_DES_CBC_SHA}), silent: addSuite(tls12, des)},
		"F7":  {fires: sole(wire.TLS_RSA_WITH_RC4_128_SHA), silent: sole(wire.TLS_RSA_WITH_RC4_128_SHA, wire.TLS_RSA_WITH_AES_128_CBC_SHA)},
		"C1": {
			fires:  func(f *Facts) { f.setProtocol(offered(wire.VersionSSL30, wire.TLS_RSA_WITH_AES_128_CBC_SHA)) },
			silent: func(f *Facts) { f.setProtocol(offered(wire.VersionSSL30, wire.TLS_RSA_WITH_RC4_128_SHA)) }},
		"C3": {fires: sole(wire.TLS_RSA_WITH_RC4_128_SHA, wire.TLS_RSA_WITH_AES_128_CBC_SHA), silent: addSuite(tls12, rc4)},
		"C5": {fires: agreed(wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA), silent: stranger(wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA)},
		"B2": {fires: addSuite(tls12, rc4), silent: addSuite(tls12, des)},
		"B5": {fires: agreed(wire.TLS_RSA_WITH_AES_128_GCM_SHA256), silent: stranger(wire.TLS_RSA_WITH_AES_128_GCM_SHA256)},
		"B6": {
			fires: func(f *Facts) {
				sole(wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)(f)
				agreed(wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA)(f)
				f.setProtocol(offered(wire.VersionTLS13, wire.TLS_AES_128_GCM_SHA256))
			},
			silent: func(f *Facts) { // Internet Explorer 11 on Windows 7 lacks ECDHE with RSA and GCM
				addSuite(tls12, Suite{ID: wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA})(f)
				agreed(wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA)(f)
			}},
		"weak-suites": {fires: addSuite(tls12, des), silent: addSuite(tls12, Suite{ID: wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256})},
		"server-order": {
			fires:  func(f *Facts) { addSuite(tls12, des)(f); f.Protocol(tls12).Order = No },
			silent: addSuite(tls12, des)},
		"suite-order": {
			fires:  sole(wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
			silent: sole(wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_128_CBC_SHA)},
	}
}

func exchangeCases() map[string]ruleCase {
	key := func(bits int) func(*Facts) {
		return func(f *Facts) { f.leaf().KeyStrength, f.leaf().KeyBits = bits, bits }
	}
	curve := func(bits, strength int) func(*Facts) {
		return func(f *Facts) {
			f.chain().KeyType, f.leaf().KeyBits, f.leaf().KeyStrength, f.leaf().Key = "ECDSA", bits, strength, "ECDSA"
		}
	}
	groups := func(list ...wire.Group) func(*Facts) {
		return func(f *Facts) {
			f.Groups = nil
			for _, g := range list {
				f.Groups = append(f.Groups, Group{ID: g, Name: g.String(), Versions: []wire.Version{wire.VersionTLS13}})
			}
		}
	}
	return map[string]ruleCase{
		"F3":               {fires: key(1023), silent: key(1024)},
		"B4":               {fires: withDH(DH{Bits: 2047}), silent: withDH(DH{Bits: 2048})},
		"dh-composite":     {fires: withDH(DH{Bits: 2048, Prime: "15", Composite: true}), silent: withDH(DH{Bits: 2048, Safe: Yes})},
		"ecdsa-short":      {fires: curve(224, 2048), silent: curve(256, 3072)},
		"issuer-key-short": {fires: func(f *Facts) { f.chain().Sent[1].KeyStrength = 1024 }, silent: unchanged},
		"weak-group":       {fires: groups(wire.GroupX25519, wire.GroupSecp192r1), silent: groups(wire.GroupX25519, wire.GroupSecp224r1)},
		"dh-prime-unsafe":  {fires: withDH(DH{Bits: 2048, Safe: No}), silent: withDH(DH{Bits: 2048, Safe: Unknown})},
		"dh-common":        {fires: withDH(DH{Bits: 2048, Known: "ffdhe2048"}), silent: withDH(DH{Bits: 2048})},
		"dh-reuse":         {fires: withDH(DH{Bits: 2048, Reused: Yes}), silent: withDH(DH{Bits: 2048, Reused: Unknown})},
		"ecdh-reuse":       {fires: func(f *Facts) { f.Features.ECDHReuse = Yes }, silent: func(f *Facts) { f.Features.ECDHReuse = No }},
		"no-pq":            {fires: groups(wire.GroupX25519), silent: groups(wire.GroupX25519, wire.GroupSecp256r1MLKEM768)},
	}
}

func verdictCases() map[string]ruleCase {
	cases := map[string]ruleCase{
		"F2": {
			fires:  func(f *Facts) { f.Features.InsecureRenegotiation = Yes },
			silent: func(f *Facts) { f.Features.InsecureRenegotiation, f.Features.ClientRenegotiation = No, Yes }},
		"C2": {
			fires:  func(f *Facts) { f.Features.Compression, f.Features.CompressionMethods = Yes, []int{1, 64, 0, 7} },
			silent: func(f *Facts) { f.Features.Compression = Unknown }},
	}
	for rule, id := range map[string]string{
		"F12-heartbleed": "heartbleed", "F12-ccs-injection": "ccs-injection", "F12-ticketbleed": "ticketbleed", "F12-freak": "freak", "F8": "drown",
		"F10": "cve-2016-2107", "F14": "robot", "starttls-injection": "starttls-injection", "winshock": "winshock", "opossum": "opossum",
		"logjam": "logjam", "sweet32": "sweet32", "beast": "beast", "lucky13": "lucky13", "breach": "breach", "raccoon": "raccoon", "weak-dh": "weak-dh",
		"alpaca": "alpaca", "F5": "poodle-tls", "F15-zombie-poodle": "zombie-poodle", "F15-goldendoodle": "goldendoodle",
		"F15-sleeping-poodle": "sleeping-poodle", "F15-zero-length": "zero-length",
	} {
		cases[rule] = verdictCase(id)
	}
	return cases
}

func featureCases() map[string]ruleCase {
	return map[string]ruleCase{
		"A-1": {
			fires:  func(f *Facts) { f.Features.SecureRenegotiation = No },
			silent: func(f *Facts) { f.Features.SecureRenegotiation = No; f.setProtocol(refused(wire.VersionTLS12)) }},
		"client-renegotiation": {fires: func(f *Facts) { f.Features.ClientRenegotiation = Yes }, silent: func(f *Facts) { f.Features.ClientRenegotiation = Unknown }},
		"early-data-425":       verdictCase("early-data-425"),
		"no-resumption": {
			fires: func(f *Facts) { f.Features.SessionIDs, f.Features.SessionTickets, f.Features.Resumption13 = No, No, No },
			silent: func(f *Facts) {
				f.Features.SessionIDs, f.Features.SessionTickets, f.Features.Resumption13 = No, No, Unknown
			}},
		"ticket-lifetime": {
			fires:  func(f *Facts) { f.Features.TicketLifetime13 = maxTicket13 + 1 },
			silent: func(f *Facts) { f.Features.TicketLifetime13, f.Features.TicketLifetime = maxTicket13, maxTicket12 }},
		"ems-missing": {
			fires:  func(f *Facts) { f.Features.ExtendedMasterSecret = No },
			silent: func(f *Facts) { f.Features.ExtendedMasterSecret = Unknown }},
		"truncated-hmac": {fires: func(f *Facts) { f.Features.TruncatedHMAC = Yes }, silent: func(f *Facts) { f.Features.TruncatedHMAC = No }},
		"heartbeat":      {fires: func(f *Facts) { f.Features.Heartbeat = Yes }, silent: unchanged},
		"npn":            {fires: func(f *Facts) { f.Features.NextProtocol = Yes }, silent: func(f *Facts) { f.Features.NextProtocol = No }},
		"no-http2":       {fires: func(f *Facts) { f.Features.ALPN = []string{"http/1.1"} }, silent: func(f *Facts) { f.Features.ALPN = nil }},
	}
}

func httpCases() map[string]ruleCase {
	hsts := func(h HSTS) func(*Facts) { return func(f *Facts) { f.HTTP.HSTS = h } }
	return map[string]ruleCase{
		"A-3":         {fires: hsts(HSTS{Present: true, Raw: "max-age=0"}), silent: hsts(HSTS{Present: true, Raw: "max-age=1", MaxAge: 1})},
		"hsts-absent": {fires: hsts(HSTS{}), silent: func(f *Facts) { f.HTTP = nil }},
		"hsts-short":  {fires: hsts(HSTS{Present: true, MaxAge: halfYear - 1}), silent: hsts(HSTS{Present: true, MaxAge: halfYear})},
		"hsts-unseen": {fires: func(f *Facts) { f.HTTP = nil }, silent: func(f *Facts) { f.HTTP, f.StartTLS = nil, "smtp" }},
		"hsts-preload": {
			fires:  hsts(HSTS{Present: true, MaxAge: 63072000, Preload: true, Preloadble: No, Unfit: []string{"includeSubDomains is missing"}}),
			silent: hsts(HSTS{Present: true, MaxAge: 63072000, Preloadble: No})},
		"redirect-missing": {fires: func(f *Facts) { f.HTTP.RedirectsToHTTPS = No }, silent: func(f *Facts) { f.HTTP.PlainHTTP, f.HTTP.RedirectsToHTTPS = No, No }},
		"redirect-downgrade": {
			fires: func(f *Facts) {
				f.HTTP.LeadsToHTTP, f.HTTP.Followed = Yes, []Redirect{{URL: "https://www.example.org/", Status: 301, To: "http://www.example.org/a"}}
			},
			silent: func(f *Facts) { f.HTTP.LeadsToHTTP = No }},
		"redirect-temporary": {
			fires:  func(f *Facts) { f.HTTP.Permanent, f.HTTP.Redirects[0].Status = No, 302 },
			silent: func(f *Facts) { f.HTTP.Redirects[0].Status = 308 }},
		"redirect-detour": {
			fires: func(f *Facts) {
				f.HTTP.Redirects = append(f.HTTP.Redirects, Redirect{URL: "http://example.org/", Status: 301})
			},
			silent: func(f *Facts) {
				f.HTTP.Redirects = append(f.HTTP.Redirects, Redirect{URL: "https://example.org/", Status: 200})
			}},
		"hsts-plain": {
			fires:  func(f *Facts) { f.HTTP.Redirects[0].HSTS = true },
			silent: func(f *Facts) { f.HTTP.Redirects[0].HSTS, f.HTTP.Redirects[0].URL = true, "https://www.example.org/" }},
		"cookie-secure": {
			fires:  cookie(Cookie{Name: "a", HTTPOnly: true, SameSite: "Lax"}),
			silent: cookie(Cookie{Name: "a", Secure: true, HTTPOnly: true, SameSite: "Lax"})},
		"cookie-httponly": {
			fires:  cookie(Cookie{Name: "a", Secure: true, SameSite: "Lax"}),
			silent: cookie(Cookie{Name: "a", Secure: true, HTTPOnly: true, SameSite: "Lax"})},
		"cookie-samesite": {
			fires:  cookie(Cookie{Name: "a", Secure: true, HTTPOnly: true}),
			silent: cookie(Cookie{Name: "a", Secure: true, HTTPOnly: true, SameSite: "None"})},
		"cookie-prefix": {
			fires:  cookie(Cookie{Name: "__Host-a", HTTPOnly: true, SameSite: "Lax"}),
			silent: cookie(Cookie{Name: "__Host-a", Secure: true, HTTPOnly: true, SameSite: "Lax"})},
	}
}

func headerCases() map[string]ruleCase {
	return map[string]ruleCase{
		"header-csp": {fires: setHeader("Content-Security-Policy", ""), silent: unchanged},
		"header-csp-weak": {
			fires:  setHeader("Content-Security-Policy", "default-src 'self'; script-src 'self' 'unsafe-inline'"),
			silent: setHeader("Content-Security-Policy", "default-src 'self'; script-src 'nonce-x' 'unsafe-inline'")},
		"header-nosniff": {fires: setHeader("X-Content-Type-Options", "sniff"), silent: setHeader("X-Content-Type-Options", "NoSniff")},
		"header-frame": {
			fires: setHeader("X-Frame-Options", "ALLOW-FROM https://a.example"),
			silent: func(f *Facts) {
				setHeader("X-Frame-Options", "")(f)
				setHeader("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")(f)
			}},
		"header-referrer":    {fires: setHeader("Referrer-Policy", ""), silent: unchanged},
		"header-permissions": {fires: setHeader("Permissions-Policy", ""), silent: unchanged},
		"header-xss":         {fires: setHeader("X-XSS-Protection", "1; mode=block"), silent: setHeader("X-XSS-Protection", "0")},
		"hpkp-invalid": {
			fires:  setHeader("Public-Key-Pins", `pin-sha256="a"; max-age=1`),
			silent: setHeader("Public-Key-Pins", `pin-sha256="a"; pin-sha256="b"; max-age=1`)},
		"header-hpkp": {fires: setHeader("Public-Key-Pins", `pin-sha256="a"; pin-sha256="b"; max-age=1`), silent: setHeader("Public-Key-Pins-Report-Only", "x")},
		"header-twice": {
			fires:  func(f *Facts) { f.HTTP.Headers = append(f.HTTP.Headers, Header{"x-frame-options", "SAMEORIGIN"}) },
			silent: func(f *Facts) { f.HTTP.Headers = append(f.HTTP.Headers, Header{"x-frame-options", "DENY"}) }},
		"header-version": {fires: setHeader("Server", "nginx/1.22.1"), silent: setHeader("Server", "nginx")},
	}
}

func dnsCases() map[string]ruleCase {
	tlsa := func(authentic Answer, matches ...Answer) func(*Facts) {
		return func(f *Facts) {
			f.DNS.Authentic = authentic
			for _, m := range matches {
				f.DNS.TLSA = append(f.DNS.TLSA, TLSA{Record: "3 1 1 00", Matches: m})
			}
		}
	}
	return map[string]ruleCase{
		"caa-forbids":   {fires: func(f *Facts) { f.DNS.CAAAllows = No }, silent: func(f *Facts) { f.DNS.CAAAllows = Unknown }},
		"caa-absent":    {fires: func(f *Facts) { f.DNS = &DNS{} }, silent: func(f *Facts) { f.DNS, f.Gaps = &DNS{}, []Gap{{Probe: "CAA records", Reason: "time-out"}} }},
		"tlsa-mismatch": {fires: tlsa(Yes, No), silent: tlsa(Yes, No, Yes)},
		"tlsa-unsigned": {fires: tlsa(No, Yes), silent: tlsa(Unknown, Yes)},
		"mta-sts":       {fires: func(f *Facts) { f.DNS.MTASTS = "testing" }, silent: func(f *Facts) { f.DNS.MTASTS = "announced" }},
	}
}

func goodCases() map[string]ruleCase {
	return map[string]ruleCase{
		"good-versions":        {fires: unchanged, silent: func(f *Facts) { f.setProtocol(Protocol{Version: wire.VersionTLS10, Offered: Unknown}) }},
		"good-tls13":           {fires: unchanged, silent: without13},
		"good-suites":          {fires: unchanged, silent: func(f *Facts) { f.Protocol(wire.VersionTLS12).Complete = false }},
		"good-pq":              {fires: unchanged, silent: func(f *Facts) { f.Groups = f.Groups[1:] }},
		"good-key":             {fires: func(f *Facts) { f.leaf().KeyStrength = 3072 }, silent: unchanged},
		"good-trust":           {fires: unchanged, silent: func(f *Facts) { f.chain().Complete = Unknown }},
		"good-lifetime":        {fires: unchanged, silent: certificateOf(0, 101*oneDay)},
		"good-vulnerabilities": {fires: unchanged, silent: func(f *Facts) { f.setVerdict("robot", Inconclusive) }},
		"good-staple": {
			fires:  func(f *Facts) { f.chain().Staple = &Staple{Status: "good", Valid: true} },
			silent: func(f *Facts) { f.chain().Staple = &Staple{Status: "good"} }},
		"good-ct":       {fires: unchanged, silent: func(f *Facts) { f.chain().CTPolicy = Unasked }},
		"good-hsts":     {fires: unchanged, silent: func(f *Facts) { f.HTTP.HSTS.MaxAge = halfYear - 1 }},
		"good-redirect": {fires: unchanged, silent: func(f *Facts) { f.HTTP.Permanent = No }},
		"good-caa":      {fires: unchanged, silent: func(f *Facts) { f.DNS.CAAAllows = Unknown }},
		"good-dane": {
			fires:  func(f *Facts) { f.DNS.Authentic, f.DNS.TLSA = Yes, []TLSA{{Record: "3 1 1 00", Matches: Yes}} },
			silent: func(f *Facts) { f.DNS.Authentic, f.DNS.TLSA = No, []TLSA{{Record: "3 1 1 00", Matches: Yes}} }},
		"good-ech":    {fires: func(f *Facts) { f.DNS.ECH = true }, silent: unchanged},
		"good-strict": {fires: func(f *Facts) { f.Features.StrictSNI = Yes }, silent: unchanged},
		"good-resumption": {fires: unchanged, silent: func(f *Facts) {
			f.Features.SessionIDs, f.Features.SessionTickets, f.Features.Resumption13 = No, Unknown, No
		}},
	}
}
