package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/trace"
)

type traceCompareFlags struct {
	capture captureFlags
	isAll   bool
	asJSON  bool
}

const traceCompareLong = `Lay two recordings side by side: what was offered, what was agreed on, who
showed which certificate, how it ended and what it cost; and whether a
difference matters. Random values, which always differ, are left out.

Of a TLS 1.2 and a TLS 1.3 recording it also gives the thirteen points in which
the two protocols are not the same, each with what these two connections show of
it.

What differs is no failure: the command ends with 0 whenever it could compare.

` + exitCodeHelp

const traceCompareExample = `  tlswright connect --max 1.2 --trace=json -o tls12.json example.com
  tlswright connect --trace=json -o tls13.json example.com
  tlswright trace compare tls12.json tls13.json
  tlswright trace compare --all curl.pcapng browser.pcapng`

func newTraceCompare(a *app) *cobra.Command {
	o := &traceCompareFlags{}
	cmd := &cobra.Command{
		Use:     "compare ONE OTHER",
		Short:   "Compare two recordings: what differs, and whether it matters",
		Long:    traceCompareLong,
		Example: traceCompareExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef(cmd, "%q needs two FILEs with recordings", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.traceCompare(cmd, o, args) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.isAll, "all", false, "show what is the same as well")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	o.capture.register(cmd)
	return cmd
}

// comparisonJSON is `trace compare --json`. The names are stable.
type comparisonJSON struct {
	One     string `json:"one"`
	Other   string `json:"other"`
	Matters int    `json:"matters"` // how many differences do
	*trace.Comparison
}

func (a *app) traceCompare(cmd *cobra.Command, o *traceCompareFlags, args []string) error {
	var both [2]*trace.Recording
	for i, file := range args {
		var err error
		if both[i], err = a.readRecording(cmd, file, &o.capture); err != nil {
			return err
		}
	}
	c := trace.Compare(both[0], both[1])
	j := comparisonJSON{One: args[0], Other: args[1], Comparison: c}
	shown := []trace.Difference{}
	for _, d := range c.Parts {
		if d.Matters {
			j.Matters++
		}
		if d.Differs || o.isAll {
			shown = append(shown, d)
		}
	}
	c.Parts = shown
	if o.asJSON {
		return a.ui.printJSON(j)
	}
	a.printComparison(j)
	return nil
}

func (a *app) printComparison(j comparisonJSON) {
	s := &a.ui.out
	text := s.paint(bold, fmt.Sprintf("%s and %s", pki.Printable(j.One), pki.Printable(j.Other))) + "\n"
	for _, d := range j.Parts {
		text += differenceText(s, d)
	}
	if len(j.Parts) == 0 {
		text += "  no difference but in what is random\n"
	}
	text += "\n" + s.rows([]row{{label: "differences that matter", value: strconv.Itoa(j.Matters)}})
	if len(j.Points) > 0 {
		text += "\n" + s.paint(bold, "TLS 1.2 against TLS 1.3, in thirteen points") + "\n"
		for _, p := range j.Points {
			text += pointText(s, p)
		}
	}
	a.ui.write(s, text)
}

// differenceText is one part, on several lines: what it is, both sides, what that means.
func differenceText(s *stream, d trace.Difference) string {
	head, st := d.Part, plain
	switch {
	case d.Matters:
		head, st = head+": differs, and it matters", caution
	case d.Differs:
		head += ": differs"
	}
	if !d.Differs {
		return s.rows([]row{{label: d.Part + ": the same", value: pki.Printable(orWord(d.One, "none"))}})
	}
	text := "  " + s.paint(st, head) + "\n"
	rows := []row{{label: "  one", value: pki.Printable(orWord(d.One, "none"))}, {label: "  other", value: pki.Printable(orWord(d.Other, "none"))}}
	if d.Meaning != "" {
		meaning := pki.Printable(d.Meaning)
		if d.Section != "" {
			meaning += " (" + d.Section + ")"
		}
		rows = append(rows, row{label: "  meaning", value: meaning, style: faint})
	}
	return text + s.rows(rows)
}

// pointText is one of the thirteen points.
func pointText(s *stream, p trace.Point) string {
	mark := ""
	if !p.Shows {
		mark = " (these two do not show it)"
	}
	text := fmt.Sprintf("  %2d. %s%s\n", p.Number, s.paint(bold, p.Feature), mark)
	return text + s.rows([]row{
		{label: "    TLS 1.2", value: p.Rule12},
		{label: "    here", value: pki.Printable(p.Shown12), style: faint},
		{label: "    TLS 1.3", value: p.Rule13},
		{label: "    here", value: pki.Printable(p.Shown13), style: faint},
		{label: "    why", value: p.Why + " (" + p.Section + ")"},
	})
}
