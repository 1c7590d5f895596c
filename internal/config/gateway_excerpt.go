package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tlswright/tlswright/pki"
)

// Excerpt shows where in the text an error is: the line, the two before it, and a caret below the place. It is fit to
// print, and "" where the error has no place.
func (e *Error) Excerpt(text []byte) string {
	lines := bytes.Split(text, []byte("\n"))
	if e.Line <= 0 || e.Line > len(lines) {
		return ""
	}
	const (
		before = 2
		most   = 100 // columns shown of a line
	)
	var b strings.Builder
	width := len(fmt.Sprint(e.Line))
	first := max(1, e.Line-before)
	for first < e.Line && len(bytes.TrimSpace(lines[first-1])) == 0 {
		first++
	}
	cut := max(0, e.Column-most*3/4)
	for at := first; at <= e.Line; at++ {
		line := []rune(strings.ReplaceAll(strings.TrimRight(string(lines[at-1]), "\r"), "\t", " "))
		line = line[min(cut, len(line)):]
		tail := ""
		if len(line) > most {
			line, tail = line[:most], "..."
		}
		fmt.Fprintf(&b, "  %*d | %s%s\n", width, at, pki.Printable(string(line)), tail)
	}
	line := []rune(strings.ReplaceAll(strings.TrimRight(string(lines[e.Line-1]), "\r"), "\t", " "))
	line = line[min(cut, len(line)):]
	shown := pki.Printable(string(line[:min(max(e.Column-1-cut, 0), len(line))])) // escapes are wider than what they stand for
	fmt.Fprintf(&b, "  %*s | %s^\n", width, "", strings.Repeat(" ", utf8.RuneCountInString(shown)))
	return b.String()
}
