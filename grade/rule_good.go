package grade

import (
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// goodRules tell what is right about the protocol and the keys: a report that only scolds is not read twice.
var goodRules = []rule{
	{id: "good-versions", severity: Good, title: "Only TLS 1.2 and 1.3", reference: []string{rfcBCP}, check: goodVersions},
	{id: "good-tls13", severity: Good, title: "TLS 1.3", reference: []string{"RFC 8446, Section 1.2"}, check: goodTLS13},
	{id: "good-suites", severity: Good, title: "Nothing but good suites", reference: []string{rfcSuites}, check: goodSuites},
	{id: "good-pq", severity: Good, title: "Post-quantum key exchange", reference: []string{"FIPS 203"}, check: goodPostQuantum},
	{id: "good-key", severity: Good, title: "A strong key", reference: []string{"RFC 9325, Section 4.5"}, check: goodKey},
	{id: "good-trust", severity: Good, title: "A trusted certificate for this name", reference: []string{"RFC 5280, Section 6"}, check: goodTrust},
	{id: "good-lifetime", severity: Good, title: "A short-lived certificate", reference: []string{baselineReq}, check: goodLifetime},
	{id: "good-vulnerabilities", severity: Good, title: "No known vulnerability", reference: []string{guide}, check: goodVulnerabilities},
}

// goodServiceRules tell what is right around it.
var goodServiceRules = []rule{
	{id: "good-staple", severity: Good, title: "A valid OCSP response in the handshake", reference: []string{"RFC 6066, Section 8"}, check: goodStaple},
	{id: "good-ct", severity: Good, title: "Certificate transparency", reference: []string{"RFC 6962, Section 3.3"}, check: goodCT},
	{id: "good-hsts", severity: Good, title: "HSTS", reference: []string{rfcHSTS}, check: goodHSTS},
	{id: "good-redirect", severity: Good, title: "Plain HTTP leads to HTTPS for good", reference: []string{"RFC 6797, Section 7.2"}, check: goodRedirect},
	{id: "good-caa", severity: Good, title: "CAA names the CA", reference: []string{"RFC 8659, Section 4"}, check: goodCAA},
	{id: "good-dane", severity: Good, title: "DANE: a TLSA record fits, signed by DNSSEC", reference: []string{"RFC 6698, Section 2.1"}, check: goodDANE},
	{id: "good-ech", severity: Good, title: "Encrypted Client Hello", reference: []string{"RFC 9849, Section 1"}, check: goodECH},
	{id: "good-strict", severity: Good, title: "Unknown names and protocols are refused", reference: []string{"RFC 9325, Section 3.8"}, check: goodStrict},
	{id: "good-resumption", severity: Good, title: "Sessions are resumed", reference: []string{"RFC 9325, Section 3.4"}, check: goodResumption},
}

// goodVersions wants it proved that all older versions are refused.
func goodVersions(s *subject) *hit {
	for _, v := range []wire.Version{VersionSSL20, wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11} {
		if !s.refuses(v) {
			return nil
		}
	}
	if s.best() < wire.VersionTLS12 {
		return nil
	}
	return fired("Everything older is refused.", "SSL 2.0, SSL 3.0, TLS 1.0 and TLS 1.1 were asked for and refused")
}

func goodTLS13(s *subject) *hit {
	p := s.f.Protocol(wire.VersionTLS13)
	if p == nil || p.Offered != Yes {
		return nil
	}
	return fired("The newest version is on offer.", versionLine(p))
}

func goodSuites(s *subject) *hit {
	if s.f.Quick || len(s.used) == 0 || len(s.kinds) > 0 || s.anySuite(isWeak) {
		return nil
	}
	for i := range s.f.Protocols {
		if p := &s.f.Protocols[i]; p.Offered == Yes && !p.Complete {
			return nil
		}
	}
	return fired("Every suite has forward secrecy and authenticated encryption.", s.suitesThat(func(*usedSuite) bool { return true })...)
}

func goodPostQuantum(s *subject) *hit {
	var names []string
	for _, g := range s.f.Groups {
		if isPostQuantum(g.ID) {
			names = append(names, g.ID.String())
		}
	}
	return firedIf("What is recorded today stays secret from tomorrow's quantum computers, for clients that take part.", names)
}

func goodKey(s *subject) *hit {
	var evidence []string
	weak := false
	s.leaves(func(c *Chain, leaf *Certificate) {
		n := keyStrength(leaf)
		weak = weak || n < 3072
		evidence = append(evidence, fmt.Sprintf("%s: %s", describeChain(c), orElse(leaf.Key, count(n, "bit", "bits"))))
	})
	if weak || s.computableKey() != "" {
		return nil
	}
	return firedIf("Every certificate's key has 128 bits of strength or more.", evidence)
}

func goodTrust(s *subject) *hit {
	for _, c := range s.chains {
		if c.Trusted != Yes || c.NameMatches != Yes || c.Complete != Yes || c.Revoked == Yes {
			return nil
		}
	}
	if len(s.chains) == 0 || checkExpired(s) != nil || checkNotYetValid(s) != nil || checkSHA1(s) != nil || checkOtherFaults(s) != nil {
		return nil
	}
	var evidence []string
	for _, c := range s.chains {
		var stores []string
		for _, t := range c.Trust {
			if t.Trusted {
				stores = append(stores, t.Store)
			}
		}
		evidence = append(evidence, describeChain(c)+because(stores, ": "))
	}
	return fired("The chain is complete and leads to a trusted root, and the name fits.", evidence...)
}

func goodLifetime(s *subject) *hit {
	var evidence []string
	all := true
	s.leaves(func(c *Chain, leaf *Certificate) {
		life := leaf.NotAfter.Sub(leaf.NotBefore)
		all = all && life > 0 && life <= 100*oneDay
		evidence = append(evidence, describeChain(c)+": "+days(life))
	})
	if !all {
		return nil
	}
	return firedIf("Renewal has to be automatic, and a stolen key serves nobody for long.", evidence)
}

// goodVulnerabilities wants nothing vulnerable or close to it, and nothing undecided that a scan can decide.
func goodVulnerabilities(s *subject) *hit {
	if len(s.f.Vulnerabilities) < 5 {
		return nil
	}
	names := make([]string, 0, len(s.f.Vulnerabilities))
	for i := range s.f.Vulnerabilities {
		v := &s.f.Vulnerabilities[i]
		switch {
		case v.Verdict == NotVulnerable, v.Verdict == NotApplicable:
			names = append(names, v.Name)
		case v.Verdict != Inconclusive, mustBeKnown(v.ID):
			return nil
		}
	}
	return fired(fmt.Sprintf("%s were tried or ruled out.", count(len(names), "attack", "attacks")), strings.Join(names, ", "))
}

func goodStaple(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if c.Staple != nil && c.Staple.Valid && c.Staple.Status == "good" {
			evidence = append(evidence, describeChain(c)+": good, from "+day(c.Staple.ThisUpdate))
		}
	}
	return firedIf("Clients need not ask the CA.", evidence)
}

func goodCT(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if c.CTPolicy == Yes {
			evidence = append(evidence, describeChain(c)+": "+orElse(c.CTReason, count(len(c.SCTs), "timestamp", "timestamps")))
		}
	}
	return firedIf("Enough public logs have seen the certificate.", evidence)
}

func goodHSTS(s *subject) *hit {
	if !s.isHTTP() {
		return nil
	}
	h := &s.f.HTTP.HSTS
	if !h.Present || h.Invalid != "" || h.MaxAge < halfYear {
		return nil
	}
	return fired("Browsers that have been here come back by HTTPS alone.", "Strict-Transport-Security: "+orElse(h.Raw, fmt.Sprintf("max-age=%d", h.MaxAge)))
}

func goodRedirect(s *subject) *hit {
	if s.f.HTTP == nil || s.f.HTTP.RedirectsToHTTPS != Yes || s.f.HTTP.Permanent != Yes || checkDetour(s) != nil {
		return nil
	}
	return fired("Who types the name alone ends up safe, and next time starts there.", s.redirects()...)
}

func goodCAA(s *subject) *hit {
	if s.f.DNS == nil || len(s.f.DNS.CAA) == 0 || s.f.DNS.CAAAllows != Yes {
		return nil
	}
	evidence := make([]string, 0, len(s.f.DNS.CAA))
	for _, r := range s.f.DNS.CAA {
		evidence = append(evidence, fmt.Sprintf("%s CAA %s %q", s.f.DNS.CAAAt, r.Tag, r.Value))
	}
	return fired("Other CAs have to refuse to issue for this name.", evidence...)
}

func goodDANE(s *subject) *hit {
	if s.f.DNS == nil || s.f.DNS.Authentic != Yes {
		return nil
	}
	for _, r := range s.f.DNS.TLSA {
		if r.Matches == Yes {
			return fired("Clients that use DANE need not trust any CA.", r.Record)
		}
	}
	return nil
}

func goodECH(s *subject) *hit {
	if s.f.Features.ECH != Yes && (s.f.DNS == nil || !s.f.DNS.ECH) {
		return nil
	}
	return fired("Who watches the line does not see the name.", "the HTTPS record gives an ECH configuration")
}

func goodStrict(s *subject) *hit {
	if s.f.Features.StrictSNI != Yes || s.f.Features.StrictALPN != Yes {
		return nil
	}
	return fired("Nobody can make the server answer for a name or a protocol that it does not serve (ALPACA).", "unrecognized_name and no_application_protocol")
}

func goodResumption(s *subject) *hit {
	f := &s.f.Features
	var ways []string
	for _, way := range []struct {
		answer Answer
		name   string
	}{{f.Resumption13, "TLS 1.3"}, {f.SessionTickets, "tickets"}, {f.SessionIDs, "session identifiers"}} {
		if way.answer == Yes {
			ways = append(ways, way.name)
		}
	}
	return firedIf("Clients that come back save a signature and a round trip.", ways)
}
