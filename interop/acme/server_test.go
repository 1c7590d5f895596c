package acme

import (
	"bytes"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// startServer starts a server that runs until the test ends, and shows what it said if that failed.
func startServer(t *testing.T, name string, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s said:\n%s", name, lastLines(out.String()))
		}
	})
}

// awaitAnswer waits until a server that was just started answers at an address.
func awaitAnswer(t *testing.T, transport http.RoundTripper, url string) {
	t.Helper()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		r, err := client.Get(url)
		if err == nil {
			_ = r.Body.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer: %v", url, err)
		}
	}
}
