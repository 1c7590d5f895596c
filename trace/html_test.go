package trace_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/trace"
)

// pageOf writes a recording as a page.
func pageOf(t testing.TB, r *trace.Recording) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := trace.WriteHTML(&b, r, trace.HTMLOptions{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// browse opens a page in Chromium, from a file, and returns the document as it is after its scripts have run, and
// everything that went to the console.
func browse(t *testing.T, page []byte, wish string, more ...string) (dom, console string) {
	t.Helper()
	chromium := pkitest.Program(t, "chromium")
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, page, 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--user-data-dir=" + filepath.Join(dir, "profile"),
		"--enable-logging=stderr", "--virtual-time-budget=30000", "--dump-dom",
	}, more...)
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, append(args, "file://"+file+"#"+wish)...)
	cmd.WaitDelay = 10 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, errs.String())
	}
	for _, line := range strings.Split(errs.String(), "\n") {
		if strings.Contains(line, "CONSOLE") {
			console += line + "\n"
		}
	}
	return out.String(), console
}

// compute has a page compute itself. The threads that Chromium computes on do not hold up its virtual time, which may be over
// before they are done, where one of them is slow: then the page is opened again.
func compute(t *testing.T, page []byte) (dom, console string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		dom, console = browse(t, page, "compute")
		if counted(dom, "computed") == "done" || console != "" || time.Now().After(end) {
			return dom, console
		}
	}
}

// counted is an attribute of the document's root.
func counted(dom, name string) string {
	if found := regexp.MustCompile(`<html[^>]* data-` + name + `="([^"]*)"`).FindStringSubmatch(dom); found != nil {
		return found[1]
	}
	return ""
}
