package grade

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

// randomFacts makes up a server: mutations of the good one, taken from the rules' own cases, and then noise in fields.
func randomFacts(r *rand.Rand, cases []ruleCase) *Facts {
	f := goodFacts()
	for range r.IntN(6) {
		c := cases[r.IntN(len(cases))]
		try(f, c.fires)
		if r.IntN(3) == 0 {
			try(f, c.silent)
		}
	}
	answers := []Answer{Unasked, Yes, No, Unknown, "nonsense"}
	any := func() Answer { return answers[r.IntN(len(answers))] }
	suites := slices.Collect(wire.CipherSuites())
	for range r.IntN(20) {
		switch r.IntN(10) {
		case 0:
			f.Protocols = append(f.Protocols, Protocol{Version: wire.Version(r.IntN(0x0306)), Offered: any(), Order: any(), Complete: r.IntN(2) == 0})
		case 1:
			if len(f.Protocols) > 0 {
				p := &f.Protocols[r.IntN(len(f.Protocols))]
				p.Suites = append(p.Suites, Suite{ID: suites[r.IntN(len(suites))], DHBits: r.IntN(5000) - 500, RSABits: r.IntN(2000) - 500, Group: wire.Group(r.IntN(0x300))})
			}
		case 2:
			f.SSL2Kinds = append(f.SSL2Kinds, Numbered{ID: uint32(r.IntN(1 << 24))})
		case 3:
			f.DH = append(f.DH, DH{Bits: r.IntN(5000) - 100, Safe: any(), Reused: any(), Composite: r.IntN(5) == 0})
		case 4:
			f.Chains = append(f.Chains, Chain{KeyType: "EC", SNI: r.IntN(2) == 0, Trusted: any(), Complete: any(), NameMatches: any(), Revoked: any(), CTPolicy: any()})
		case 5:
			f.Simulations = append(f.Simulations, Simulation{Client: "x", Reference: r.IntN(2) == 0, OK: any(), Version: wire.Version(r.IntN(0x0306)), Suite: suites[r.IntN(len(suites))]})
		case 6:
			f.Features.Staple, f.Features.Compression, f.Features.SecureRenegotiation, f.Features.TicketLifetime13 = any(), any(), any(), r.Int64()-r.Int64()
		case 7:
			f.HTTP = &HTTP{Status: r.IntN(600), HSTS: HSTS{Present: r.IntN(2) == 0, MaxAge: r.Int64() - r.Int64()}, PlainHTTP: any(), RedirectsToHTTPS: any(), Permanent: any()}
		case 8:
			f.Groups = append(f.Groups, Group{ID: wire.Group(r.IntN(1 << 16))})
		case 9:
			if len(f.Chains) > 0 {
				c := &f.Chains[r.IntN(len(f.Chains))]
				c.Sent = append(c.Sent, Certificate{KeyStrength: r.IntN(5000) - 100, KeyBits: r.IntN(5000) - 100, NotAfter: scanTime.Add(oneDay * 200), Key: "EC"})
			}
		}
	}
	f.Quick = r.IntN(5) == 0
	return f
}

// try applies a change that may not fit facts that have been changed before.
func try(f *Facts, change func(*Facts)) {
	defer func() { _ = recover() }()
	change(f)
}

func seeded(t *testing.T, seed uint64) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(seed, 6))
}

func sortedCases() []ruleCase {
	cases := ruleCases()
	var list []ruleCase
	for _, id := range RuleIDs() {
		list = append(list, cases[id])
	}
	return list
}

func TestNoFactsMakeTheJudgementPanicOrLeaveItsBounds(t *testing.T) {
	cases := sortedCases()
	for seed := range uint64(3000) {
		f := randomFacts(seeded(t, seed), cases)
		func() {
			defer func() {
				if p := recover(); p != nil {
					text, _ := json.Marshal(f)
					t.Fatalf("seed %d: %v with %s", seed, p, text)
				}
			}()
			if problem := wrongResult(f, Judge(f, Options{})); problem != "" {
				t.Fatalf("seed %d: %s", seed, problem)
			}
			Diff(f, randomFacts(seeded(t, seed+1), cases))
		}()
	}
}

// wrongResult says which law a judgement breaks; "" none.
func wrongResult(f *Facts, r *Result) string {
	for _, score := range []float64{r.Score, r.Protocol, r.KeyExchange, r.Cipher} {
		if math.IsNaN(score) || score < 0 || score > 100 {
			return fmt.Sprintf("score %v", score)
		}
	}
	if r.Grade == "" {
		if len(r.Incomplete) == 0 {
			return "no grade and no reason"
		}
		return ""
	}
	best := letterOf(r.Score)
	if best == "A" {
		best = "A+"
	}
	for _, x := range r.Findings {
		if x.Severity.rank() < 0 || x.Reason == "" || len(x.Evidence) == 0 {
			return fmt.Sprintf("finding %+v", x)
		}
		// A cap never makes a grade better.
		if x.Cap != "" && r.Grade.rank() < x.Cap.rank() {
			return fmt.Sprintf("grade %s in spite of %s, which caps at %s", r.Grade, x.Rule, x.Cap)
		}
	}
	switch {
	case r.Grade.rank() < best.rank():
		return fmt.Sprintf("grade %s with a score of %v", r.Grade, r.Score)
	case r.GradeIgnoringTrust.rank() > r.Grade.rank():
		return fmt.Sprintf("%s without trust is worse than %s with", r.GradeIgnoringTrust, r.Grade)
	case r.GradeIgnoringTrust == "T" || r.GradeIgnoringTrust == "M":
		return "trust is in the grade without it"
	case (r.Grade == "A+") != (len(r.Missing) == 0):
		return fmt.Sprintf("grade %s and this is missing for A+: %v", r.Grade, r.Missing)
	case len(r.Misconfigurations) != 12:
		return "not twelve misconfigurations"
	}
	return ""
}

// TestBareVerdictsAreFindings: facts that somebody else wrote may have a verdict without a text and without evidence.
func TestBareVerdictsAreFindings(t *testing.T) {
	for _, id := range vulnerabilityIDs() {
		for _, v := range []Verdict{Vulnerable, Potential} {
			f := goodFacts()
			found := f.Vulnerability(id)
			found.Verdict, found.Text, found.Evidence = v, "", nil
			if problem := wrongResult(f, Judge(f, Options{})); problem != "" {
				t.Errorf("%s %s: %s", id, v, problem)
			}
		}
	}
}

// TestMakingAServerWorseNeverMakesItsGradeBetter adds one fault at a time: whatever a rule with a cap fires for.
func TestMakingAServerWorseNeverMakesItsGradeBetter(t *testing.T) {
	o := Options{NoSnippets: true, Policies: []Policy{}}
	for seed := range uint64(300) {
		r := seeded(t, seed)
		f := goodFacts()
		before := Judge(f, o).Grade
		for range 5 {
			id := vulnerabilityIDs()[r.IntN(len(vulnerabilityIDs()))]
			f.setVerdict(id, Vulnerable)
			if after := Judge(f, o).Grade; after.rank() < before.rank() {
				t.Fatalf("seed %d: %s made %s of %s", seed, id, after, before)
			} else {
				before = after
			}
		}
	}
}
