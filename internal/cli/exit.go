package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/keystore"
)

// The exit codes of every command. They are an interface: scripts rely on them, docs/man and --help print them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitCannotRun   = 3
	exitRefused     = 4
	exitTimeout     = 5
	exitDNS         = 6
	exitInterrupted = 130
)

// exitCodeHelp is the table printed by --help and in the man pages.
const exitCodeHelp = exitCodeTitle + `  0    done; every check passed
  1    a check failed: no TLS with this peer, a certificate that is not trusted,
       an HTTP error
  2    the command line is wrong
  3    could not run: a file, a key or the network stood in the way
  4    connection refused
  5    timed out
  6    the name has no address (DNS)
  130  interrupted`

// exitCodeTitle is the first line of it.
const exitCodeTitle = "Exit codes:\n"

// failureKind says in one stable word what went wrong. It stands in the "kind" field of --json.
type failureKind string

const (
	kindTLS         failureKind = "tls"     // the handshake or the connection after it failed
	kindTrust       failureKind = "trust"   // the peer's certificate was not accepted
	kindFinding     failureKind = "finding" // a check found something
	kindUsage       failureKind = "usage"
	kindLocal       failureKind = "local" // files and keys on this machine
	kindNetwork     failureKind = "network"
	kindRefused     failureKind = "refused"
	kindTimeout     failureKind = "timeout"
	kindDNS         failureKind = "dns"
	kindInterrupted failureKind = "interrupted"
)

// exitCode is the code a failure of this kind ends the process with.
func (k failureKind) exitCode() int {
	switch k {
	case kindTLS, kindTrust, kindFinding:
		return exitFailed
	case kindUsage:
		return exitUsage
	case kindRefused:
		return exitRefused
	case kindTimeout:
		return exitTimeout
	case kindDNS:
		return exitDNS
	case kindInterrupted:
		return exitInterrupted
	default:
		return exitCannotRun
	}
}

// failure is how a command ends when it does not end well: one line that says what happened and one that says what
// to do about it.
type failure struct {
	kind failureKind
	text string // lower case, no full stop
	hint string // what to try next; may be empty
	err  error  // the cause, for errors.As; may be nil
	told bool   // the text already stands in the output; only the exit code is left to give
}

func (f *failure) Error() string { return f.text }

func (f *failure) Unwrap() error { return f.err }

// usagef reports a wrong command line; the hint names the help page of cmd.
func usagef(cmd *cobra.Command, format string, args ...any) *failure {
	return &failure{kind: kindUsage, text: fmt.Sprintf(format, args...), hint: helpHint(cmd)}
}

func helpHint(cmd *cobra.Command) string { return "see: " + cmd.CommandPath() + " --help" }

// cannotRun wraps an error of this machine (files, keys, sockets), with a hint when the error brings one.
func cannotRun(err error, format string, args ...any) *failure {
	f := &failure{kind: kindLocal, err: err, text: fmt.Sprintf(format, args...)}
	if f.text != "" {
		f.text += ": "
	}
	f.text += plainError(err)
	var perm *keystore.PermissionError
	if errors.As(err, &perm) {
		f.hint = perm.Hint
	}
	var hinted interface {
		error
		Hint() string
	}
	if f.hint == "" && errors.As(err, &hinted) {
		f.hint = hinted.Hint()
	}
	var path *fs.PathError
	if f.hint == "" && errors.As(err, &path) && errors.Is(path, fs.ErrPermission) {
		f.hint = "may this user read and write there?"
	}
	return f
}

// plainError is the text of err without the system call's name in front: "open x: no such file" says no more to a
// person than "x: no such file".
func plainError(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		text := path.Path + ": " + path.Err.Error()
		if before, _, _ := strings.Cut(err.Error(), path.Error()); strings.Contains(before, path.Path) {
			text = path.Err.Error() // it is named already
		}
		return strings.Replace(err.Error(), path.Error(), text, 1)
	}
	return err.Error()
}

// problemFailure puts a problem of the estate into the form of commands.
func problemFailure(p *estate.Problem) *failure {
	kind := map[estate.Kind]failureKind{estate.Usage: kindUsage, estate.Finding: kindFinding}[p.Kind]
	if kind == "" {
		kind = kindLocal
	}
	return &failure{kind: kind, text: p.Text, hint: p.Advice, err: p}
}

// isGivenUp reports whether a service could not be opened because it was told to end meanwhile. That is no failure: it ends in
// good order, as it would a moment later. What opening was at when the context ended says so in many ways, and not always by
// an error that wraps it.
func isGivenUp(ctx context.Context, err error) bool { return err != nil && ctx.Err() != nil }

// asFailure gives every error that reaches the top a kind, so that none leaves without an exit code of its own.
func asFailure(err error) *failure {
	var f *failure
	var p *estate.Problem
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &p):
		return problemFailure(p)
	case errors.Is(err, context.Canceled):
		return &failure{kind: kindInterrupted, text: "interrupted", err: err}
	default:
		return cannotRun(err, "")
	}
}
