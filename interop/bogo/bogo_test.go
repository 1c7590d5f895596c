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
	only  = flag.String("bogo.test", "", "run only BoGo's tests that match one of these patterns, separated by semicolons, also those that config.json switches off")
	debug = flag.Bool("bogo.debug", false, "print all that the runner says, every byte of the connections included")
)

// runTime bounds one run; it takes a small part of it.
const runTime = 10 * time.Minute

func TestBogo(t *testing.T) {
	if testing.Short() {
		t.Skip("BoGo takes a while")
	}
	j := newJudge(t)
	if *only != "" {
		j.expectAllToPass(t, j.run(t, "-include-disabled", "-test", *only))
		return
	}
	var all, excluded outcome
	t.Run("every test passes or has its exception", func(t *testing.T) {
		all = j.run(t)
		j.expectAllToPass(t, all)
	})
	t.Run("every exception is needed", func(t *testing.T) {
		patterns := j.inScope()
		excluded = j.run(t, "-include-disabled", "-test", strings.Join(patterns, ";"))
		for _, p := range patterns {
			newer := os.Getenv("BORINGSSL") == "" && strings.Contains(j.exceptions[p], "since 20") // than Debian's runner
			if matches(t, p, excluded.passed) && !matches(t, p, excluded.failed) && !newer {
				t.Errorf("%q: what it switches off passes; remove it from config.json", p)
			}
		}
	})
	t.Run("the page of the outcome is up to date", func(t *testing.T) {
		if t.Failed() || len(all.failed) > 0 {
			t.Skip("something failed")
		}
		checkPage(t, all, excluded)
	})
}

// judge is the runner and what it needs.
type judge struct {
	runner, folder string // the program, and the folder it runs in, for it reads files there
	shim, config   string
	exceptions     map[string]string // why, by pattern
}

// outcome is the names of the tests by what came of them, and what the runner said about them.
type outcome struct {
	passed, failed, unimplemented []string
	said                          []byte
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	folder, place := runnerFolder(t), t.TempDir()
	config, err := filepath.Abs("config.json")
	if err != nil {
		t.Fatal(err)
	}
	return &judge{
		runner: build(t, folder, filepath.Join(place, "runner"), "test", "-c"), folder: folder,
		shim: build(t, "shim", filepath.Join(place, "shim"), "build"), config: config,
		exceptions: readExceptions(t),
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

// build compiles the package in folder into program, and returns its name.
func build(t *testing.T, folder, program string, how ...string) string {
	t.Helper()
	cmd := exec.Command("go", append(how, "-o", program, ".")...)
	cmd.Dir = folder
	if filepath.IsAbs(folder) { // another module, which our settings do not concern
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", folder, err, out)
	}
	return program
}

// run lets the runner run, in its strict mode, and reads its report.
func (j *judge) run(t *testing.T, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	report := filepath.Join(t.TempDir(), "report.json")
	args = append([]string{
		"-shim-path", j.shim, "-shim-config", j.config, "-json-output", report, "-allow-unimplemented", "-pipe",
		"-idle-timeout", "1m", // a shim that a busy machine stops for a quarter of a minute has not failed
	}, args...)
	if *debug {
		args = append(args, "-debug")
	}
	start := time.Now()
	cmd := exec.CommandContext(ctx, j.runner, args...)
	cmd.Dir = j.folder
	said, err := cmd.CombinedOutput()
	if *debug {
		t.Logf("%s", said)
	}
	o, readErr := readReport(report)
	if readErr != nil || err != nil && len(o.failed) == 0 {
		t.Fatalf("the runner failed: %v, %v\n%s", err, readErr, tail(said))
	}
	o.said = said
	t.Logf("%d passed, %d failed, %d unimplemented in %d s, by the runner in %s",
		len(o.passed), len(o.failed), len(o.unimplemented), int(time.Since(start).Seconds()), j.folder)
	return o
}

// readReport reads what the runner wrote, in the JSON Test Results Format.
func readReport(file string) (o outcome, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return o, err
	}
	var report struct {
		Tests map[string]struct{ Actual string }
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return o, err
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
	return o, nil
}

func (j *judge) expectAllToPass(t *testing.T, o outcome) {
	t.Helper()
	for _, name := range o.failed {
		t.Errorf("%s", o.failure(name))
	}
	if len(o.passed) == 0 {
		t.Errorf("nothing passed:\n%s", tail(o.said))
	}
}

// failure returns what the runner said about a failed test.
func (o *outcome) failure(name string) string {
	_, text, found := bytes.Cut(o.said, []byte("FAILED ("+name+")\n"))
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

func matches(t *testing.T, pattern string, names []string) bool {
	t.Helper()
	return slices.ContainsFunc(names, func(name string) bool {
		ok, err := filepath.Match(pattern, name)
		if err != nil {
			t.Fatalf("%q: %v", pattern, err)
		}
		return ok
	})
}
