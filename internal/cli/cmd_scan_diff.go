package cli

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/grade/report"
)

const scanDiffLong = `Compare two results of "tlswright scan", as --json or --format jsonl wrote them:
which grades changed and why, what was switched on and off, which certificates
are new. Servers are brought together by target and address. Both are judged by
the rules of today.

The command ends with 1 if anything changed for the worse.

` + exitCodeHelp

const scanDiffExample = `  tlswright scan --json -o monday.json example.com
  tlswright scan --json -o friday.json example.com
  tlswright scan diff monday.json friday.json`

func newScanDiff(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "diff OLD NEW",
		Short:   "Compare two results: what changed, and for the better or the worse",
		Long:    scanDiffLong,
		Example: scanDiffExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef(cmd, "%q needs two FILEs with results", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.scanDiff(args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) scanDiff(args []string, asJSON bool) error {
	var both [2][]report.Report
	for i, file := range args {
		var err error
		if both[i], err = readResults(file); err != nil {
			return err
		}
	}
	diffs := report.Pair(both[0], both[1], grade.Diff)
	var b bytes.Buffer
	write := func() error {
		s := &a.ui.out
		return report.DiffText(&b, diffs, report.Options{Width: s.width, Paint: func(st report.Style, text string) string { return s.paint(paintOf(st), text) }})
	}
	if asJSON {
		write = func() error { return report.DiffJSON(&b, diffs) }
	}
	if err := write(); err != nil {
		return cannotRun(err, "writing the changes")
	}
	a.ui.write(&a.ui.out, b.String())
	if report.Worsened(diffs) {
		return &failure{kind: kindFinding, text: "something changed for the worse"}
	}
	return nil
}

// readResults reads stored results and judges them again, so that both sides are held to the same rules.
func readResults(file string) ([]report.Report, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, cannotRun(err, "")
	}
	defer f.Close()
	var all []report.Report
	for stored := report.NewReader(f); ; {
		one, err := stored.Next()
		switch {
		case errors.Is(err, io.EOF) && len(all) == 0:
			return nil, &failure{kind: kindLocal, text: file + " holds no results"}
		case errors.Is(err, io.EOF):
			return all, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, &failure{kind: kindLocal, text: file + " ends in the middle of a result", hint: "tlswright scan --resume goes on with a broken run", err: err}
		case err != nil:
			return nil, cannotRun(err, "%s", file)
		}
		if one.Facts != nil {
			one.Result = grade.Judge(one.Facts, grade.Options{})
		}
		all = append(all, one)
	}
}
