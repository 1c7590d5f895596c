package cli

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/trace"
)

type traceExplainFlags struct {
	connect connectFlags
	capture captureFlags
	asJSON  bool
}

const traceExplainLong = `Explain how a connection failed: which side stopped, after which message, at
which check, and what to change. The argument is a FILE with a recording or a
capture, or a HOST[:PORT], to which a connection is made for the purpose.

A connection that failed is a failed check; one that was complete ends with 0.

` + exitCodeHelp

const traceExplainExample = `  tlswright trace explain failed.json
  tlswright trace explain app.test:8443
  tlswright trace explain --cert alice.pem --key alice.key api.test
  tlswright trace explain --capture-keylog keys.txt run.pcapng`

func newTraceExplain(a *app) *cobra.Command {
	o := &traceExplainFlags{}
	cmd := &cobra.Command{
		Use:     "explain FILE | HOST[:PORT]",
		Short:   "Explain a failed handshake: who stopped, where, why, what to change",
		Long:    traceExplainLong,
		Example: traceExplainExample,
		Args:    oneArg("a FILE with a recording, or a HOST to connect to"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.traceExplain(cmd, o, args[0]) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	f.StringVar(&o.capture.keyLog, "capture-keylog", "", "of a capture: open it with the secrets in this key log `FILE`")
	f.IntVar(&o.capture.connection, "connection", 0, "of a capture with several connections: the one with this `NUMBER`, from 1")
	f.StringSliceVar(&o.connect.ca, "ca", nil, "of a host: trust the certificates in this PEM `FILE`, and no others")
	f.StringVar(&o.connect.serverName, "servername", "", "of a host: the `NAME` to ask for (SNI) and to verify (default: the host)")
	f.StringVar(&o.connect.starttls, "starttls", "", "of a host: begin in plain text and go over to TLS, in `PROTOCOL`: "+strings.Join(names(starttls.Protocols()), ", "))
	complete(cmd, "starttls", names(starttls.Protocols()))
	o.connect.identity.register(cmd, "our")
	o.connect.negotiationFlags.register(cmd)
	o.connect.routeFlags.register(cmd)
	_ = cmd.MarkFlagFilename("ca", "pem", "crt", "cer")
	_ = cmd.MarkFlagFilename("capture-keylog")
	return cmd
}

// explanationJSON is `trace explain --json`. The names are stable.
type explanationJSON struct {
	Of       string         `json:"of"`
	Complete bool           `json:"complete"`
	Summary  trace.Summary  `json:"summary"`
	Failure  *trace.Failure `json:"failure,omitempty"`
	After    string         `json:"after,omitempty"` // the last message before the end
	Lines    []string       `json:"lines"`
	Error    *errorJSON     `json:"error,omitempty"`
}

func (a *app) traceExplain(cmd *cobra.Command, o *traceExplainFlags, arg string) error {
	var r *trace.Recording
	var problem *failure
	_, err := os.Stat(arg)
	if err == nil || arg == "-" {
		if r, err = a.readRecording(cmd, arg, &o.capture); err != nil {
			return err
		}
	} else if strings.ContainsAny(arg, "/\\") && !strings.Contains(arg, "://") {
		return cannotRun(noSuchFile(arg, err), "")
	} else if r, problem, err = a.recordHost(cmd, o, arg); err != nil {
		return err
	}
	j := explanationJSON{Of: arg, Lines: []string{}}
	if r != nil {
		j.Complete, j.Summary, j.Failure, j.Lines = r.Summary.Complete, r.Summary, r.Failure, trace.Explain(r)
		if j.Failure != nil && j.Failure.After >= 0 && j.Failure.After < len(r.Messages) {
			m := &r.Messages[j.Failure.After]
			j.After = m.Type + " of the " + string(m.From)
		}
	}
	switch {
	case problem == nil && j.Failure != nil:
		problem = &failure{kind: kindTLS, text: arg + ": " + shortFailure(j.Failure)}
	case j.Lines == nil:
		j.Lines = []string{}
	}
	if o.asJSON {
		j.Error = newErrorJSON(problem)
		if err := a.ui.printJSON(j); err != nil {
			return err
		}
	} else {
		a.printExplanation(j, r)
	}
	if problem != nil {
		return problem
	}
	return nil
}

// noSuchFile is why a path cannot be read.
func noSuchFile(path string, err error) error {
	if err == nil {
		err = fs.ErrNotExist
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return &fs.PathError{Op: "open", Path: path, Err: pathError.Err}
	}
	return err
}

// shortFailure says in one line who stopped and where.
func shortFailure(f *trace.Failure) string {
	why := f.Check
	if why == "" && f.Alert != "" {
		why = "alert " + f.Alert
	}
	if why == "" {
		why, _, _ = strings.Cut(f.Text, ";")
	}
	if f.By == "" {
		return "the connection failed: " + pki.Printable(why)
	}
	return "the " + string(f.By) + " stopped: " + pki.Printable(why)
}

// recordHost makes a connection, and returns what was recorded of it and how it failed; nil: it did not get as far.
func (a *app) recordHost(cmd *cobra.Command, o *traceExplainFlags, arg string) (*trace.Recording, *failure, error) {
	if o.capture.keyLog != "" || o.capture.connection != 0 {
		return nil, nil, usagef(cmd, "there is no file %q, and --capture-keylog and --connection are about captures", arg)
	}
	protocol, err := o.connect.protocol(cmd)
	if err != nil {
		return nil, nil, err
	}
	t, err := parseTarget(cmd, arg, protocol.Port())
	if err != nil {
		return nil, nil, err
	}
	o.connect.tracer = &tracer{app: a}
	o.connect.offersHTTP = len(o.connect.alpn) == 0
	c, err := a.newConnector(cmd, &o.connect)
	if err != nil {
		return nil, nil, err
	}
	conn, outcome := c.dial(cmd.Context(), t)
	if conn != nil {
		c.finish(conn, outcome)
	}
	r, err := c.trace.take()
	if err = errors.Join(err, c.close()); err != nil {
		return nil, nil, cannotRun(err, "")
	}
	return r, outcome.problem, nil
}

func (a *app) printExplanation(j explanationJSON, r *trace.Recording) {
	s := &a.ui.out
	if r == nil {
		a.ui.write(s, s.paint(bold, pki.Printable(j.Of))+"\n"+s.rows([]row{{label: "stopped", value: "before TLS began: nothing was recorded"}}))
		return
	}
	text := s.paint(bold, pki.Printable(j.Of)) + "\n"
	f := j.Failure
	if f == nil {
		verdict := row{label: "verdict", value: "the handshake was complete, and nothing went wrong", style: good}
		if !j.Complete {
			verdict = row{label: "verdict", value: "the recording ends before the handshake does, and nothing says why", style: caution}
		}
		a.ui.write(s, text+s.rows(append(agreedRows(r), verdict)))
		return
	}
	rows := agreedRows(r)
	who := "neither side said so"
	if f.By != "" {
		who = "the " + string(f.By)
	}
	rows = append(rows, row{label: "who stopped", value: who, style: bad})
	rows = append(rows, row{label: "after", value: orWord(j.After, "nothing that could be read")})
	if f.Alert != "" {
		rows = append(rows, row{label: "alert", value: pki.Printable(f.Alert)})
	}
	if f.Check != "" {
		rows = append(rows, row{label: "check", value: pki.Printable(f.Check)})
	}
	why := pki.Printable(strings.TrimPrefix(f.Text, "tls: "))
	if f.Section != "" && !strings.Contains(why, f.Section) {
		why += " (" + f.Section + ")"
	}
	rows = append(rows, row{label: "why", value: why})
	if f.Change != "" {
		rows = append(rows, row{label: "what to change", value: pki.Printable(f.Change), style: caution})
	}
	a.ui.write(s, text+s.rows(rows))
}

// agreedRows say how far the two came.
func agreedRows(r *trace.Recording) []row {
	if r.Summary.Version == "" {
		return []row{{label: "agreed on", value: "nothing"}}
	}
	return []row{{label: "agreed on", value: r.Summary.Version + ", " + r.Summary.CipherSuite}}
}
