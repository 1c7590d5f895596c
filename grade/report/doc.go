// Package report writes down what a scan found and how it was judged: as text for a person at a terminal, as a page, as
// JSON with a schema, JSON lines, CSV, SARIF, JUnit, Markdown and as a badge; and what changed between two scans.
//
// It knows how a reader finds the first thing to mend, and how each format keeps a hostile string harmless. It does NOT
// know what facts mean (that is in grade), where they come from, or where the output goes.
package report
