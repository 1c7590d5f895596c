package cli

import (
	"github.com/spf13/cobra"
)

type traceShowFlags struct {
	outputFlags
	capture captureFlags
}

const traceShowLong = `Show a recording in any form. Without --format it is text: the bytes on the
left, what they mean on the right, then the key schedule and the checks.

Forms: text, brief (a dozen lines), json, html (one page that needs no network),
rfc8448, keylog (SSLKEYLOGFILE) and pcapng, which Wireshark opens. Keys and
contents that the recording holds are left out unless --secrets is given; with
it, pcapng carries the keys, so that Wireshark shows what was said.

` + exitCodeHelp

const traceShowExample = `  tlswright trace show run.json
  tlswright trace show --format brief run.json
  tlswright trace show --format html -o run.html run.json
  tlswright trace show --secrets --format pcapng -o run.pcapng run.json`

func newTraceShow(a *app) *cobra.Command {
	o := &traceShowFlags{}
	cmd := &cobra.Command{
		Use:     "show FILE",
		Short:   "Show a recording: text, HTML, JSON, pcapng and more",
		Long:    traceShowLong,
		Example: traceShowExample,
		Args:    oneArg("a FILE with a recording"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.traceShow(cmd, o, args[0]) },
	}
	o.outputFlags.register(cmd, formatText)
	o.capture.register(cmd)
	return cmd
}

func (a *app) traceShow(cmd *cobra.Command, o *traceShowFlags, file string) error {
	if err := o.settle(cmd, a.ui); err != nil {
		return err
	}
	r, err := a.readRecording(cmd, file, &o.capture)
	if err != nil {
		return err
	}
	if r.HasSecrets {
		o.warn(a.ui)
	}
	return a.writeRecording(&a.ui.out, r, o.format, o.output, o.recordFlags)
}
