package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/tlsnet"
)

// Message is a notice on its way.
type Message struct {
	incident.Notice
	Link string // where to read on; "": nowhere
	Test bool   // somebody tries the channel
}

// Channel is one way to people. It may be used concurrently.
type Channel interface {
	// Send delivers a message. The error says why it did not arrive, in words that may be shown; a [*RefusedError] will not
	// go away by itself, and after a [*PartialError] it need not be sent again.
	Send(ctx context.Context, m Message) error
}

// RefusedError says that a channel is set up wrongly, or that the other end does not want the message: trying again is of
// little use.
type RefusedError struct{ Err error }

// Error returns the reason.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Err }

// PartialError says that a message has reached some of those who were to get it, and why it has not reached the others. Sending
// it again would tell the former twice.
type PartialError struct{ Err error }

// Error returns the reason.
func (e *PartialError) Error() string { return "not everybody got it: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *PartialError) Unwrap() error { return e.Err }

// Options are what channels share.
type Options struct {
	Now     func() time.Time // nil: time.Now
	Timeout time.Duration    // for a message; 0: half a minute
}

const defaultTimeout = 30 * time.Second

// maxSecret bounds a file with a password or key, in bytes.
const maxSecret = 64 << 10

// New makes a channel. The error says which setting does not fit; files with secrets are read when a message is sent, so
// that a changed password needs no restart, and once here, so that a missing one is told at once.
func New(c config.Channel, o Options) (Channel, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	roots, err := rootsOf(c.CA)
	if err != nil {
		return nil, err
	}
	var ch Channel
	switch c.Kind {
	case "email":
		ch, err = newEmail(c, o, roots)
	case "slack":
		ch, err = newSlack(c, o, roots)
	case "webhook":
		ch, err = newWebhook(c, o, roots)
	case "command":
		ch, err = newCommand(c)
	default:
		err = fmt.Errorf("there is no kind of channel called %q: take email, slack, webhook or command", c.Kind)
	}
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", c.Name, err)
	}
	return &bounded{Channel: ch, timeout: o.Timeout}, nil
}

// bounded ends what takes too long.
type bounded struct {
	Channel
	timeout time.Duration
}

func (b *bounded) Send(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	err := b.Channel.Send(ctx, m)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", b.timeout)
	}
	return err
}

// Wants reports whether a channel is told of a notice.
func Wants(c *config.Channel, n *incident.Notice) bool {
	least := incident.Warning
	if c.Least != "" {
		if err := least.UnmarshalText([]byte(c.Least)); err != nil {
			return true // rather too much than nothing; the configuration's reader refuses it
		}
	}
	if n.Severity < least {
		return false
	}
	targets := n.All
	if len(targets) == 0 {
		targets = n.Targets
	}
	if len(c.Targets) == 0 || len(targets) == 0 {
		return true
	}
	return slices.ContainsFunc(c.Targets, func(pattern string) bool {
		return slices.ContainsFunc(targets, func(t string) bool { return incident.Matches(pattern, t) })
	})
}

func rootsOf(file string) ([]*x509.Certificate, error) {
	if file == "" {
		return nil, nil
	}
	return keystore.ReadCertificates(file)
}

// Secret reads a file with one secret, without the line's end, or takes it from the environment.
func Secret(file string) (string, error) {
	if name, ok := strings.CutPrefix(file, config.FromEnvironment); ok {
		text := os.Getenv(name)
		if text == "" {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		return text, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0: // modes say nothing there
		return "", fmt.Errorf("%s can be read by everybody: chmod 600 it", file)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case err != nil:
		return "", err
	case len(data) > maxSecret:
		return "", fmt.Errorf("%s is too long for a secret", file)
	case text == "":
		return "", fmt.Errorf("%s is empty", file)
	}
	return text, nil
}

// client is the TLS configuration of channels.
func client(roots []*x509.Certificate, now func() time.Time) *tlsnet.Config {
	return &tlsnet.Config{Roots: roots, Time: now}
}
