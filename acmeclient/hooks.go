package acmeclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// Hooks are commands, run by the shell: before anything is done, after everything, and once for each certificate that is
// new. RENEWED_LINEAGE and RENEWED_DOMAINS tell which, as certbot's do.
type Hooks struct {
	Pre    string   `json:"pre,omitempty"`
	Post   string   `json:"post,omitempty"`
	Deploy []string `json:"deploy,omitempty"`
}

// HookError says that a certificate is there, and what should have followed is not done.
type HookError struct {
	Command string
	Output  string // the last line, fit to print
	Err     error
}

// Error tells the command and its last line.
func (e *HookError) Error() string {
	if _, ok := errors.AsType[*InstallError](e.Err); ok {
		return fmt.Sprintf("the certificate is there, but it is not installed: %s", e.Output)
	}
	return fmt.Sprintf("the hook %q failed: %v: %s", pki.Printable(e.Command), e.Err, e.Output)
}

// Unwrap gives the cause.
func (e *HookError) Unwrap() error { return e.Err }

func shell(ctx context.Context, command string, env ...string) error {
	if command == "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return &HookError{Command: command, Output: pki.Printable(lastLine(out)), Err: err}
	}
	return nil
}

// deploy runs the deploy hooks of a certificate; all of them, whatever one says.
func (h Hooks) deploy(ctx context.Context, t *Tree, c *Certificate) error {
	var errs []error
	for _, command := range h.Deploy {
		errs = append(errs, shell(ctx, command, "RENEWED_LINEAGE="+t.Live(c.Name), "RENEWED_DOMAINS="+strings.Join(c.Renewal.Names, " ")))
	}
	return errors.Join(errs...)
}
