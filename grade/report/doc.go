// Package report writes down what a scan found and how it was judged: as text for a person at a terminal, as a page, as
// JSON with a schema, JSON lines, CSV, SARIF, JUnit, Markdown and as a badge; and what changed between two scans.
//
// # How to begin
//
//	reports := []report.Report{{Facts: facts, Result: grade.Judge(facts, grade.Options{})}}
//	if err := report.Write(os.Stdout, report.FormatText, reports, report.Options{}); err != nil {
//		return err
//	}
//
// [ParseFormat] reads the name of a format; [Formats] lists them.
//
// # What matters
//
// A [Report] is one server at one address with its judgement. For many of them there is a [Writer], which writes as
// they come and keeps of a large fleet only what its format will show, and [Line], one line each. What was written as
// JSON or JSON lines is read again by [Reader], one after the other; [Schema] describes it. [Pair] brings two scans
// together for [DiffText] and [DiffJSON]; [Worst] and [Worsened] decide the exit code of a check.
//
// # What it does not do
//
// It knows how a reader finds the first thing to mend, and how each format keeps a hostile string harmless: strings of
// servers are escaped in all of them. It does NOT know what facts mean (that is in grade), where they come from, or
// where the output goes. It opens no file and loads nothing: pages work without a network.
//
// # Errors
//
// Errors are those of the writer, or of a value that has no JSON. Reader.Next returns io.EOF at the end, and
// io.ErrUnexpectedEOF for a last line that a broken run has left; [Reader.Good] tells where to go on.
package report
