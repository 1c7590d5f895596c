package grade

import (
	"fmt"
	"strings"
	"time"
)

// certificateRules judge the server's own certificate, apart from trust and name.
var certificateRules = []rule{
	{id: "expires-7", severity: Medium, title: "The certificate expires within a week", reference: []string{ourRule, lesson12}, number: 4,
		fix: "Renew the certificate now, then let an ACME client do it by itself from now on.", snippets: fixRenew, check: checkExpiresInWeek},
	{id: "expires-30", severity: Low, title: "The certificate expires within a month", reference: []string{ourRule, lesson12}, number: 4,
		fix: "Renew the certificate; an ACME client does it by itself when a third of its life is left.", snippets: fixRenew, check: checkExpiresInMonth},
	{id: "lifetime", severity: Low, title: "The certificate is valid for too long", reference: []string{baselineReq},
		fix: "Have a certificate issued for 90 days or less, and renewed automatically.", snippets: fixRenew, check: checkLifetime},
	{id: "wildcard", severity: Info, title: "A wildcard certificate", reference: []string{"RFC 9525, Section 7.1", lesson12}, number: 11,
		fix: "Have a certificate issued that names the hosts it serves; keep wildcards for internal use.", snippets: fixRenew, check: checkWildcard},
	{id: "key-shared", severity: Low, title: "Other hosts have the same key", reference: []string{ourRule, guide},
		fix: "Give each host a key and certificate of its own, or at least each kind of service.", snippets: fixKey, check: checkShared},
	{id: "certificate-lint", severity: Low, title: "The certificate breaks a requirement on its form", reference: []string{"RFC 5280, Section 4"},
		fix: "Have it issued again by a CA whose profile is in order; \"tlswright cert lint\" explains each point.", check: checkLint},
	{id: "certificate-unreadable", severity: High, title: "A certificate cannot be read", reference: []string{"RFC 5280, Section 4.1"},
		fix: "Have it issued again: strict clients break off at such a certificate.", snippets: fixRenew, check: checkUnreadable},
	{id: "sni-splits", severity: Info, title: "Clients that name no server get another certificate", reference: []string{"RFC 6066, Section 3"},
		fix: "Nothing has to be done, unless clients without SNI matter.", check: checkSNISplits},
}

// left is how long a chain's leaf is still valid; false: it is not, or nothing is known.
func (s *subject) left(leaf *Certificate) (time.Duration, bool) {
	if leaf.NotAfter.IsZero() || s.now.IsZero() || s.now.After(leaf.NotAfter) {
		return 0, false
	}
	return leaf.NotAfter.Sub(s.now), true
}

// expiring lists certificates with more than from and at most to left. A certificate that was made for a few days is not
// late because it has only days left: it has to have used up two thirds of its life.
func (s *subject) expiring(from, to time.Duration) []string {
	var evidence []string
	s.leaves(func(c *Chain, leaf *Certificate) {
		left, ok := s.left(leaf)
		life := leaf.NotAfter.Sub(leaf.NotBefore)
		if !ok || left > to || left <= from || !leaf.NotBefore.IsZero() && left > life/3 {
			return
		}
		evidence = append(evidence, fmt.Sprintf("%s: until %s, %s left", describeChain(c), day(leaf.NotAfter), days(left)))
	})
	return evidence
}

const oneDay = 24 * time.Hour

func checkExpiresInWeek(s *subject) *hit {
	return firedIf("If nobody renews it in time, every client refuses the server from then on.", s.expiring(-1, 7*oneDay))
}

func checkExpiresInMonth(s *subject) *hit {
	return firedIf("Renewal should have happened by now.", s.expiring(7*oneDay, 30*oneDay))
}

// lifeLimit is how long a certificate issued at a time may be valid, by the rules for public ones (ballot SC-081v3).
func lifeLimit(issued time.Time) time.Duration {
	for _, step := range []struct {
		from string
		days int
	}{{"2029-03-15", 47}, {"2027-03-15", 100}, {"2026-03-15", 200}, {"2020-09-01", 398}, {"2018-03-01", 825}} {
		from, _ := time.Parse(time.DateOnly, step.from) // constants: no error
		if !issued.Before(from) {
			return time.Duration(step.days) * oneDay
		}
	}
	return 39 * 31 * oneDay
}

func checkLifetime(s *subject) *hit {
	var evidence []string
	s.leaves(func(c *Chain, leaf *Certificate) {
		life := leaf.NotAfter.Sub(leaf.NotBefore)
		if leaf.NotAfter.IsZero() || leaf.NotBefore.IsZero() {
			return
		}
		if limit := lifeLimit(leaf.NotBefore); life > limit+time.Second {
			evidence = append(evidence, fmt.Sprintf("%s: %s, from %s to %s; public ones of that day may have %s", describeChain(c), days(life), leaf.NotBefore.UTC().Format(time.DateOnly), leaf.NotAfter.UTC().Format(time.DateOnly), days(limit)))
		}
	})
	return firedIf("The longer a certificate lives, the longer a stolen key serves the thief; browsers refuse public ones beyond the limit.", evidence)
}

func checkWildcard(s *subject) *hit {
	var evidence []string
	s.leaves(func(c *Chain, leaf *Certificate) {
		if len(leaf.Wildcard) > 0 {
			evidence = append(evidence, describeChain(c)+": "+several(leaf.Wildcard, 6))
		}
	})
	return firedIf("Its key opens every host below the name: who takes the weakest of them can play all.", evidence)
}

func checkShared(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		if len(c.SharedWith) > 0 {
			evidence = append(evidence, describeChain(c)+": "+several(c.SharedWith, 6))
		}
	}
	return firedIf("A weakness of one of them, as SSL 2.0 on an old mail server, is a weakness of all.", evidence)
}

func checkLint(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		for _, l := range c.Lint {
			if l.Depth != 0 || !isFault(l.Severity) {
				continue
			}
			line := describeChain(c) + ": " + l.Text
			if l.Section != "" {
				line += " (" + l.Section + ")"
			}
			evidence = append(evidence, line)
		}
	}
	return firedIf("Most clients forgive it today; some do not, and one day fewer will.", evidence)
}

// isFault reports whether a lint's severity is more than a remark.
func isFault(severity string) bool {
	switch strings.ToLower(severity) {
	case "error", "fatal", "must":
		return true
	}
	return false
}

func checkUnreadable(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		for i := range c.Sent {
			if c.Sent[i].Unreadable != "" {
				evidence = append(evidence, fmt.Sprintf("%s, number %d of the chain: %s", describeChain(c), i+1, c.Sent[i].Unreadable))
			}
		}
	}
	return firedIf("What was sent in the place of a certificate is none, or breaks its own rules.", evidence)
}

func checkSNISplits(s *subject) *hit {
	if s.f.Features.SNISplits != Yes {
		return nil
	}
	var evidence []string
	for i := range s.f.Chains {
		if c := &s.f.Chains[i]; !c.SNI {
			evidence = append(evidence, "without SNI: "+describeChain(c)+" of \""+leafSubject(c)+"\"")
		}
	}
	if len(evidence) == 0 {
		evidence = []string{"without SNI no certificate is served"}
	}
	return fired("Several sites share the address. The grade is about the certificate for the name.", evidence...)
}
