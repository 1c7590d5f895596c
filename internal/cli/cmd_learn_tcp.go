package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/minitls"
	"github.com/tlswright/tlswright/pki"
)

// lessonMachine is a client or a server of the simplified TLS.
type lessonMachine interface {
	Feed(line []byte, now time.Time) (minitls.Result, error)
	Seal(text []byte) ([]byte, error)
	Close() []byte
}

// lessonPatience bounds how long a line of the peer may take.
const lessonPatience = 30 * time.Second

type learnTCPFlags struct {
	dir     string
	name    string
	ca      string
	listen  string
	send    string
	once    bool
	secrets bool
	asJSON  bool
}

// saidReport is one line of `learn server --json` and `learn client --json`.
type saidReport struct {
	Listening string `json:"listening,omitempty"`
	Said      string `json:"peer_said,omitempty"`
}

func newLearnServer(a *app) *cobra.Command {
	o := &learnTCPFlags{}
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Be the server of the simplified TLS",
		Long: `Wait for clients of the simplified TLS, take the steps with each, and answer
what they say in capitals.`,
		Example: "  tlswright learn server\n  tlswright learn server --listen 127.0.0.1:9000 --dir ./lesson --once",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.learnServer(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:4434", "the `ADDRESS` to listen on; port 0 takes a free one")
	f.StringVar(&o.dir, "dir", "lesson", "the `DIR` that learn certs wrote")
	f.BoolVar(&o.once, "once", false, "serve one client and end")
	f.BoolVar(&o.secrets, "secrets", false, "show the secret values too")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, one object a line")
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

func newLearnClient(a *app) *cobra.Command {
	o := &learnTCPFlags{}
	cmd := &cobra.Command{
		Use:   "client HOST:PORT",
		Short: "Be the client of the simplified TLS",
		Long: `Connect to a server of the simplified TLS, take the steps, say something, and
print what comes back.`,
		Example: "  tlswright learn client 127.0.0.1:4434 --send hello",
		Args:    oneArg("the HOST:PORT of the server"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.learnClient(cmd.Context(), o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.ca, "ca", "lesson/"+lessonRootFile, "the `FILE` of the CA's certificate")
	f.StringVar(&o.name, "name", lessonServerName, "the `NAME` of the server")
	f.StringVar(&o.send, "send", "hello", "the `TEXT` to say")
	f.BoolVar(&o.secrets, "secrets", false, "show the secret values too")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	_ = cmd.MarkFlagFilename("ca", "pem")
	return cmd
}

// say prints one thing for a person, or as JSON.
func (a *app) say(o *learnTCPFlags, r saidReport, format string, args ...any) error {
	if o.asJSON {
		return a.ui.printJSONLine(r)
	}
	a.ui.printf(format, args...)
	return nil
}

// tell prints each step as it is taken. The shared secret and what is derived from it stay hidden unless asked for.
func (a *app) tell(o *learnTCPFlags) minitls.Options {
	out := &a.ui.err
	return minitls.Options{Steps: func(step int, what string, value []byte) {
		text := fmt.Sprintf("%x", value)
		switch {
		case step == 15:
			text = fmt.Sprintf("%d bytes", len(value))
		case (step == 8 || step == 9) && !o.secrets:
			text = "(secret: shown with --secrets)"
		}
		a.ui.write(out, fmt.Sprintf("%2d  %s\n", step, fold(out, what+"  "+out.paint(faint, text), 4)))
	}}
}

func (a *app) learnServer(ctx context.Context, o *learnTCPFlags) error {
	l, err := readLesson(o.dir)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return cannotRun(err, "--listen")
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	defer func() { _ = listener.Close() }()
	if err := a.say(o, saidReport{Listening: listener.Addr().String()}, "listening on %s", listener.Addr()); err != nil {
		return err
	}
	for {
		c, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return cannotRun(err, "waiting for clients")
		}
		server, err := minitls.NewServer(minitls.ServerConfig{Certificate: l.server, Key: l.key, Options: a.tell(o)})
		if err != nil {
			return cannotRun(err, "making the server")
		}
		heard, err := a.converse(ctx, c, server, nil, strings.ToUpper)
		if err == nil {
			err = a.say(o, saidReport{Said: heard}, "the client said: %s", pki.Printable(heard))
		}
		switch {
		case o.once:
			return lessonFailure(err)
		case err != nil:
			a.ui.warnf("%v", err)
		}
	}
}

func (a *app) learnClient(ctx context.Context, o *learnTCPFlags, address string) error {
	roots, err := a.loadTrust([]string{o.ca})
	if err != nil {
		return err
	}
	client, hello, err := minitls.NewClient(minitls.ClientConfig{ServerName: o.name, Root: roots.roots[0], Options: a.tell(o)})
	if err != nil {
		return cannotRun(err, "making the client")
	}
	c, err := (&net.Dialer{Timeout: lessonPatience}).DialContext(ctx, "tcp", address)
	if err != nil {
		return cannotRun(err, "connecting")
	}
	heard, err := a.converse(ctx, c, client, hello, func(string) string { return o.send })
	if err != nil {
		return lessonFailure(err)
	}
	return a.say(o, saidReport{Said: heard}, "the server said: %s", pki.Printable(heard))
}

// lessonFailure tells a refusal by a check from a wire that broke.
func lessonFailure(err error) error {
	var refused *minitls.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return &failure{kind: kindTLS, text: "refused: " + pki.Printable(refused.Error()), err: err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &failure{kind: kindTLS, text: "the connection ended before the peer said that it was done", err: err,
			hint: "the peer refused something, or somebody cut the wire: see its own output"}
	}
	return cannotRun(err, "the conversation")
}

// maxHeard bounds what is kept of what a peer says, in bytes.
const maxHeard = 1 << 20

// converse drives a machine over a connection. A client speaks once the handshake is done, a server when the client is.
func (a *app) converse(ctx context.Context, c net.Conn, m lessonMachine, first []byte, answer func(heard string) string) (heard string, err error) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer func() { err = errors.Join(err, c.Close()) }()
	if _, err := c.Write(first); err != nil {
		return "", err
	}
	in := bufio.NewReaderSize(c, minitls.MaxLine)
	said := false
	for {
		if err := c.SetDeadline(a.now().Add(lessonPatience)); err != nil {
			return heard, err
		}
		line, err := in.ReadSlice('\n')
		if err != nil {
			return heard, err
		}
		r, err := m.Feed(line, a.now())
		if err != nil {
			return heard, err
		}
		if _, err := c.Write(r.Send); err != nil {
			return heard, err
		}
		if heard += string(r.Data); len(heard) > maxHeard {
			return heard, &minitls.Error{Check: minitls.CheckForm, Text: "the peer says more than is kept here"}
		}
		if r.Done && !said && (first != nil || r.Closed) {
			said = true
			lines, err := m.Seal([]byte(answer(heard)))
			if err != nil {
				return heard, err
			}
			if _, err := c.Write(append(lines, m.Close()...)); err != nil {
				return heard, err
			}
		}
		if r.Closed {
			return heard, nil
		}
	}
}
