package pkitest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// patience is how long a program that judges our files may take.
const patience = time.Minute

// Program finds a program that a test needs. Where it is missing the test is
// skipped with a reason, or fails if CI=true.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is not installed, and CI=true asks for it", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// Run runs a program found by [Program] and returns what it printed, both streams
// together.
func Run(t testing.TB, path string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
