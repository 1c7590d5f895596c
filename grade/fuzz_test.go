package grade

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzStoredFacts judges facts from files that anybody may have written: no panic, no law of the judgement broken, and what
// is read is written as the same bytes again.
func FuzzStoredFacts(f *testing.F) {
	good, err := json.Marshal(goodFacts())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, id := range []string{"F1", "F13", "B3", "T-revoked", "dh-composite", "intolerance", "good-dane", "unreachable"} {
		facts := goodFacts()
		ruleCases()[id].fires(facts)
		text, err := json.Marshal(facts)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"schema":1,"protocols":[{"version":65535,"offered":"yes","suites":[{"id":65535,"dhBits":-1}]}],"chains":[{"sent":[{}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var facts Facts
		if json.Unmarshal(text, &facts) != nil {
			return
		}
		if problem := wrongResult(&facts, Judge(&facts, Options{})); problem != "" {
			t.Error(problem)
		}
		Diff(&facts, goodFacts())
		once, err := json.Marshal(facts)
		if err != nil {
			return // a date beyond the year 9999 can be read, but not written
		}
		var again Facts
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatal(err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("written again, facts are others: %v", err)
		}
	})
}

// FuzzParsePolicy reads policies from files: what is read is sound, and written as the same policy again.
func FuzzParsePolicy(f *testing.F) {
	for _, p := range Policies("") {
		text, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"name":"a","suites":["ECDHE+AESGCM:!ECDSA"],"groups":["P-256"],"minGrade":"A+"}`))
	f.Add([]byte(`{"name":"a","suites":["ALL:@SECLEVEL=9"],"versions":["SSLv2"]}`))
	facts := goodFacts()
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy(text)
		if err != nil {
			return
		}
		once, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePolicy(once)
		if err != nil {
			t.Fatalf("%v: %s", err, once)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("written again, the policy is another: %s", twice)
		}
		Judge(facts, Options{Policies: []Policy{p}})
	})
}
