package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/trace"
)

const traceLong = `Look into TLS connections that were recorded: every byte with its meaning, the
messages inside the encryption, each secret with what it was derived from, and
each check computed anew from the bytes.

Recordings come from "connect --trace=json", "serve --trace", or from a packet
capture with the key log of one of the two sides. Wherever a file is read it may
be a recording (JSON), pcap, pcapng, or a trace as in RFC 8448.`

const traceExample = `  tlswright connect --trace=json -o run.json example.com
  tlswright trace show run.json
  tlswright trace decode run.pcapng --keylog keys.txt
  tlswright trace compare tls12.json tls13.json
  tlswright trace explain app.test:8443`

func newTrace(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:     "trace",
		Short:   "Look into recorded connections: every byte, secret and check",
		Long:    traceLong,
		Example: traceExample,
	}, newTraceShow(a), newTraceDecode(a), newTraceCompare(a), newTraceExplain(a))
}

// outputFlags say how a recording is shown, and where.
type outputFlags struct {
	recordFlags
	format string
	output string
	asJSON bool
}

func (o *outputFlags) register(cmd *cobra.Command, format string) {
	f := cmd.Flags()
	f.StringVar(&o.format, "format", format, "show it as `FORMAT`: "+strings.Join(trace.Formats(), ", "))
	f.StringVarP(&o.output, "output", "o", "", "write to `FILE` instead of standard output")
	f.BoolVar(&o.asJSON, "json", false, "the same as --format json")
	complete(cmd, "format", trace.Formats())
	o.recordFlags.register(cmd)
}

// settle checks the flags before anything is read.
func (o *outputFlags) settle(cmd *cobra.Command, u *ui) error {
	if o.asJSON {
		if cmd.Flags().Changed("format") && o.format != formatJSON {
			return usagef(cmd, "--json and --format %s exclude each other", o.format)
		}
		o.format = formatJSON
	}
	if o.output == "-" {
		o.output = ""
	}
	return o.check(cmd, u, o.format, o.output)
}
