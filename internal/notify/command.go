package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/pki"
)

// command runs a program, with the notice as JSON on its standard input and in short in its environment.
type command struct{ words []string }

func newCommand(c config.Channel) (*command, error) {
	if len(c.Command) == 0 {
		return nil, errors.New("command is needed: a program with its arguments")
	}
	if _, err := exec.LookPath(c.Command[0]); err != nil {
		return nil, err
	}
	return &command{c.Command}, nil
}

// maxOutput bounds what of a command's output is told, in bytes.
const maxOutput = 4 << 10

// Send implements Channel. The program succeeds by its exit code.
func (c *command) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(payload(&m))
	if err != nil {
		return &RefusedError{err}
	}
	// Nothing of a notice is an argument: nothing of it can be taken for an option.
	cmd := exec.CommandContext(ctx, c.words[0], c.words[1:]...)
	cmd.WaitDelay = time.Second
	cmd.Stdin = bytes.NewReader(append(body, '\n'))
	out := &tail{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), "TLSWRIGHT_EVENT="+string(m.Event), "TLSWRIGHT_SEVERITY="+m.Severity.String(), "TLSWRIGHT_ID="+m.ID,
		"TLSWRIGHT_INCIDENT="+m.Incident, "TLSWRIGHT_SUBJECT="+Subject(&m), "TLSWRIGHT_AFFECTED="+strconv.Itoa(m.Affected))
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %w: %s", c.words[0], err, pki.Printable(strings.TrimSpace(string(out.bytes))))
	}
	return nil
}

// tail keeps the last bytes of what is written.
type tail struct{ bytes []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.bytes = append(t.bytes, p[max(0, len(p)-maxOutput):]...)
	t.bytes = t.bytes[max(0, len(t.bytes)-maxOutput):]
	return len(p), nil
}
