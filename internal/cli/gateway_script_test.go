package cli

import (
	"errors"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// startGateway is `gateway NAME ARG...`: runs `tlswright gateway run ARG...`; $NAME is the address of its first listener.
func startGateway(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: gateway NAME ARG...")
	}
	startOurs(ts, args[0], append([]string{"gateway", "run"}, args[1:]...))
}

// reloadGateway is `reload NAME`: SIGHUP, until NAME.err says what became of it.
func reloadGateway(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: reload NAME")
	}
	before := len(ts.ReadFile(args[0] + ".err"))
	s := ts.Value(serversKey{}).(map[string]*server)[args[0]]
	ts.Check(s.cmd.Process.Signal(syscall.SIGHUP))
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if said := ts.ReadFile(args[0] + ".err")[before:]; containsAny(said, "read again: ", "stays as it was: ") {
			return
		}
	}
	ts.Fatalf("the gateway does not say that it has read its file again")
}

// soon is `soon NAME TEXT`: TEXT appears in the output of NAME, NAME.out or NAME.err, before long.
func soon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: soon NAME TEXT")
	}
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if containsAny(ts.ReadFile(args[0]+".out")+ts.ReadFile(args[0]+".err"), args[1]) {
			return
		}
	}
	ts.Fatalf("%s does not say %q:\n%s%s", args[0], args[1], ts.ReadFile(args[0]+".out"), ts.ReadFile(args[0]+".err"))
}

// eventually is `eventually CODE PROGRAM ARG...`: as exits, but what takes its time is tried again.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually CODE PROGRAM ARG...")
	}
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		code := 0
		if err := ts.Exec(args[1], args[2:]...); err != nil {
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				ts.Fatalf("%v", err)
			}
			code = exit.ExitCode()
		}
		if strconv.Itoa(code) == args[0] {
			return
		}
	}
	ts.Fatalf("no exit code %s", args[0])
}

func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
}
