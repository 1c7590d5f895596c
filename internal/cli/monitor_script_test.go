package cli

import (
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"
)

// takeFrom is `take NAME FILE REGEXP`: sets $NAME to what the first group of an expression finds in a file (or stdout).
func takeFrom(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: take NAME FILE REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[2])
	ts.Check(err)
	text := ts.ReadFile(args[1])
	m := re.FindStringSubmatch(text)
	if len(m) < 2 {
		ts.Fatalf("%q finds nothing in %s:\n%s", args[2], args[1], text)
	}
	ts.Setenv(args[0], m[1])
}

// startWatcher is `watcher NAME ARG...`: runs `tlswright monitor run ARG...`; its output is in NAME.out and NAME.err.
func startWatcher(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: watcher NAME ARG...")
	}
	s := launch(ts, args[0], append([]string{"monitor", "run"}, args[1:]...))
	ts.Value(serversKey{}).(map[string]*server)[args[0]] = s
}

// startViewer is `viewer NAME ARG...`: runs `tlswright monitor dashboard ARG...`; its output is in NAME.out and NAME.err.
func startViewer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: viewer NAME ARG...")
	}
	s := launch(ts, args[0], append([]string{"monitor", "dashboard"}, args[1:]...))
	ts.Value(serversKey{}).(map[string]*server)[args[0]] = s
}
