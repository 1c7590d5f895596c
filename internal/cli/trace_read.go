package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/trace"
)

// captureFlags say which connection of a file is meant, and what opens it.
type captureFlags struct {
	keyLog     string
	connection int
}

func (c *captureFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.keyLog, "keylog", "", "open a capture with the secrets in this key log `FILE` (SSLKEYLOGFILE)")
	f.IntVar(&c.connection, "connection", 0, "of several connections in a file take the one with this `NUMBER`, from 1")
	_ = cmd.MarkFlagFilename("keylog")
}

// recordings is what a file holds.
type recordings struct {
	origin string
	all    []*trace.Recording
}

// readRecordings reads a recording (JSON), a packet capture (pcap, pcapng) or traces in the form of RFC 8448, whichever it
// is. What only its decoding would need, a key log, is taken if it was named.
func (a *app) readRecordings(cmd *cobra.Command, file string, o *captureFlags) (*recordings, error) {
	data, err := a.readTraceFile(file)
	if err != nil {
		return nil, err
	}
	rs := &recordings{origin: file}
	if data[0] == '{' {
		if o.keyLog != "" {
			return nil, usagef(cmd, "--keylog opens captures; %s is a recording already", file)
		}
		r, err := trace.ReadJSON(bytes.NewReader(data))
		if err != nil {
			return nil, notARecording(file, err)
		}
		rs.all = []*trace.Recording{r}
		return rs, nil
	}
	captures, err := trace.ReadPcap(bytes.NewReader(data))
	if errors.Is(err, trace.ErrPcap) && isTraceText(data) {
		captures, err = trace.ReadRFC8448(bytes.NewReader(data))
	}
	if err != nil {
		return nil, notARecording(file, err)
	}
	secrets, err := readKeyLog(o.keyLog)
	if err != nil {
		return nil, err
	}
	for _, c := range captures {
		c.KeyLog = append(c.KeyLog, secrets...)
		r, err := trace.Decode(c)
		if err != nil {
			return nil, cannotRun(err, "%s", file)
		}
		if r.Summary.ClientRandom != nil || len(r.Records) > 0 {
			rs.all = append(rs.all, r)
		}
	}
	if len(rs.all) == 0 {
		return nil, &failure{kind: kindLocal, text: "there is no TLS connection in " + file, hint: "was it recorded from its first byte on?"}
	}
	return rs, nil
}

// readTraceFile reads a file, or standard input, as far as a recording may be long.
func (a *app) readTraceFile(file string) ([]byte, error) {
	in := a.ui.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, cannotRun(err, "")
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, trace.MaxJSON+1))
	switch {
	case err != nil:
		return nil, cannotRun(err, "%s", file)
	case len(data) > trace.MaxJSON:
		return nil, &failure{kind: kindLocal, text: fmt.Sprintf("%s has more than %d MiB", file, trace.MaxJSON>>20)}
	case len(data) == 0:
		return nil, &failure{kind: kindLocal, text: file + " is empty"}
	}
	return data, nil
}

// isTraceText reports whether a file is text, as traces in the form of RFC 8448 are.
func isTraceText(data []byte) bool { return bytes.IndexByte(data[:min(len(data), 512)], 0) < 0 }

func notARecording(file string, err error) *failure {
	f := &failure{kind: kindLocal, err: err, text: file + ": " + strings.TrimPrefix(err.Error(), "trace: ")}
	switch {
	case errors.Is(err, trace.ErrSchema):
		f.hint = "make one: tlswright connect --trace=json -o FILE HOST"
	case errors.Is(err, trace.ErrPcap), errors.Is(err, trace.ErrRFC8448):
		f.hint = "read are recordings (JSON), pcap, pcapng, and traces as in RFC 8448"
	}
	return f
}

// readKeyLog reads the file of --keylog; "": none.
func readKeyLog(file string) ([]trace.KeyLogLine, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, cannotRun(err, "--keylog")
	}
	defer f.Close()
	lines, err := trace.ReadKeyLog(f)
	if err == nil && len(lines) == 0 {
		err = errors.New("there is no secret in it")
	}
	if err != nil {
		return nil, &failure{kind: kindLocal, text: "--keylog: " + file + ": " + strings.TrimPrefix(err.Error(), "trace: "), err: err,
			hint: "such a file is written with --keylog, or by programs that know SSLKEYLOGFILE"}
	}
	return lines, nil
}

// one is the recording that is meant: the one with --connection, or the only one.
func (rs *recordings) one(cmd *cobra.Command, o *captureFlags) (*trace.Recording, error) {
	n := len(rs.all)
	switch {
	case o.connection < 0 || o.connection > n:
		return nil, usagef(cmd, "--connection %d: %s holds %s", o.connection, rs.origin, countOf(n, "connection"))
	case o.connection > 0:
		return rs.all[o.connection-1], nil
	case n > 1:
		f := usagef(cmd, "%s holds %s", rs.origin, countOf(n, "connection"))
		f.hint = "choose one with --connection NUMBER: tlswright trace decode --list " + rs.origin
		return nil, f
	}
	return rs.all[0], nil
}

// readRecording is readRecordings for commands that want one.
func (a *app) readRecording(cmd *cobra.Command, file string, o *captureFlags) (*trace.Recording, error) {
	rs, err := a.readRecordings(cmd, file, o)
	if err != nil {
		return nil, err
	}
	return rs.one(cmd, o)
}
