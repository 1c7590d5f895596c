package trace

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/tlswright/tlswright/pki"
)

// Layout of the text formats, in columns.
const (
	defaultWidth = 100
	minWidth     = 60
	wideFrom     = 116 // from here on there is room for sixteen bytes in a row
	offsetWidth  = 6
)

// style is what a piece of text is.
type style uint8

const (
	stylePlain style = iota
	styleTitle
	styleFaint
	styleName
	styleGood
	styleBad
)

// page lays out text. What it is given is made printable; the first error of the writer is kept, and ends the writing.
type page struct {
	w     io.Writer
	buf   []byte
	err   error
	width int
	bytes int // in a row
	color bool
	all   bool
}

func newPage(w io.Writer, o Options) *page {
	p := &page{w: w, width: o.Width, bytes: 8, color: o.Color, all: o.All}
	if p.width <= 0 {
		p.width = defaultWidth
	}
	p.width = max(p.width, minWidth)
	if p.width >= wideFrom {
		p.bytes = 16
	}
	return p
}

// flush writes what is left, and returns the first error.
func (p *page) flush() error {
	if p.err == nil && len(p.buf) > 0 {
		_, p.err = p.w.Write(p.buf)
	}
	p.buf = p.buf[:0]
	return p.err
}

// piece is text in one style.
type piece struct {
	text  string
	style style
}

func (p *page) put(pieces ...piece) {
	for _, s := range pieces {
		mark := ""
		if p.color {
			mark = [...]string{stylePlain: "", styleTitle: "1", styleFaint: "2", styleName: "36", styleGood: "32", styleBad: "1;31"}[s.style]
		}
		text := pki.Printable(s.text)
		if mark == "" || text == "" {
			p.buf = append(p.buf, text...)
			continue
		}
		p.buf = append(p.buf, "\x1b["+mark+"m"+text+"\x1b[0m"...)
	}
}

// line ends a line, without the spaces that may stand at its end.
func (p *page) line(pieces ...piece) {
	p.put(pieces...)
	for len(p.buf) > 0 && p.buf[len(p.buf)-1] == ' ' {
		p.buf = p.buf[:len(p.buf)-1]
	}
	p.buf = append(p.buf, '\n')
	if len(p.buf) > 1<<15 && p.flush() != nil {
		p.buf = p.buf[:0]
	}
}

// title begins a part.
func (p *page) title(text string) {
	p.line()
	p.line(piece{text, styleTitle})
	p.line(piece{strings.Repeat("─", min(utf8.RuneCountInString(pki.Printable(text)), p.width)), styleFaint})
}

// pair is a line "name  text", wrapped behind the name.
func (p *page) pair(name string, nameWidth int, text string, s style) {
	for i, part := range wrap(pki.Printable(text), p.width-nameWidth-2) {
		if i > 0 {
			name = ""
		}
		p.line(piece{fmt.Sprintf("%-*s  ", nameWidth, name), styleName}, piece{part, s})
	}
}

// text is running text behind an indentation.
func (p *page) text(indent int, text string, s style) {
	for _, part := range wrap(pki.Printable(text), p.width-indent) {
		p.line(piece{strings.Repeat(" ", indent), stylePlain}, piece{part, s})
	}
}

// note is one line of the right-hand side of rows.
type note struct {
	text  string
	style style
}

// rows shows bytes on the left and notes on the right. Of more than most bytes the rest is only counted; 0 shows all.
func (p *page) rows(offset int, data []byte, most int, notes []note) {
	left := data
	if most > 0 && len(data) > most && !p.all {
		left = data[:max(most/p.bytes, 1)*p.bytes]
		left = left[:min(len(left), len(data))]
	}
	hexWidth := 3*p.bytes - 1
	right := p.width - offsetWidth - 2 - hexWidth - 2
	var lines []note
	for _, n := range notes {
		for _, part := range wrap(pki.Printable(n.text), right) {
			lines = append(lines, note{part, n.style})
		}
	}
	if n := len(data) - len(left); n > 0 {
		lines = append(lines, note{fmt.Sprintf("… and %d bytes more", n), styleFaint})
	}
	for at := 0; len(left) > 0 || len(lines) > 0; {
		n := min(p.bytes, len(left))
		place := ""
		if n > 0 {
			place = fmt.Sprintf("%0*x", offsetWidth-2, offset+at)
		}
		var n1 note
		if len(lines) > 0 {
			n1, lines = lines[0], lines[1:]
		}
		p.line(piece{fmt.Sprintf("%*s  ", offsetWidth, place), styleFaint}, piece{fmt.Sprintf("%-*s  ", hexWidth, spaced(left[:n])), stylePlain}, piece{n1.text, n1.style})
		left, at = left[n:], at+n
	}
}

// spaced is hexadecimal with a space between bytes.
func spaced(b []byte) string {
	out := make([]byte, 0, 3*len(b))
	for i := range b {
		if i > 0 {
			out = append(out, ' ')
		}
		out = hex.AppendEncode(out, b[i:i+1])
	}
	return string(out)
}

// wrap breaks text into lines of at most width characters: between words, or inside a word that is too long for a line.
func wrap(text string, width int) []string {
	width = max(width, 8)
	var lines []string
	line, used := "", 0
	for _, word := range words(text, width) {
		n := utf8.RuneCountInString(word)
		if used > 0 && used+1+n <= width {
			line, used = line+" "+word, used+1+n
			continue
		}
		if used > 0 {
			lines = append(lines, line)
		}
		for n > width {
			cut := 0
			for range width {
				_, size := utf8.DecodeRuneInString(word[cut:])
				cut += size
			}
			if dot := strings.LastIndexAny(word[:cut], ".[,:/"); dot > cut/2 {
				cut = dot // the parts of a path stay whole
			}
			lines, n = append(lines, word[:cut]), n-utf8.RuneCountInString(word[:cut])
			word = word[cut:]
		}
		line, used = word, n
	}
	if used > 0 || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

// words splits text at its spaces, but leaves a citation such as "[RFC 8446, Section 5.2]" in one piece if a line has room
// for it.
func words(text string, width int) []string {
	all := strings.Fields(text)
	out := all[:0]
	for i := 0; i < len(all); i++ {
		end := i
		for strings.HasPrefix(all[i], "[RFC") && end < min(len(all), i+4)-1 && !strings.HasSuffix(all[end], "]") {
			end++
		}
		if whole := strings.Join(all[i:end+1], " "); end > i && strings.HasSuffix(whole, "]") && utf8.RuneCountInString(whole) <= width {
			out, i = append(out, whole), end
			continue
		}
		out = append(out, all[i])
	}
	return out
}
