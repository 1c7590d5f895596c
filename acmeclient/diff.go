package acmeclient

import (
	"fmt"
	"strings"
)

// diffContext is how many lines are shown around a change, and maxDiff how many lines are compared with each other.
const (
	diffContext = 3
	maxDiff     = 3000
)

// unifiedDiff shows what a change of a text does, in the form that patch reads; "" if it does nothing.
func unifiedDiff(name string, before, after []byte) string {
	if string(before) == string(after) {
		return ""
	}
	a, b := linesOf(before), linesOf(after)
	steps := compareLines(a, b)
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
	for i := 0; i < len(steps); {
		if steps[i].kind == ' ' {
			i++
			continue
		}
		from, to, quiet := max(i-diffContext, 0), i, 0
		for to < len(steps) && quiet <= 2*diffContext {
			if steps[to].kind == ' ' {
				quiet++
			} else {
				quiet = 0
			}
			to++
		}
		to -= max(quiet-diffContext, 0)
		writeHunk(&out, steps[from:to])
		i = to
	}
	return out.String()
}

// diffStep is a line that stays (' '), goes ('-') or comes ('+'), and the numbers of the next lines of both texts.
type diffStep struct {
	kind byte
	text string
	a, b int
}

func linesOf(text []byte) []string {
	lines := strings.SplitAfter(string(text), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func writeHunk(out *strings.Builder, steps []diffStep) {
	var olds, news int
	for _, s := range steps {
		if s.kind != '+' {
			olds++
		}
		if s.kind != '-' {
			news++
		}
	}
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", steps[0].a, olds, steps[0].b, news)
	for _, s := range steps {
		out.WriteByte(s.kind)
		out.WriteString(s.text)
		if !strings.HasSuffix(s.text, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// compareLines finds the lines that two texts have in common: what is equal at both ends, and between them the longest
// sequence of equal lines. Where too much lies between them, all of it counts as changed.
func compareLines(a, b []string) []diffStep {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var steps []diffStep
	i, j := 0, 0
	add := func(kind byte, text string) {
		steps = append(steps, diffStep{kind, text, i + 1, j + 1})
		if kind != '+' {
			i++
		}
		if kind != '-' {
			j++
		}
	}
	for i < head {
		add(' ', a[i])
	}
	common := commonTail(a[head:len(a)-tail], b[head:len(b)-tail])
	for i < len(a)-tail || j < len(b)-tail {
		x, y := i-head, j-head
		switch {
		case common != nil && i < len(a)-tail && j < len(b)-tail && a[i] == b[j]:
			add(' ', a[i])
		case i < len(a)-tail && (j == len(b)-tail || common == nil || common[x+1][y] >= common[x][y+1]):
			add('-', a[i])
		default:
			add('+', b[j])
		}
	}
	for i < len(a) {
		add(' ', a[i])
	}
	return steps
}

// commonTail tells for each pair of positions how many lines can be kept from there on; nil: too many to tell.
func commonTail(a, b []string) [][]int {
	if len(a) > maxDiff || len(b) > maxDiff || len(a)*len(b) > maxDiff*maxDiff/4 {
		return nil
	}
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	return common
}
