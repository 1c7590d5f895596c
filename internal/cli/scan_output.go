package cli

import (
	"bytes"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/grade/report"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/scan"
)

// scanOutput writes results in the format that was asked for: as they come where the format allows it, at the end
// otherwise.
type scanOutput struct {
	format  report.Format
	writer  *report.Writer
	app     *app
	path    string        // "": standard output
	file    *os.File      // of a format that is written as it comes
	buffer  *bytes.Buffer // of one that is written at the end
	isFleet bool
	kept    []report.Report // not yet written, for it is not known yet who shares a key with them
	sharing scan.Sharing    // who has whose key
	judge   func(*grade.Facts) *grade.Result
	note    func(*report.Report) // counts a result for the run as a whole
}

// newScanOutput checks --format and -o, and begins.
func (a *app) newScanOutput(cmd *cobra.Command, o *scanOutputFlags) (*scanOutput, error) {
	if o.asJSON {
		if cmd.Flags().Changed("format") && o.format != string(report.FormatJSON) {
			return nil, usagef(cmd, "--json and --format %s exclude each other", o.format)
		}
		o.format = string(report.FormatJSON)
	}
	format, ok := report.ParseFormat(o.format)
	if !ok {
		f := usagef(cmd, "--format %q is not one we know", o.format)
		f.hint = "known are " + joinedFormats()
		return nil, f
	}
	out := &scanOutput{format: format, app: a, path: o.output}
	if out.path == "-" {
		out.path = ""
	}
	options := report.Options{Verbose: o.verbose, MinGrade: grade.Letter(o.minGrade), Tool: "tlswright " + buildVersion().String()}
	var w io.Writer = uiWriter{a.ui}
	switch {
	case out.path == "":
		options.Width = a.ui.out.width
		options.Paint = func(s report.Style, text string) string { return a.ui.out.paint(paintOf(s), text) }
	case out.isStreamed():
		f, err := os.Create(out.path)
		if err != nil {
			return nil, cannotRun(err, "-o")
		}
		out.file, w = f, f
	default:
		out.buffer = new(bytes.Buffer)
		w = out.buffer
	}
	out.writer = report.NewWriter(w, format, options)
	return out, nil
}

func joinedFormats() string {
	var b bytes.Buffer
	for i, f := range report.Formats() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(f))
	}
	return b.String()
}

// isStreamed reports whether each result goes out at once.
func (o *scanOutput) isStreamed() bool {
	return o.format == report.FormatJSONLines || o.format == report.FormatCSV
}

// keepsAll reports whether the format tells everything that is known of a result.
func (o *scanOutput) keepsAll() bool {
	return o.format == report.FormatJSONLines || o.format == report.FormatJSON
}

// maxHeld is how many results wait to be told who shares a key with them. The rest of a larger fleet is told of those before.
const maxHeld = 1000

// add takes one result. What a format needs at the end is kept for a while, for only then it is known who shares a key.
func (o *scanOutput) add(r report.Report) error {
	if r.Facts != nil {
		o.sharing.Add(r.Facts)
	}
	if !o.isStreamed() {
		if o.isFleet && !o.keepsAll() && r.Facts != nil {
			r.Facts = slimmed(r.Facts)
		}
		o.kept = append(o.kept, r)
		if len(o.kept) == maxHeld {
			return o.release()
		}
		return nil
	}
	if r.Facts != nil {
		o.fill(&r)
	}
	return o.write(r)
}

// release hands on what was kept, judged by what is known now.
func (o *scanOutput) release() error {
	for _, r := range o.kept {
		if r.Facts != nil && o.isFleet {
			o.fill(&r)
		}
		if err := o.write(r); err != nil {
			return err
		}
	}
	o.kept = nil
	return nil
}

// fill adds what the other hosts of the run say about one, and judges it again where that is news.
func (o *scanOutput) fill(r *report.Report) {
	if !o.sharing.Fill(r.Facts) || r.Result == nil {
		return
	}
	before := r.Result.Grade
	if r.Result = o.judge(r.Facts); r.Result.Grade != before {
		o.note(r)
	}
}

func (o *scanOutput) write(r report.Report) error {
	if err := o.writer.Add(r); err != nil {
		return cannotRun(err, "writing the results")
	}
	return nil
}

// slimmed is facts without the certificates themselves, which no page shows and which are most of the memory of a fleet.
func slimmed(f *grade.Facts) *grade.Facts {
	slim := *f
	slim.Chains = make([]grade.Chain, len(f.Chains))
	for i, c := range f.Chains {
		sent := make([]grade.Certificate, len(c.Sent))
		for j, one := range c.Sent {
			one.DER = nil
			sent[j] = one
		}
		c.Sent = sent
		slim.Chains[i] = c
	}
	return &slim
}

// close writes what is left, and puts the file in its place.
func (o *scanOutput) close() error {
	if err := o.release(); err != nil {
		return err
	}
	if err := o.writer.Close(); err != nil {
		return cannotRun(err, "writing the results")
	}
	switch {
	case o.file != nil:
		if err := o.file.Close(); err != nil {
			return cannotRun(err, "-o")
		}
	case o.buffer != nil:
		const perm = 0o644
		if err := keystore.WriteFile(o.path, o.buffer.Bytes(), perm); err != nil {
			return cannotRun(err, "-o")
		}
	}
	return nil
}

// abandon closes what is open after a failure; there is nothing to write.
func (o *scanOutput) abandon() {
	if o.file != nil {
		_ = o.file.Close() // the failure before it is the one to tell
	}
}

// paintOf is our style for one of a report.
func paintOf(s report.Style) style {
	switch s {
	case report.Bold:
		return bold
	case report.Faint:
		return faint
	case report.Right:
		return good
	case report.Wrong:
		return bad
	case report.Caution:
		return caution
	}
	return plain
}

// uiWriter writes to standard output. Its errors are kept by the ui and told at the end.
type uiWriter struct{ u *ui }

func (w uiWriter) Write(p []byte) (int, error) {
	w.u.write(&w.u.out, string(p))
	return len(p), nil
}
