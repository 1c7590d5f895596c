package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

func TestFailuresAreToldApart(t *testing.T) {
	for _, tc := range []struct {
		err  error
		kind failureKind
		code int
	}{
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, kindRefused, 4},
		{&net.DNSError{Name: "x.test", IsNotFound: true}, kindDNS, 6},
		{&net.DNSError{Name: "x.test", IsTimeout: true}, kindDNS, 6},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, kindTimeout, 5},
		{tlsnet.ErrHandshakeTimeout, kindTimeout, 5},
		{context.DeadlineExceeded, kindTimeout, 5},
		{context.Canceled, kindInterrupted, 130},
		{&tlscore.Error{Code: tlscore.CodeBadSignature}, kindTLS, 1},
		{&tlscore.Error{Code: tlscore.CodePeerClosedEarly}, kindTLS, 1},
		{&tlscore.Error{Code: tlscore.CodeCertificateRejected, Err: &pki.VerifyError{Reason: pki.ReasonExpired, Text: "expired"}}, kindTrust, 1},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, kindTLS, 1},
		{io.ErrUnexpectedEOF, kindTLS, 1},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, kindNetwork, 3},
		{errors.New("something else"), kindNetwork, 3},
	} {
		f := connectionFailure("host:1", fmt.Errorf("wrapped: %w", tc.err))
		if f.kind != tc.kind || f.kind.exitCode() != tc.code {
			t.Errorf("%v: %s, exit code %d; want %s, %d", tc.err, f.kind, f.kind.exitCode(), tc.kind, tc.code)
		}
		if !strings.HasPrefix(f.text, "host:1: ") || strings.HasSuffix(f.text, ".") || strings.Contains(f.text, "\n") {
			t.Errorf("%v: told as %q", tc.err, f.text)
		}
	}
}

func TestEveryAlertHasWords(t *testing.T) {
	for a := range 256 {
		text, _ := explainAlert(wire.AlertCode(a))
		if !strings.Contains(text, wire.AlertCode(a).String()) {
			t.Errorf("%d: %q does not name the alert", a, text)
		}
	}
}

func TestTargetsAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"example.com":                  "example.com:443",
		"example.com:8443":             "example.com:8443",
		"example.com.":                 "example.com.:443",
		"127.0.0.1":                    "127.0.0.1:443",
		"127.0.0.1:1":                  "127.0.0.1:1",
		"::1":                          "[::1]:443",
		"[::1]":                        "[::1]:443",
		"[::1]:8443":                   "[::1]:8443",
		"bücher.example":               "xn--bcher-kva.example:443",
		"https://example.com/some/?x=": "example.com:443",
		"under_score.test":             "under_score.test:443",
	} {
		got, err := parseTarget(&cobra.Command{}, text, "")
		if err != nil || got.String() != want {
			t.Errorf("%q: %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":443", "host:", "host:0", "host:65536", "host:-1", "host:https", "a b", "me@host", "ftp://host", "host/path", "[::1", "::1]:443:1"} {
		if got, err := parseTarget(&cobra.Command{}, text, ""); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
	for host, want := range map[string]string{"example.com.": "example.com", "fe80::1%eth0": "fe80::1", "127.0.0.1": "127.0.0.1"} {
		if got := (target{host: host}).name(); got != want {
			t.Errorf("the name to verify of %s is %q", host, got)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{"example.com", "[::1]:443", "https://a/b", "ü:1", "a:b:c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseTarget(&cobra.Command{}, text, "")
		if err != nil {
			return
		}
		host, port, err := net.SplitHostPort(got.String())
		if err != nil || host != got.host || port != got.port || host == "" {
			t.Errorf("%q: %v cannot be dialed (%v)", text, got, err)
		}
	})
}

func TestAnEmptyPipeIsNoData(t *testing.T) {
	if r := pipedData(strings.NewReader("")); r != nil {
		t.Error("nothing was taken for data")
	}
	for name, in := range map[string]io.Reader{
		"at once":       strings.NewReader("some data"),
		"byte by byte":  iotest.OneByteReader(strings.NewReader("some data")),
		"data with EOF": iotest.DataErrReader(strings.NewReader("some data")),
	} {
		got, err := io.ReadAll(pipedData(in))
		if err != nil || string(got) != "some data" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestAPipeThatIsSilentAtFirstIsWaitedFor(t *testing.T) {
	r, w := io.Pipe()
	data := pipedData(r)
	if data == nil {
		t.Fatal("a silent pipe was taken for an empty one")
	}
	go func() {
		io.WriteString(w, "late data")
		w.Close()
	}()
	if got, err := io.ReadAll(data); err != nil || string(got) != "late data" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTourTellsAFailureAndEndsWithIt(t *testing.T) {
	a, out, _ := newTestApp()
	run, err := newTourRun(t.Context(), a, false)
	if err != nil {
		t.Fatal(err)
	}
	run.begin(1, chapter{title: "A chapter"})
	run.check("holds", func() (string, error) { return "as it should", nil })
	run.check("does not", func() (string, error) { return "", errors.New("because \x1b[31m of this") })
	run.skip("other program", "is not installed")
	if err := run.clean(); err != nil {
		t.Fatal(err)
	}
	if err := gone(run.home); err != nil {
		t.Error(err)
	}
	var f *failure
	if err := run.end(); !errors.As(err, &f) || f.kind.exitCode() != exitFailed {
		t.Errorf("ended with %v", err)
	}
	for _, want := range []string{"1  A chapter\n", "ok  holds", "FAILED  does not", `because \x1b[31m of this`, "skipped  other program"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out.String(), "passed in") {
		t.Errorf("it says that all is well:\n%s", out)
	}
	if j := run.json(0, f); j.Passed || j.Checks != 2 || j.Failed != 1 || j.Skipped != 1 {
		t.Errorf("JSON: %+v", j)
	}
}
