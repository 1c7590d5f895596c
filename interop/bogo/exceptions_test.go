package bogo_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// outOfScope begins the reason of what tlswright will never do.
const outOfScope = "Out of scope: "

// readExceptions returns the tests that config.json switches off: the reason by pattern.
func readExceptions(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		DisabledTests  map[string]string
		AllCurves      []int // groups that tests use which want as many as there are
		HalfRTTTickets int   // that the runner awaits before a server's answer to early data; ours sends them later
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		t.Fatal(err)
	}
	return config.DisabledTests
}

// inScope returns the patterns of the exceptions that are not out of scope, in order.
func (j *judge) inScope() []string {
	var patterns []string
	for pattern, why := range j.exceptions {
		if !strings.HasPrefix(why, outOfScope) {
			patterns = append(patterns, pattern)
		}
	}
	slices.Sort(patterns)
	return patterns
}

// TestEveryExceptionHasASentence: config.json must not become the place where failures go to be forgotten.
func TestEveryExceptionHasASentence(t *testing.T) {
	for pattern, why := range readExceptions(t) {
		matches(t, pattern, []string{"any"}) // a pattern that cannot be read fails here
		known := slices.ContainsFunc([]string{outOfScope, "Waits for ", "RFC ", "Our choice: "}, func(s string) bool { return strings.HasPrefix(why, s) })
		if !known || len(why) < 30 || !strings.HasSuffix(why, ".") {
			t.Errorf("%q needs a sentence that says that it is out of scope, what it waits for, which RFC speaks against it, or why we chose otherwise; not %q", pattern, why)
		}
	}
}
