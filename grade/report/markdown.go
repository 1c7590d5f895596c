package report

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/grade"
)

// Markdown writes the reports as GitHub shows them, for an issue or a pull request: grade, what to do, and tables. Strings
// of peers are escaped, and no name of theirs becomes a link or calls a person.
func Markdown(w io.Writer, reports []Report, o Options) error {
	return writeMarkdown(w, cleanAll(reports), o)
}

func writeMarkdown(w io.Writer, reports []Report, o Options) error {
	return joined(w, func(b *bytes.Buffer) error {
		servers := grouped(reports)
		title := o.Title
		if title == "" && len(servers) > 1 {
			title = "TLS of " + plural(len(servers), "server")
		}
		if title != "" {
			fmt.Fprintf(b, "# %s\n\n", escapeMarkdown(printableLines(title)))
		}
		if len(servers) > 1 {
			servers = worstFirst(servers)
			markdownFleet(b, servers)
		}
		for i, s := range servers {
			if i == mostUnfolded {
				fmt.Fprintf(b, "The worst %d of %d servers are shown in full; all are in the table above.\n", i, len(servers))
				break
			}
			if steps, _, _ := sorted(s[0].Result); len(servers) > 1 && len(steps) == 0 {
				continue // its line in the table says it all
			}
			markdownServer(b, s)
		}
		return nil
	})
}

func markdownFleet(b *bytes.Buffer, servers [][]Report) {
	if note := fleetNote(servers); note != "" {
		fmt.Fprintf(b, "%s\n\n", escapeMarkdown(note))
	}
	b.WriteString("| grade | server | first of all |\n|---|---|---|\n")
	for _, s := range servers {
		steps, _, _ := sorted(s[0].Result)
		first := "nothing to mend"
		switch {
		case letterOf(&s[0]) == "":
			first = verdictOf(&s[0])
		case len(steps) > 0:
			first = steps[0].Worst().Title
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", boldLetter(letterOf(&s[0])), codeSpan(s[0].Name()), escapeMarkdown(first))
	}
	b.WriteString("\n")
}

func boldLetter(l grade.Letter) string {
	if rank(l) == 0 {
		return "none"
	}
	return "**" + escapeMarkdown(string(l)) + "**"
}

func markdownServer(b *bytes.Buffer, addresses []Report) {
	r := &addresses[0]
	if r.Facts == nil {
		fmt.Fprintf(b, "## Files\n\n%s\n\n", escapeMarkdown(verdictOf(r)))
	} else {
		fmt.Fprintf(b, "## %s %s\n\n%s\n\n", boldLetter(letterOf(r)), codeSpan(r.Name()), escapeMarkdown(sentence(verdictOf(r))))
	}
	if r.Result == nil {
		return
	}
	if r.Facts != nil && letterOf(r) != "" {
		if about := aboutServer(r, addresses); len(about) > 0 {
			fmt.Fprintf(b, "%s\n\n", escapeMarkdown(strings.Join(about, ", ")))
		}
	}
	for i := range addresses[1:] {
		if other := &addresses[i+1]; !alike(r, other) {
			fmt.Fprintf(b, "At %s: %s, %s\n\n", codeSpan(other.Facts.Address), boldLetter(letterOf(other)), escapeMarkdown(verdictOf(other)))
		}
	}
	steps, notes, _ := sorted(r.Result)
	for i := range steps {
		markdownStep(b, i+1, &steps[i])
	}
	for i := range notes {
		fmt.Fprintf(b, "- Note: %s (%s). %s\n", escapeMarkdown(notes[i].Title), escapeMarkdown(notes[i].Rule), escapeMarkdown(notes[i].Reason))
	}
	if len(notes) > 0 {
		b.WriteString("\n")
	}
	markdownFacts(b, r)
}

func markdownStep(b *bytes.Buffer, number int, s *step) {
	worst := s.Worst()
	fmt.Fprintf(b, "%d. **%s** (%s, %s)  \n", number, escapeMarkdown(worst.Title), escapeMarkdown(worst.Rule), escapeMarkdown(string(worst.Severity)))
	fmt.Fprintf(b, "   %s\n", escapeMarkdown(worst.Reason))
	for _, other := range s.Others() {
		fmt.Fprintf(b, "   - also: %s (%s)\n", escapeMarkdown(other.Title), escapeMarkdown(other.Rule))
	}
	if s.Fix == nil {
		b.WriteString("\n")
		return
	}
	fmt.Fprintf(b, "\n   Fix: %s\n\n", escapeMarkdown(s.Fix.Text))
	for _, snippet := range s.Fix.Snippets[:min(1, len(s.Fix.Snippets))] {
		fmt.Fprintf(b, "   %s, %s:\n\n", escapeMarkdown(snippet.Server), escapeMarkdown(snippet.File))
		for line := range strings.SplitSeq(fenced(snippet.Text), "\n") {
			b.WriteString(strings.TrimRight("   "+line, " ") + "\n")
		}
		b.WriteString("\n")
	}
}

func markdownFacts(b *bytes.Buffer, r *Report) {
	if r.Facts == nil || r.Facts.Unreachable != "" {
		return
	}
	if rows := protocolRows(r.Facts); len(rows) > 0 {
		b.WriteString("| protocol | offered | suites | order | forward secrecy | worst suite |\n|---|---|---|---|---|---|\n")
		for _, row := range rows {
			count := ""
			if row.Offered == grade.Yes {
				count = strconv.Itoa(len(row.Suites))
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", escapeMarkdown(row.Name), escapeMarkdown(string(row.Offered)), count, row.Order, row.Forward, row.Worst)
		}
		b.WriteString("\n")
	}
	b.WriteString("| what | is |\n|---|---|\n")
	for _, l := range summaryOf(r) {
		fmt.Fprintf(b, "| %s | %s |\n", escapeMarkdown(l.Name), escapeMarkdown(l.Value))
	}
	if missing := missingFor(r.Result); len(missing) > 0 {
		fmt.Fprintf(b, "| to A+ | %s |\n", escapeMarkdown(strings.Join(missing, "; ")))
	}
	if len(r.Result.Incomplete) > 0 {
		fmt.Fprintf(b, "| incomplete | %s |\n", escapeMarkdown(strings.Join(r.Result.Incomplete, "; ")+": the grade is the best it can be"))
	}
	for _, g := range r.Facts.Gaps {
		fmt.Fprintf(b, "| no answer | %s |\n", escapeMarkdown(g.Probe+": "+g.Reason))
	}
	b.WriteString("\n")
}

// escapeMarkdown makes text stand as it is written: punctuation that means something is escaped, and a word that GitHub
// would take for a link, a person, a team or an issue becomes code, where nothing is looked for.
func escapeMarkdown(text string) string {
	words := strings.Split(text, " ")
	for i, w := range words {
		if strings.ContainsAny(w, "@#") || strings.Contains(w, "://") || strings.Contains(strings.ToLower(w), "www.") {
			words[i] = codeSpan(w)
			continue
		}
		var b strings.Builder
		for j, r := range w {
			beginsLine := i == 0 && (strings.ContainsRune("-+=", r) && j == 0 || (r == '.' || r == ')') && j > 0 && isDigits(w[:j]))
			if strings.ContainsRune("\\`*_{}[]<>|~&!$^", r) || beginsLine {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		words[i] = b.String()
	}
	return strings.Join(words, " ")
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// codeSpan puts text between enough backticks. A bar would end the cell of a table even there.
func codeSpan(text string) string {
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	text = strings.ReplaceAll(text, "|", `\|`)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// fenced is a block of code, between enough backticks.
func fenced(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "\n" + text + "\n" + fence
}
