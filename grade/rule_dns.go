package grade

import (
	"fmt"
	"slices"
	"strings"
)

// dnsRules judge what the name's zone says.
var dnsRules = []rule{
	{id: "caa-forbids", severity: Medium, title: "CAA does not allow the CA of this certificate", reference: []string{"RFC 8659, Section 4"},
		fix: "Add the CA to the CAA records, or have the certificate issued by one that is there; renewal will fail otherwise.", snippets: fixCAA, check: checkCAAForbids},
	{id: "caa-absent", severity: Info, title: "No CAA record", reference: []string{"RFC 8659, Section 4"},
		fix: "Say in a CAA record which CA may issue for the name; all others then have to refuse.", snippets: fixCAA, check: checkNoCAA},
	{id: "tlsa-mismatch", severity: High, title: "The TLSA records do not fit the certificate", reference: []string{"RFC 6698, Section 2.1", "RFC 7671, Section 8.1"},
		fix: "Publish the record of the new key before it is served, and keep the old one for two times its TTL.", snippets: fixTLSA, check: checkTLSA},
	{id: "tlsa-unsigned", severity: Low, title: "TLSA records without DNSSEC", reference: []string{"RFC 6698, Section 4.1"},
		fix: "Sign the zone with DNSSEC: without it a TLSA record must be ignored.", check: checkTLSAUnsigned},
	{id: "mta-sts", severity: Info, title: "MTA-STS does not enforce", reference: []string{"RFC 8461, Section 5"},
		fix: "Set the mode of the policy to enforce once the reports show no failures.", check: checkMTASTS},
}

func checkCAAForbids(s *subject) *hit {
	if s.f.DNS == nil || s.f.DNS.CAAAllows != No {
		return nil
	}
	evidence := make([]string, 0, len(s.f.DNS.CAA))
	for _, r := range s.f.DNS.CAA {
		evidence = append(evidence, fmt.Sprintf("%s CAA %s %q", s.f.DNS.CAAAt, r.Tag, r.Value))
	}
	s.leaves(func(c *Chain, leaf *Certificate) {
		evidence = append(evidence, describeChain(c)+": issued by \""+leaf.Issuer+"\"")
	})
	return firedIf("The records changed after it was issued, or the CA did not look.", evidence)
}

func checkNoCAA(s *subject) *hit {
	// A question that failed is among the gaps; no answer is not the same as no record.
	failed := slices.ContainsFunc(s.f.Gaps, func(g Gap) bool { return strings.Contains(g.Probe, "CAA") || strings.Contains(g.Probe, "DNS") })
	if s.f.DNS == nil || len(s.f.DNS.CAA) > 0 || s.f.DNS.CAAAllows == Unknown || failed {
		return nil
	}
	return fired("Every CA in the world may issue for this name.", "no CAA record at "+s.name()+" nor above it")
}

func checkTLSA(s *subject) *hit {
	if s.f.DNS == nil || len(s.f.DNS.TLSA) == 0 {
		return nil
	}
	var evidence []string
	for _, r := range s.f.DNS.TLSA {
		if r.Matches != No {
			return nil // one that fits is enough, and an unknown one may
		}
		evidence = append(evidence, r.Record+because(nonEmpty(r.Text), ": "))
	}
	return fired("Clients that use DANE, mail servers above all, refuse the connection.", evidence...)
}

func checkTLSAUnsigned(s *subject) *hit {
	if s.f.DNS == nil || len(s.f.DNS.TLSA) == 0 || s.f.DNS.Authentic != No {
		return nil
	}
	return fired("Whoever can forge DNS can forge the record; it has no effect.", fmt.Sprintf("%s, and the resolver does not vouch for the answer (no AD bit)", count(len(s.f.DNS.TLSA), "TLSA record", "TLSA records")))
}

func checkMTASTS(s *subject) *hit {
	if s.f.DNS == nil || s.f.DNS.MTASTS != "testing" && s.f.DNS.MTASTS != "none" {
		return nil // that a policy is announced does not say which
	}
	return fired("Mail is still delivered over connections that somebody has tampered with.", "mode: "+s.f.DNS.MTASTS)
}
