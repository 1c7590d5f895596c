package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/trace"
)

type traceDecodeFlags struct {
	outputFlags
	capture captureFlags
	isList  bool
}

const traceDecodeLong = `Decode the TLS connections in a packet capture, with the secrets of a key log:
those of --keylog, and those that a pcapng file brings along. Without secrets
the hellos, and in TLS 1.2 the certificates, can still be read.

Several connections are listed, a line each; --connection takes one of them.
With --secrets -o FILE the result is kept as a recording that needs the capture
no more.

` + exitCodeHelp

const traceDecodeExample = `  tlswright trace decode run.pcapng
  tlswright trace decode --keylog keys.txt run.pcap
  tlswright trace decode --keylog keys.txt --connection 2 --format text run.pcap
  tlswright trace decode --keylog keys.txt --json -o run.json run.pcap`

func newTraceDecode(a *app) *cobra.Command {
	o := &traceDecodeFlags{}
	cmd := &cobra.Command{
		Use:     "decode CAPTURE",
		Short:   "Decode a packet capture with a key log",
		Long:    traceDecodeLong,
		Example: traceDecodeExample,
		Args:    oneArg("a CAPTURE: a pcap or pcapng file"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.traceDecode(cmd, o, args[0]) },
	}
	o.outputFlags.register(cmd, formatBrief)
	o.capture.register(cmd)
	cmd.Flags().BoolVar(&o.isList, "list", false, "only list the connections")
	return cmd
}

func (a *app) traceDecode(cmd *cobra.Command, o *traceDecodeFlags, file string) error {
	if err := o.settle(cmd, a.ui); err != nil {
		return err
	}
	rs, err := a.readRecordings(cmd, file, &o.capture)
	if err != nil {
		return err
	}
	if o.isList || len(rs.all) > 1 && o.capture.connection == 0 && !cmd.Flags().Changed("format") && o.output == "" {
		return a.listConnections(rs, o.asJSON)
	}
	r, err := rs.one(cmd, &o.capture)
	if err != nil {
		return err
	}
	if r.HasSecrets {
		o.warn(a.ui)
	}
	return a.writeRecording(&a.ui.out, r, o.format, o.output, o.recordFlags)
}

// connectionJSON is one connection of a list. The names are stable.
type connectionJSON struct {
	Number  int            `json:"connection"`
	Client  trace.Endpoint `json:"client"`
	Server  trace.Endpoint `json:"server"`
	Summary trace.Summary  `json:"summary"`
	Opened  bool           `json:"opened"` // there were secrets for it
	Failure string         `json:"failure,omitempty"`
}

func (a *app) listConnections(rs *recordings, asJSON bool) error {
	cells := [][]string{{"NUMBER", "CLIENT", "SERVER", "NAME", "VERSION", "CIPHER SUITE", "KEYS", "END"}}
	for i, r := range rs.all {
		j := connectionJSON{Number: i + 1, Client: r.Client, Server: r.Server, Summary: r.Summary, Opened: r.HasSecrets}
		end, keys := "complete", "no"
		if !r.Summary.Complete {
			end = "not complete"
		}
		if r.Failure != nil {
			j.Failure, end = pki.Printable(r.Failure.Text), "failed"
		}
		if !r.HasSecrets && !r.Summary.Complete {
			end = "cannot be told"
		}
		if r.HasSecrets {
			keys = "yes"
		}
		if asJSON {
			if err := a.ui.printJSONLine(j); err != nil {
				return err
			}
		}
		cells = append(cells, []string{strconv.Itoa(i + 1), r.Client.Address, r.Server.Address, orWord(r.Summary.ServerName, "-"), orWord(r.Summary.Version, "-"), orWord(r.Summary.CipherSuite, "-"), keys, end})
	}
	if asJSON {
		return nil
	}
	paint := func(r, col int) style {
		if col == 7 && cells[r][7] == "failed" {
			return bad
		}
		return plain
	}
	text := a.ui.out.grid(cells, paint)
	if a.ui.out.width > 0 && gridWidth(cells) > a.ui.out.width {
		text = a.ui.out.bands(cells, paint)
	}
	a.ui.write(&a.ui.out, text)
	return nil
}
