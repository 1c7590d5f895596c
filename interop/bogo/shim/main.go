// Command shim is the program that BoringSSL's TLS test suite, BoGo, drives: one process per test, flags in, TLS
// connections to the suite's runner, an exit status out. It knows the runner's protocol - flags, exit statuses, the names
// of errors - and puts it into terms of tlscore, whose machine it turns by hand over a blocking TCP connection, so that
// what is judged is the machine and nothing around it. It does not know which tests there are, nor what they expect.
package main

import (
	"errors"
	"fmt"
	"os"
)

// The exit statuses that the runner understands; every other means failure.
const (
	exitDone          = 0
	exitFailed        = 1
	exitUnimplemented = 89
)

// errUnimplemented ends a test that asks for something tlswright does not have (yet). The runner counts such tests
// apart.
var errUnimplemented = errors.New("not implemented")

func main() { os.Exit(run(os.Args[1:])) }

// run plays one test. The runner wants a silent standard error where all went well, and the name of the error there
// where it did not; standard output is for people.
func run(args []string) int {
	p, err := parseFlags(args)
	if err == nil && p.initial.isHandshakerSupported {
		fmt.Println("No")
		return exitDone
	}
	if err == nil {
		err = play(p)
	}
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errUnimplemented):
		fmt.Println(err)
		return exitUnimplemented
	}
	fmt.Fprintln(os.Stderr, describe(err))
	return exitFailed
}

// unimplemented says what is missing.
func unimplemented(what string) error { return fmt.Errorf("%w: %s", errUnimplemented, what) }
