package cli

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// liveWidth is how wide the text of a page is, behind its indentation.
func liveWidth(s *stream) int { return max(min(s.textWidth(), 80)-4, 20) }

// text lays a page out, up to its question.
func (p *livePage) text(s *stream, all int) string {
	var b strings.Builder
	b.WriteString("\n" + s.paint(bold, fmt.Sprintf("%d/%d  %s", p.Number, all, p.Title)) + "\n\n")
	for _, line := range p.Shown {
		if strings.HasPrefix(line, " ") || line == "" {
			b.WriteString(strings.TrimRight("  "+line, " ") + "\n")
			continue
		}
		b.WriteString("  " + strings.Join(cutAt(line, liveWidth(s)), "\n  ") + "\n")
	}
	if p.Command != "" {
		b.WriteString("\n" + broken(p.Command) + "\n")
	}
	b.WriteString("\n  " + strings.Join(cutAt(p.Question, liveWidth(s)), "\n  ") + "\n")
	for i, c := range p.Choices {
		b.WriteString(fmt.Sprintf("    %d  %s\n", i+1, strings.Join(cutAt(c, liveWidth(s)-5), "\n       ")))
	}
	return b.String()
}

// commandWidth is where a command line is broken, in columns.
const commandWidth = 78

// broken breaks a command line so that it can be pasted: a backslash at the end of a line joins it with the next one,
// also within a word, if that begins in the first column.
func broken(command string) string {
	var b strings.Builder
	for len(command) > commandWidth {
		b.WriteString(command[:commandWidth] + "\\\n")
		command = command[commandWidth:]
	}
	return b.String() + command
}

// answerText is the answer, with the words of its choice.
func (p *livePage) answerText() string {
	if n, err := strconv.Atoi(p.Answer); err == nil && n >= 1 && n <= len(p.Choices) {
		return p.Answer + ", " + p.Choices[n-1]
	}
	return p.Answer
}

// accepts reports whether what somebody typed is the answer. Of bytes it is enough to type some more than were asked for,
// with colons or blanks between them.
func (p *livePage) accepts(text string) bool {
	if strings.EqualFold(text, p.Answer) {
		return true
	}
	if len(p.Choices) > 0 {
		n, err := strconv.Atoi(p.Answer)
		return err == nil && n >= 1 && n <= len(p.Choices) && strings.EqualFold(text, p.Choices[n-1])
	}
	plainHex := strings.ToLower(strings.NewReplacer(":", "", " ", "", "0x", "").Replace(text))
	if _, err := hex.DecodeString(p.Answer); err == nil && len(p.Answer) >= 8 {
		return strings.HasPrefix(plainHex, p.Answer)
	}
	return plainHex == p.Answer
}

// asSentence begins a text with a capital, as sentences do.
func asSentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// pipedAnswer is what somebody typed, harmless to show.
func pipedAnswer(text string) string { return pki.Printable(text[:min(len(text), 60)]) }

// choose makes the answer of a page the choice that is this one.
func (p *livePage) choose(right string, choices ...string) {
	p.Choices = choices
	for i, c := range choices {
		if c == right {
			p.Answer = strconv.Itoa(i + 1)
		}
	}
}

// bytesShown shows the first bytes of b, sixteen a line.
func bytesShown(b []byte, limit int) []string {
	var lines []string
	for at := 0; at < min(len(b), limit); at += 16 {
		part := b[at:min(at+16, len(b), limit)]
		lines = append(lines, fmt.Sprintf("  %04x  % x", at, part))
	}
	if len(b) > limit {
		lines = append(lines, fmt.Sprintf("        and %d bytes more", len(b)-limit))
	}
	return lines
}

// shownRows are labels and values in two columns; long values go on below.
func shownRows(pairs ...[2]string) []string {
	width := 0
	for _, p := range pairs {
		width = max(width, len(p[0]))
	}
	var lines []string
	for _, p := range pairs {
		label := p[0]
		for _, part := range cutAt(p[1], (72-width)&^7) {
			lines = append(lines, fmt.Sprintf("  %-*s  %s", width, label, part))
			label = ""
		}
	}
	return lines
}

// cutAt breaks text at blanks, and within a word that is too long.
func cutAt(text string, width int) []string {
	var lines []string
	for _, line := range wrap(text, width) {
		for len(line) > width {
			lines = append(lines, line[:width])
			line = line[width:]
		}
		lines = append(lines, line)
	}
	return lines
}
