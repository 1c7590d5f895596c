package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"

	"charm.land/lipgloss/v2"
	"golang.org/x/term"
)

// Rules for text on a terminal, kept by every command:
//
//   - Results go to standard output, everything about the run (notes, warnings, errors) to standard error. What a peer
//     sends as data goes to standard output alone, byte for byte, so that it can be piped.
//   - A failure is one line `error: …` and at most one line `hint: …`. Lower case, no full stop.
//   - Labels stand left in one column, values right of it. No boxes, no banners, no emoji.
//   - Colour only emphasizes what the words already say. It appears only on a terminal, never with NO_COLOR set or
//     TERM=dumb; the sixteen colours of the user's own theme are used and nothing else.
//   - Text that comes from a peer passes pki.Printable before it is printed. JSON carries it exactly, with everything
//     that is not printable escaped.
//   - Dates are UTC, as 2006-01-02, with the distance in days beside them where it matters.

// style is one way to emphasize a piece of text.
type style int

const (
	plain   style = iota
	bold          // headings, the subject of the output
	faint         // what may be skipped
	good          // a check that passed
	bad           // a check that failed
	caution       // what the reader should not miss
)

// stream is one output of the process.
type stream struct {
	w       io.Writer
	isColor bool
	width   int // columns; 0 where the output is no terminal
	err     error
}

// ui is where a command reads and writes. It may be used by several goroutines at a time: each line is written whole.
type ui struct {
	mu     sync.Mutex
	in     io.Reader
	inFile *os.File
	out    stream
	err    stream
}

func newUI(stdin, stdout, stderr *os.File) *ui {
	return &ui{in: stdin, inFile: stdin, out: newStream(stdout), err: newStream(stderr)}
}

func newStream(f *os.File) stream {
	s := stream{w: f}
	if !term.IsTerminal(int(f.Fd())) {
		return s
	}
	if w, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.width = w
	}
	s.isColor = wantsColor(os.Getenv)
	return s
}

// wantsColor reports whether the user of a terminal wants colours (see no-color.org).
func wantsColor(getenv func(string) string) bool {
	return getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && getenv("TERM") != ""
}

// inputIsPiped reports whether standard input is a pipe, a socket or a file: something that was put there to be read.
// A terminal and /dev/null are neither.
func (u *ui) inputIsPiped() bool {
	info, err := u.inFile.Stat()
	if err != nil {
		return false
	}
	return info.Mode()&os.ModeCharDevice == 0
}

// paint emphasizes text where the stream shows colours, and returns it unchanged elsewhere.
func (s *stream) paint(st style, text string) string {
	if !s.isColor || st == plain || text == "" {
		return text
	}
	var ls lipgloss.Style
	switch st {
	case bold:
		ls = ls.Bold(true)
	case faint:
		ls = ls.Faint(true)
	case good:
		ls = ls.Foreground(lipgloss.Green)
	case bad:
		ls = ls.Foreground(lipgloss.Red).Bold(true)
	case caution:
		ls = ls.Foreground(lipgloss.Yellow)
	}
	return ls.Render(text)
}

// write puts text on the stream. The first failure is kept, to be told when the command ends: a report that did not
// reach the disk must not count as done.
func (u *ui) write(s *stream, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.err != nil {
		return
	}
	_, s.err = io.WriteString(s.w, text)
}

// printf writes one line of a result to standard output.
func (u *ui) printf(format string, args ...any) { u.write(&u.out, fmt.Sprintf(format, args...)+"\n") }

// notef writes one line about the run to standard error.
func (u *ui) notef(format string, args ...any) {
	u.write(&u.err, u.err.paint(faint, "note: ")+fmt.Sprintf(format, args...)+"\n")
}

// warnf writes one line that must not be missed to standard error.
func (u *ui) warnf(format string, args ...any) {
	u.write(&u.err, u.err.paint(caution, "warning: ")+fmt.Sprintf(format, args...)+"\n")
}

// fail tells how a command ended: `error:` and `hint:`.
func (u *ui) fail(f *failure) {
	text := u.err.paint(bad, "error:") + " " + f.text + "\n"
	if f.hint != "" {
		text += u.err.paint(caution, "hint:") + "  " + f.hint + "\n"
	}
	u.write(&u.err, text)
}

// row is one line of a report: a label and what is to say about it.
type row struct {
	label string
	value string
	style style
}

// textWidth is how wide running text may be: as the terminal, but no wider than can be read, and 80 columns elsewhere.
func (s *stream) textWidth() int {
	if s.width == 0 {
		return 80
	}
	return min(s.width, 100)
}

// wrap breaks text into lines of at most width columns, at blanks. A word that is longer stands alone.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case lipgloss.Width(line)+1+lipgloss.Width(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// rows lays out a report with its labels in one column, indented by two. On a terminal long values are wrapped; in a
// file or a pipe each stays on one line, where grep finds it.
func (s *stream) rows(rows []row) string {
	width := 0
	for _, r := range rows {
		width = max(width, lipgloss.Width(r.label))
	}
	var b strings.Builder
	for _, r := range rows {
		lines := []string{r.value}
		if s.width > 0 {
			lines = wrap(r.value, max(s.width-width-4, 20))
		}
		label := r.label
		for _, line := range lines {
			pad := strings.Repeat(" ", width-lipgloss.Width(label))
			b.WriteString(strings.TrimRight("  "+s.paint(faint, label)+pad+"  "+s.paint(r.style, line), " ") + "\n")
			label = ""
		}
	}
	return b.String()
}

// columnWidths returns how wide the widest cell of each column is.
func columnWidths(cells [][]string) []int {
	var widths []int
	for _, line := range cells {
		for i, c := range line {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], lipgloss.Width(c))
		}
	}
	return widths
}

// gridWidth is how many columns of the terminal a grid takes.
func gridWidth(cells [][]string) int {
	total := 0
	for _, w := range columnWidths(cells) {
		total += w + 2
	}
	return total
}

// grid lays out cells in columns, two blanks apart, as wide as their widest cell. The first row is the heading;
// paintCell gives the style of the other cells.
func (s *stream) grid(cells [][]string, paintCell func(row, col int) style) string {
	widths := columnWidths(cells)
	var b strings.Builder
	for r, line := range cells {
		var text strings.Builder
		for i, c := range line {
			st := faint
			if r > 0 {
				st = paintCell(r, i)
			}
			text.WriteString("  " + s.paint(st, c) + strings.Repeat(" ", widths[i]-lipgloss.Width(c)))
		}
		b.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	return b.String()
}

// bands shows the same cells on their side, for a terminal that is too narrow for the grid: the heading stands left, and
// the rows stand beside each other, as many as fit; the others follow below.
func (s *stream) bands(cells [][]string, paintCell func(row, col int) style) string {
	var b strings.Builder
	for first := 1; first < len(cells); {
		count := 1
		for first+count < len(cells) && gridWidth(onTheirSide(cells, first, count+1)) <= s.width {
			count++
		}
		if first > 1 {
			b.WriteByte('\n')
		}
		turned := onTheirSide(cells, first, count)
		widths := columnWidths(turned)
		for i, line := range turned {
			var text strings.Builder
			for j, c := range line {
				st := faint
				if j > 0 {
					st = paintCell(first+j-1, i)
				}
				text.WriteString("  " + s.paint(st, c) + strings.Repeat(" ", widths[j]-lipgloss.Width(c)))
			}
			b.WriteString(strings.TrimRight(text.String(), " ") + "\n")
		}
		first += count
	}
	return b.String()
}

// onTheirSide turns count rows, and the heading before them, into columns.
func onTheirSide(cells [][]string, first, count int) [][]string {
	var turned [][]string
	for i, label := range cells[0] {
		line := []string{label}
		for r := first; r < first+count; r++ {
			line = append(line, cells[r][i])
		}
		turned = append(turned, line)
	}
	return turned
}

// printJSON writes v as one JSON document, indented.
func (u *ui) printJSON(v any) error {
	text, err := safeJSON(v, "  ")
	if err != nil {
		return err
	}
	u.write(&u.out, text)
	return nil
}

// printJSONLine writes v as one line of JSON.
func (u *ui) printJSONLine(v any) error {
	text, err := safeJSON(v, "")
	if err != nil {
		return err
	}
	u.write(&u.out, text)
	return nil
}

// safeJSON encodes v and escapes what encoding/json leaves as it is but a terminal may act upon: DEL, the C1 controls
// and the invisible formatting characters that turn the direction of text. The meaning of the document is unchanged.
func safeJSON(v any, indent string) (string, error) {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, r := range raw.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String(), nil
}
