// Package tlswright_test holds the house rules as tests: which package may import which, what a pure package may
// not do, how big things may grow and how they are written up. It knows the source text of the repository (go/ast,
// no type checking) and nothing of what the code does.
//
// Every rule carries samples of what it refuses and of what it lets pass; TestEveryRuleCatchesItsViolations feeds
// it those first, so no rule can pass because it has stopped looking.
package tlswright_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// modulePath is what go.mod must say.
const modulePath = "github.com/tlswright/tlswright"

// group is a floor of the house. A package imports only packages of earlier groups.
type group struct {
	name     string
	pure     bool // no socket, file, clock, log, context or goroutine
	packages []string
}

// groups is the order of the house, the planned packages included: a package that is in no group fails the test.
var groups = []group{
	{name: "1 language", pure: true, packages: []string{"wire", "acme"}},
	{name: "2a craft", pure: true, packages: []string{"pki/cert", "internal/suite", "internal/legacy"}},
	{name: "2b craft", pure: true, packages: []string{"internal/keys", "internal/ciphers", "internal/certcompress", "internal/ech", "pki/crl", "pki/ocsp", "pki/ct", "pki/revset"}},
	{name: "2c craft", pure: true, packages: []string{"internal/record", "internal/ticket", "pki"}},
	{name: "2d craft", pure: true, packages: []string{"pki/lint", "pki/pkcs12", "pki/pkcs7", "pki/jks", "internal/verify"}},
	{name: "3 core", pure: true, packages: []string{"tlscore", "grade", "minitls", "internal/issue", "internal/order", "internal/access", "internal/incident"}},
	{name: "3b core", pure: true, packages: []string{"grade/report", "internal/watch"}},
	{name: "4a edge", packages: []string{"tlsnet", "internal/keystore", "internal/store", "internal/config", "internal/starttls", "internal/resolve", "internal/history", "internal/openapi"}},
	{name: "4b edge", packages: []string{"internal/fetch", "internal/trust", "internal/authority", "internal/notify", "internal/zlint", "internal/relay", "trace"}},
	{name: "4c edge", packages: []string{"acmeclient", "internal/challenge", "internal/acmecheck", "internal/revoked", "internal/staple", "internal/follow"}},
	{name: "5a services", packages: []string{"scan"}},
	{name: "5b services", packages: []string{"internal/admin", "internal/acmeserver", "internal/publish", "internal/monitor", "internal/gateway", "internal/dashboard", "internal/devhttps"}},
	{name: "6 estate", packages: []string{"internal/estate"}},
	{name: "7 command line", packages: []string{"internal/cli"}},
	{name: "8 program", packages: []string{"cmd/tlswright"}},
}

// beside are packages for tests and measurements only, with all that is below them: they may import everything, and
// nothing that ships may import them.
var beside = []string{"internal/tlstest", "internal/pkitest", "internal/freeport", "internal/golden", "internal/relics", "internal/logtest", "interop", "interop/lab", "interop/acme", "interop/bogo", "interop/bogo/shim", "bench", "examples/eventloop", "packaging/release"}

// exceptions names what may break a rule, and why. The key is the rule's name and the place it would report.
var exceptions = map[string]string{}

// rule is one house rule.
type rule struct {
	name  string
	check func(*tree) []problem
	// refused are samples the rule must complain about; want is part of the complaint.
	refused []sample
	// allowed are samples the rule must let pass.
	allowed []sample
}

// sample is a tiny repository: text by path.
type sample struct {
	files map[string]string
	want  string
}

// problem is one violation: where (path, or path:name for a declaration), and what is wrong there.
type problem struct {
	place string
	line  int
	text  string
}

// String renders the problem so that an editor can jump to it.
func (p problem) String() string {
	path, name, _ := strings.Cut(p.place, ":")
	if name != "" {
		name = " " + name
	}
	return fmt.Sprintf("%s:%d:%s %s", path, p.line, name, p.text)
}

// allRules returns every house rule, in the order in which a reader meets them.
func allRules() []rule {
	return slices.Concat(importRules(), sourceRules(), styleRules(), guideRules(), textRules(), docsRules())
}

func TestHouseRules(t *testing.T) {
	repository := loadRepository(t)
	used := make(map[string]bool)
	for _, r := range allRules() {
		t.Run(r.name, func(t *testing.T) {
			for _, p := range r.check(repository) {
				key := r.name + " " + p.place
				if _, ok := exceptions[key]; ok {
					used[key] = true
					continue
				}
				t.Error(p)
			}
		})
	}
	for key, reason := range exceptions {
		if !used[key] {
			t.Errorf("the exception %q (%s) is no longer needed: remove it", key, reason)
		}
		if len(reason) < 20 {
			t.Errorf("the exception %q needs a reason", key)
		}
	}
}

func TestEveryRuleCatchesItsViolations(t *testing.T) {
	for _, r := range allRules() {
		t.Run(r.name, func(t *testing.T) {
			if len(r.refused) == 0 || len(r.allowed) == 0 {
				t.Error("a rule needs at least one sample that it refuses and one that it allows")
			}
			for _, s := range r.refused {
				found := r.check(newTree(t, s.files))
				if !slices.ContainsFunc(found, func(p problem) bool { return strings.Contains(p.String(), s.want) }) {
					t.Errorf("no complaint containing %q about %q, only %v", s.want, s.files, found)
				}
			}
			for _, s := range r.allowed {
				for _, p := range r.check(newTree(t, s.files)) {
					t.Errorf("complaint about an allowed sample %q: %s", s.files, p)
				}
			}
		})
	}
}

func TestRuleNamesAreUnique(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range allRules() {
		if seen[r.name] {
			t.Errorf("two rules are called %q", r.name)
		}
		seen[r.name] = true
	}
}
