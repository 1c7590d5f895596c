package cli

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/trace"
)

// The formats that commands treat in a way of their own.
const (
	formatBrief  = "brief"
	formatText   = "text"
	formatJSON   = "json"
	formatKeyLog = "keylog"
	formatPcapng = "pcapng"
)

// recordFlags say how much of a recording may leave the program.
type recordFlags struct{ secrets bool }

func (r *recordFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&r.secrets, "secrets", false, "let the recording hold keys and contents: whoever has it can read all of the connection")
}

// isForReading reports whether a format is text for people, which may stand below a report.
func isForReading(format string) bool { return format == formatBrief || format == formatText }

// check refuses what makes no sense: a format that does not exist, one of secrets alone without --secrets, bytes on a
// terminal.
func (r *recordFlags) check(cmd *cobra.Command, u *ui, format, file string) error {
	switch {
	case !slices.Contains(trace.Formats(), format):
		f := usagef(cmd, "%q is no format of a recording", format)
		f.hint = "known are " + strings.Join(trace.Formats(), ", ")
		return f
	case format == formatKeyLog && !r.secrets:
		f := usagef(cmd, "a key log is nothing but secrets")
		f.hint = "add --secrets if whoever gets the file may read the traffic"
		return f
	case format == formatPcapng && file == "" && u.out.width > 0:
		f := usagef(cmd, "a packet capture is nothing for a terminal")
		f.hint = "write it to a file with -o FILE"
		return f
	}
	return nil
}

// warn says loudly what --secrets means.
func (r *recordFlags) warn(u *ui) {
	if r.secrets {
		u.warnf("--secrets: the recording holds the keys and the contents of the connection; whoever has it can read all of it")
	}
}

// writeRecording writes a recording to a file, or where none is named to a stream. Secrets leave only with --secrets.
func (a *app) writeRecording(s *stream, r *trace.Recording, format, file string, flags recordFlags) error {
	var b bytes.Buffer
	o := trace.Options{Secrets: flags.secrets}
	if file == "" {
		o.Width, o.Color = s.width, s.isColor
	}
	err := trace.Write(&b, r, format, o)
	switch {
	case errors.Is(err, trace.ErrNoSecrets):
		return &failure{kind: kindLocal, text: "the recording holds no secrets, so that there is nothing for a " + format, err: err,
			hint: "it must be made with --secrets, or decoded with the key log of the run"}
	case err != nil:
		return cannotRun(err, "")
	case file == "":
		a.ui.write(s, b.String())
		return nil
	}
	return a.writeTraceFile(file, b.Bytes(), flags.secrets)
}

// writeTraceFile writes what only its owner may read: with secrets it must be so, and names of hosts are not for all either.
func (a *app) writeTraceFile(file string, data []byte, hasSecrets bool) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return cannotRun(err, "-o")
	}
	if hasSecrets {
		err = f.Chmod(0o600) // it may have existed, for all to read
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return cannotRun(err, "-o")
	}
	a.ui.notef("the recording is in %s, %s", file, byteCount(int64(len(data))))
	return nil
}
