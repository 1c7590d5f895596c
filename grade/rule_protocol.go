package grade

import (
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// protocolRules judge the versions on offer.
var protocolRules = []rule{
	{id: "F1", severity: Critical, cap: "F", title: "SSL 2.0 is offered", reference: []string{guide, "RFC 6176, Section 3"}, number: 1,
		fix: "Switch SSL 2.0 off, or retire the software that still has it.", snippets: fixProtocols, check: checkSSL2},
	{id: "F6", severity: Critical, cap: "F", title: "SSL 3.0 is the best on offer", reference: []string{guide, "RFC 7568, Section 3"}, number: 1,
		fix: "Update the software: nothing that is still maintained stops at SSL 3.0.", snippets: fixProtocols, check: checkBestIsSSL3},
	{id: "C4", severity: High, cap: "C", title: "Neither TLS 1.2 nor TLS 1.3", reference: []string{guide, rfcBCP, "RFC 8996, Section 4"}, number: 1,
		fix: "Update the software until it speaks TLS 1.2 and 1.3, and switch both on.", snippets: fixProtocols, check: checkNoModern},
	{id: "B1", severity: Medium, cap: "B", title: "SSL 3.0 is offered", reference: []string{guide, "RFC 7568, Section 3"}, number: 1,
		fix: "Switch SSL 3.0 off.", snippets: fixProtocols, check: checkSSL3},
	{id: "B7", severity: Medium, cap: "B", title: "TLS 1.0 or TLS 1.1 is offered", reference: []string{guide, "RFC 8996, Section 4", rfcBCP}, number: 1,
		fix: "Offer TLS 1.2 and TLS 1.3 alone; no browser has asked for less since 2020.", snippets: fixProtocols, check: checkOldTLS},
	{id: "A-2", severity: Low, cap: "A-", title: "TLS 1.3 is not offered", reference: []string{guide, rfcBCP},
		fix: "Switch TLS 1.3 on; it needs OpenSSL 1.1.1, Java 11 or Go 1.12, or newer.", snippets: fixTLS13, check: checkNo13},
	{id: "downgrade-signal", severity: Low, title: "No sign of a downgrade in the server's random", reference: []string{"RFC 8446, Section 4.1.3"},
		fix: "Update the TLS library: a server that speaks TLS 1.3 must mark its random when it is asked for less.", snippets: fixUpdate, check: checkDowngradeSignal},
	{id: "fallback-scsv", severity: Info, title: "TLS_FALLBACK_SCSV is ignored", reference: []string{"RFC 7507, Section 3"},
		fix: "Update the TLS library, or offer TLS 1.2 and 1.3 alone; then there is nothing to fall back to.", snippets: fixProtocols, check: checkFallback},
	{id: "intolerance", severity: Low, title: "The server stumbles over what it need not understand", reference: []string{"RFC 8446, Section 4.1.2", "RFC 8701, Section 1"},
		fix: "Update the TLS library or the box in front of it: new clients will send what it stumbles over.", snippets: fixUpdate, check: checkIntolerance},
}

func checkSSL2(s *subject) *hit {
	if !s.f.Offers(VersionSSL20) {
		return nil
	}
	evidence := make([]string, 0, len(s.kinds)+1)
	for _, k := range s.kinds {
		evidence = append(evidence, k.name)
	}
	if len(evidence) == 0 {
		evidence = append(evidence, "the server answers a hello of SSL 2.0, though with no cipher kind")
	}
	return fired("SSL 2.0 protects neither the handshake nor the end of the data, and lends its weakness to every other service with the same key.", evidence...)
}

func checkBestIsSSL3(s *subject) *hit {
	if s.best() != wire.VersionSSL30 {
		return nil
	}
	for _, v := range []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13} {
		if p := s.f.Protocol(v); p == nil || p.Offered != No {
			return nil // a quick look saw one version only
		}
	}
	return fired("All of its suites are broken or nearly so, and there is nothing better to change to.", "SSL 3.0 is taken, TLS 1.0 to 1.3 are refused")
}

func checkNoModern(s *subject) *hit {
	if !s.refuses(wire.VersionTLS12) || s.f.Offers(wire.VersionTLS13) {
		return nil
	}
	if p := s.f.Protocol(wire.VersionTLS13); p != nil && p.Offered == Unknown {
		return nil
	}
	return fired("What is older than TLS 1.2 knows no authenticated encryption and signs with SHA-1 or MD5; current clients do not connect.",
		"the best version is "+versionName(s.best()))
}

func checkSSL3(s *subject) *hit {
	p := s.f.Protocol(wire.VersionSSL30)
	if p == nil || p.Offered != Yes {
		return nil
	}
	return fired("SSL 3.0 does not check the padding of its blocks (POODLE) and is prohibited.", versionLine(p))
}

// versionLine words a version and its suites.
func versionLine(p *Protocol) string {
	line := versionName(p.Version) + " is taken"
	if len(p.Suites) > 0 {
		line += ", with " + p.Suites[0].ID.String()
		if more := len(p.Suites) - 1; more > 0 {
			line += " and " + count(more, "other suite", "other suites")
		}
	}
	return line
}

func checkOldTLS(s *subject) *hit {
	var evidence []string
	for _, v := range []wire.Version{wire.VersionTLS10, wire.VersionTLS11} {
		if p := s.f.Protocol(v); p != nil && p.Offered == Yes {
			evidence = append(evidence, versionLine(p))
		}
	}
	return firedIf("Both are deprecated: their suites have no authenticated encryption and their handshakes rest on MD5 and SHA-1.", evidence)
}

func checkNo13(s *subject) *hit {
	if !s.refuses(wire.VersionTLS13) {
		return nil
	}
	return fired("TLS 1.3 encrypts the certificate, needs one round trip less and has no suite that is worth attacking.", "the best version is "+versionName(s.best()))
}

func checkDowngradeSignal(s *subject) *hit {
	if s.f.Features.DowngradeSignals != No || !s.f.Offers(wire.VersionTLS13) {
		return nil
	}
	return fired("The server speaks TLS 1.3, yet its answer to a hello of TLS 1.2 or less does not end its random with the agreed bytes, so a client cannot tell that somebody talked it down.",
		"44 4f 57 4e 47 52 44 01 (or 00) is missing at the end of the random")
}

func checkFallback(s *subject) *hit {
	v := s.f.Vulnerability("fallback-scsv")
	if s.f.Features.FallbackSCSV != No && (v == nil || v.Verdict != Vulnerable) {
		return nil
	}
	var evidence []string
	if v != nil {
		evidence = v.Evidence
	}
	if len(evidence) == 0 {
		evidence = []string{"a hello with TLS_FALLBACK_SCSV and a version below the server's best was accepted"}
	}
	return fired("A client that was made to fall back to an older version would not notice. The guide no longer grades this.", evidence...)
}

func checkIntolerance(s *subject) *hit {
	var evidence []string
	for _, t := range s.f.Features.Tolerance {
		if t.OK != No {
			continue
		}
		line := t.Probe
		if t.Text != "" {
			line += ": " + t.Text
		}
		if t.Required != "" {
			line += " (" + t.Required + ")"
		}
		evidence = append(evidence, line)
	}
	reason := fmt.Sprintf("A server has to skip what it does not know; this one breaks off at %s.", count(len(evidence), "such thing", "such things"))
	return firedIf(strings.TrimSpace(reason), evidence)
}
