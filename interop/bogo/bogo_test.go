package bogo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The flags are for finding out why a test fails: -bogo.test 'KeyUpdate*' -bogo.debug.
var (
	only     = flag.String("bogo.test", "", "run only BoGo's tests that match one of these patterns, separated by semicolons")
	debug    = flag.Bool("bogo.debug", false, "let BoGo's runner print every byte of the connections")
	disabled = flag.Bool("bogo.disabled", false, "run the tests that config.json switches off, too")
)

// runTime bounds the whole run; it takes a small part of it.
const runTime = 10 * time.Minute

func TestBogo(t *testing.T) {
	if testing.Short() {
		t.Skip("BoGo takes a while")
	}
	folder := runnerFolder(t)
	place := t.TempDir()
	runner := build(t, place, "runner", folder, "test", "-c")
	shim := build(t, place, "shim", "shim", "build")
	config, err := filepath.Abs("config.json")
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(place, "report.json")
	args := []string{
		"-shim-path", shim, "-shim-config", config, "-json-output", report,
		"-allow-unimplemented", "-pipe", "-test", *only,
	}
	if *debug {
		args = append(args, "-debug")
	}
	if *disabled {
		args = append(args, "-include-disabled")
	}
	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	start := time.Now()
	cmd := exec.CommandContext(ctx, runner, args...)
	cmd.Dir = folder // it reads its keys from there
	said, runErr := cmd.CombinedOutput()
	if *debug {
		t.Logf("%s", said)
	}
	o := readReport(t, report, runErr, said)
	t.Logf("%d passed, %d failed, %d unimplemented, %d s, runner in %s",
		len(o.passed), len(o.failed), len(o.unimplemented), int(time.Since(start).Seconds()), folder)
	for _, name := range o.failed {
		t.Errorf("%s", failure(said, name))
	}
	if len(o.passed) == 0 {
		t.Errorf("nothing passed:\n%s", tail(said))
	}
	if runErr != nil && len(o.failed) == 0 {
		t.Errorf("the runner: %v\n%s", runErr, tail(said))
	}
}

// runnerFolder finds the runner's source: in the checkout that BORINGSSL names, or where fetch.sh puts Debian's.
func runnerFolder(t *testing.T) string {
	t.Helper()
	root := os.Getenv("BORINGSSL")
	if root == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		root = filepath.Join(cache, "tlswright", "bogo", "src")
	}
	folder, err := filepath.Abs(filepath.Join(root, "ssl", "test", "runner"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "runner.go")); err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("BORINGSSL") != "" {
			t.Fatal(err)
		}
		t.Skipf("no BoGo runner: %v; interop/bogo/fetch.sh fetches it", err)
	}
	return folder
}

// build compiles the package in folder, by go test or go build, and returns the program.
func build(t *testing.T, place, name, folder string, how ...string) string {
	t.Helper()
	program := filepath.Join(place, name)
	cmd := exec.Command("go", append(how, "-o", program, ".")...)
	cmd.Dir = folder
	if folder != "shim" { // another module, which our settings do not concern
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return program
}

// outcome is the names of the tests by what came of them.
type outcome struct{ passed, failed, unimplemented []string }

// readReport reads what the runner wrote in the JSON Test Results Format.
func readReport(t *testing.T, file string, runErr error, said []byte) (o outcome) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("the runner left no report: %v, %v\n%s", runErr, err, tail(said))
	}
	var report struct {
		Tests map[string]struct{ Actual string }
	}
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	for name, result := range report.Tests {
		switch result.Actual {
		case "PASS":
			o.passed = append(o.passed, name)
		case "SKIP":
			o.unimplemented = append(o.unimplemented, name)
		default:
			o.failed = append(o.failed, name)
		}
	}
	slices.Sort(o.failed)
	return o
}

// failure returns what the runner printed about a failed test.
func failure(said []byte, name string) string {
	_, text, found := bytes.Cut(said, []byte("FAILED ("+name+")\n"))
	if !found {
		return name
	}
	return name + ": " + strings.TrimSpace(nextTest.Split(string(text), 2)[0])
}

// nextTest is the line with which the runner begins to speak of another test.
var nextTest = regexp.MustCompile(`(?m)^(PASSED|FAILED|UNIMPLEMENTED) \(`)

// tail returns the last lines of an output.
func tail(said []byte) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// TestEveryExceptionHasASentence: config.json must not become the place where failures go to be forgotten.
func TestEveryExceptionHasASentence(t *testing.T) {
	data, err := os.ReadFile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		DisabledTests map[string]string
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		t.Fatal(err)
	}
	for pattern, why := range config.DisabledTests {
		if _, err := filepath.Match(pattern, ""); err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
		begins := slices.ContainsFunc([]string{"Out of scope: ", "Waits for ", "RFC ", "Our choice: "}, func(s string) bool { return strings.HasPrefix(why, s) })
		if !begins || len(why) < 30 || !strings.HasSuffix(why, ".") {
			t.Errorf("%q needs a sentence that says whether it is out of scope, waits for a feature, or goes against an RFC, not %q", pattern, why)
		}
	}
}
