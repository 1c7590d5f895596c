package report

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/tlswright/tlswright/grade"
)

// page is text under way: it knows how wide lines may be.
type page struct {
	b     *bytes.Buffer
	o     Options
	width int
}

func newPage(b *bytes.Buffer, o Options) *page {
	width := o.Width
	if width <= 0 {
		width = 80
	}
	return &page{b: b, o: o, width: min(max(width, 40), 120)}
}

func (p *page) paint(s Style, text string) string {
	if p.o.Paint == nil || s == Plain || text == "" {
		return text
	}
	return p.o.Paint(s, text)
}

func (p *page) line(text string) { p.b.WriteString(strings.TrimRight(text, " ") + "\n") }

// letter paints a grade.
func (p *page) letter(l grade.Letter) string {
	switch {
	case l == "":
		return "-"
	case rank(l) <= rank("A-"):
		return p.paint(Right, string(l))
	case rank(l) <= rank("C"):
		return p.paint(Caution, string(l))
	}
	return p.paint(Wrong, string(l))
}

// wrapped writes text in lines that all begin with the indent.
func (p *page) wrapped(indent, text string, s Style) {
	for _, l := range wrap(text, p.width-columns(indent)) {
		p.line(indent + p.paint(s, l))
	}
}

// hanging writes a mark and a head, and text beside them, at a column; its further lines stand below its first one.
func (p *page) hanging(mark, head string, column int, text string, s Style) {
	for i, l := range wrap(text, p.width-column) {
		if i == 0 {
			p.line(mark + head + p.paint(s, l))
		} else {
			p.line(strings.Repeat(" ", column) + p.paint(s, l))
		}
	}
}

// labels are lines with their names in one column, which is wider than usual where a name needs it.
func (p *page) labels(all []label) {
	column := 15
	for _, l := range all {
		if l.Value != "" {
			column = max(column, min(columns(l.Name)+4, 30))
		}
	}
	for _, l := range all {
		if l.Value == "" {
			continue
		}
		p.hanging("  ", p.paint(Faint, l.Name)+strings.Repeat(" ", max(column-2-columns(l.Name), 1)), column, l.Value, l.Style)
	}
}

// heading stands above a part of the page.
func (p *page) heading(text string) {
	p.line("")
	p.line(p.paint(Bold, text))
}

// grid writes cells in columns, two blanks apart; the first row is the heading. The last column is wrapped where it is too
// wide.
func (p *page) grid(cells [][]string, style func(row, col int) Style) {
	if len(cells) < 2 {
		return
	}
	last := len(cells[0]) - 1
	widths := make([]int, last+1)
	for _, row := range cells {
		for i, c := range row {
			widths[i] = max(widths[i], columns(c))
		}
	}
	start := 0
	for _, w := range widths[:last] {
		start += w + 2
	}
	start += 2
	for r, row := range cells {
		if r == 0 && strings.Join(row, "") == "" {
			continue
		}
		var text strings.Builder
		paint := func(col int, s string) string {
			if r == 0 {
				return p.paint(Faint, s)
			}
			return p.paint(style(r, col), s)
		}
		text.WriteString("  ")
		for i, c := range row[:last] {
			text.WriteString(paint(i, c) + strings.Repeat(" ", widths[i]-columns(c)+2))
		}
		for i, l := range wrap(row[last], max(p.width-start, 20)) {
			if i > 0 {
				text.WriteString("\n" + strings.Repeat(" ", start))
			}
			text.WriteString(paint(last, l))
		}
		p.line(text.String())
	}
}

// wrap breaks text into lines at blanks. A word that is wider than a line stands alone.
func wrap(text string, width int) []string {
	var lines []string
	line, used := "", 0
	for word := range strings.FieldsSeq(text) {
		n := columns(word)
		switch {
		case line == "":
			line, used = word, n
		case used+1+n <= width:
			line, used = line+" "+word, used+1+n
		default:
			lines = append(lines, line)
			line, used = word, n
		}
	}
	return append(lines, line)
}

// columns is how many columns of a terminal a string takes: none for marks that combine, two for the wide letters of East
// Asia and for pictures.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r < 0x300:
			n++
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f,
			r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
			n += 2
		default:
			n++
		}
	}
	return n
}
