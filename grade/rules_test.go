package grade

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryRuleHasACaseThatFiresAndOneThatDoesNot(t *testing.T) {
	cases := ruleCases()
	for _, r := range rules() {
		c, ok := cases[r.id]
		if !ok || c.fires == nil || c.silent == nil {
			t.Errorf("%s has no case", r.id)
			continue
		}
		delete(cases, r.id)
		t.Run(r.id, func(t *testing.T) {
			f := goodFacts()
			c.fires(f)
			found := Judge(f, Options{}).finding(r.id)
			if found == nil {
				t.Fatal("did not fire")
			}
			checkFinding(t, &r, found)
			f = goodFacts()
			c.silent(f)
			if found := Judge(f, Options{}).finding(r.id); found != nil {
				t.Errorf("fired where it should not: %+v", found)
			}
		})
	}
	for id := range cases {
		t.Errorf("there is a case for %s, and no such rule", id)
	}
}

// checkFinding holds a finding against what every one of them has to say.
func checkFinding(t *testing.T, r *rule, f *Finding) {
	t.Helper()
	if f.Title == "" || f.Reason == "" || len(f.Evidence) == 0 || len(f.Reference) == 0 {
		t.Errorf("says too little: %+v", f)
	}
	if f.Cap != r.cap {
		t.Errorf("cap %q, want %q", f.Cap, r.cap)
	}
	if f.Severity != Good && f.Fix == nil && f.Rule != "client-auth" {
		t.Error("has no fix")
	}
	for _, text := range []string{f.Reason, r.fix} {
		if text != "" && !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, ")") {
			t.Errorf("%q is no sentence", text)
		}
	}
	if strings.HasSuffix(f.Title, ".") {
		t.Errorf("the title %q is a sentence", f.Title)
	}
}

func TestRulesAreWellFormed(t *testing.T) {
	form := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)
	seen := make(map[string]bool)
	for _, r := range rules() {
		if !form.MatchString(r.id) || seen[r.id] {
			t.Errorf("%q is no identifier, or one that is taken", r.id)
		}
		seen[r.id] = true
		if r.severity.rank() < 0 || r.cap != "" && r.cap.rank() < 0 || r.check == nil || len(r.reference) == 0 || r.number < 0 || r.number > 12 {
			t.Errorf("%s: %+v", r.id, r)
		}
		if (r.cap == "F" || r.cap == "T" || r.cap == "M") != (r.severity == Critical) && r.cap != "" {
			t.Errorf("%s: severity %s with cap %q", r.id, r.severity, r.cap)
		}
		if r.snippets != fixNone && r.fix == "" {
			t.Errorf("%s has snippets and no sentence", r.id)
		}
	}
	if !slices.Equal(RuleIDs(), ids(rules())) {
		t.Error("RuleIDs does not list the rules")
	}
}

func ids(rules []rule) []string {
	var list []string
	for _, r := range rules {
		list = append(list, r.id)
	}
	return list
}

func TestTheGuidesCapsAreAllThere(t *testing.T) {
	want := map[string]Letter{
		"F1": "F", "F2": "F", "F3": "F", "F4": "F", "F5": "F", "F6": "F", "F7": "F", "F8": "F", "F9": "F", "F10": "F", "F11": "F",
		"F12-heartbleed": "F", "F12-ccs-injection": "F", "F12-ticketbleed": "F", "F12-freak": "F", "F13": "F", "F14": "F",
		"F15-zombie-poodle": "F", "F15-goldendoodle": "F", "F15-sleeping-poodle": "F", "F15-zero-length": "F",
		"C1": "C", "C2": "C", "C3": "C", "C4": "C", "C5": "C", "B1": "B", "B2": "B", "B3": "B", "B4": "B", "B5": "B", "B6": "B", "B7": "B",
		"A-1": "A-", "A-2": "A-", "A-3": "A-", "hsts-absent": "A", "hsts-short": "A", "hpkp-invalid": "A",
		"T-revoked": "T", "T-expired": "T", "T-not-yet-valid": "T", "T-self-signed": "T", "T-untrusted": "T", "T-sha1": "T", "T-invalid": "T", "M-name": "M",
		"weak-key-known": "F",
	}
	// Ours, where the guide says nothing because it knows neither STARTTLS nor these attacks, or because silence is no header.
	ours := map[string]Letter{"starttls-injection": "C", "winshock": "F", "dh-composite": "F", "hsts-unseen": "A"}
	cases := ruleCases()
	for _, r := range rules() {
		cap, ok := want[r.id]
		if !ok {
			cap = ours[r.id]
		}
		delete(want, r.id)
		if r.cap != cap {
			t.Errorf("%s caps at %q, want %q", r.id, r.cap, cap)
		}
		if cap == "" {
			continue
		}
		f := goodFacts()
		cases[r.id].fires(f)
		if got := Judge(f, Options{}).Grade; got.rank() < cap.rank() {
			t.Errorf("%s fired and the grade is %s, better than %s", r.id, got, cap)
		}
	}
	for id := range want {
		t.Errorf("%s is missing", id)
	}
}

// TestACapGivesExactlyItsLetter: where nothing but the rule is wrong, the grade is its cap.
func TestACapGivesExactlyItsLetter(t *testing.T) {
	cases := ruleCases()
	for _, id := range []string{
		"F1", "F2", "F4", "F5", "F8", "F9", "F10", "F12-heartbleed", "F12-ccs-injection", "F12-ticketbleed", "F12-freak", "F14", "F15-zombie-poodle",
		"F15-goldendoodle", "F15-sleeping-poodle", "F15-zero-length", "dh-composite", "winshock", "C2", "C5", "starttls-injection", "B2", "B3", "B4",
		"B5", "B6", "A-1", "A-2", "A-3", "hsts-absent", "hsts-short", "hpkp-invalid", "hsts-unseen", "T-revoked", "T-expired", "T-self-signed", "T-untrusted", "T-sha1", "M-name",
	} {
		f := goodFacts()
		cases[id].fires(f)
		r := Judge(f, Options{})
		if want := r.finding(id).Cap; r.Grade != want {
			t.Errorf("%s: grade %s, want %s: %v", id, r.Grade, want, r.Missing)
		}
		if len(r.Missing) == 0 || !strings.Contains(r.Missing[0], id) {
			t.Errorf("%s is not the first thing that is missing for A+: %v", id, r.Missing)
		}
	}
}

func TestPotentialVulnerabilitiesCapNothing(t *testing.T) {
	for _, id := range vulnerabilityIDs() {
		f := goodFacts()
		f.setVerdict(id, Potential)
		if r := Judge(f, Options{}); r.Grade != "A+" {
			t.Errorf("%s: potential gives %s: %v", id, r.Grade, r.Missing)
		}
	}
}

func TestEveryVulnerabilityThatIsProvedIsAFinding(t *testing.T) {
	for _, id := range vulnerabilityIDs() {
		f := goodFacts()
		f.setVerdict(id, Vulnerable)
		before := Judge(goodFacts(), Options{})
		fired := false
		for _, finding := range Judge(f, Options{}).Findings {
			fired = fired || finding.Severity != Good && before.finding(finding.Rule) == nil
		}
		if !fired {
			t.Errorf("%s is proved, and no rule says so", id)
		}
	}
}
