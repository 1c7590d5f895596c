package acmeserver_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryRuleHasItsTest reads docs/rfc8555.md: each row names a test, and each of these exists.
func TestEveryRuleHasItsTest(t *testing.T) {
	const root = "../.."
	text, err := os.ReadFile(filepath.Join(root, "docs", "rfc8555.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("^\\| ([0-9.]+) \\| (.+) \\| `([a-z0-9/_]+_test\\.go):(Test\\w+)` \\|$")
	known := make(map[string]map[string]bool) // tests by file
	rules := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| Section") {
			continue
		}
		found := row.FindStringSubmatch(line)
		if found == nil {
			t.Errorf("no rule with a test: %s", line)
			continue
		}
		rules++
		file, name := found[3], found[4]
		if known[file] == nil {
			known[file] = testsOf(t, filepath.Join(root, filepath.FromSlash(file)))
		}
		if !known[file][name] {
			t.Errorf("%s has no %s, which would hold section %s: %s", file, name, found[1], found[2])
		}
	}
	if rules < 100 {
		t.Errorf("only %d rules", rules)
	}
	// The other way round: what was written for the table stands in it.
	for name := range testsOf(t, "rfc8555_test.go") {
		if !strings.Contains(string(text), ":"+name+"`") {
			t.Errorf("docs/rfc8555.md does not name %s", name)
		}
	}
}

// testsOf are the tests in a file.
func testsOf(t *testing.T, path string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	tests := make(map[string]bool)
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
			tests[fn.Name.Name] = true
		}
	}
	return tests
}
