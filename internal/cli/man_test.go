package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manFolder is where the manual pages are kept, seen from this package.
const manFolder = "../../docs/man"

// TestManPagesAreFresh holds docs/man against the help texts they are made of. After a change of a command:
//
//	go test ./internal/cli -run TestManPagesAreFresh -update
func TestManPagesAreFresh(t *testing.T) {
	pages := map[string]string{}
	collectPages(newRoot(&app{}), pages)
	if flag.Lookup("update").Value.String() == "true" {
		writePages(t, pages)
	}
	files, err := filepath.Glob(filepath.Join(manFolder, "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(pages) {
		t.Errorf("%d pages in docs/man, but %d commands", len(files), len(pages))
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(manFolder, name))
		if err != nil || string(got) != want {
			t.Errorf("%s is not fresh (%v): run go test ./internal/cli -run TestManPagesAreFresh -update", name, err)
		}
	}
}

func writePages(t *testing.T, pages map[string]string) {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(manFolder, "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(manFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(manFolder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// collectPages makes a page for cmd and for each command below it.
func collectPages(cmd *cobra.Command, pages map[string]string) {
	if cmd.Name() == "help" {
		return
	}
	pages[pageName(cmd)+".1"] = manPage(cmd)
	for _, c := range cmd.Commands() {
		collectPages(c, pages)
	}
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage is the help of a command in the language of man(7).
func manPage(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	var b strings.Builder
	name := pageName(cmd)
	fmt.Fprintf(&b, ".\\\" Made of the help texts by TestManPagesAreFresh. Do not edit.\n")
	fmt.Fprintf(&b, ".TH \"%s\" 1 \"\" \"tlswright\" \"tlswright manual\"\n", strings.ToUpper(name))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(cmd.Short))
	synopsis := cmd.UseLine()
	if cmd.HasSubCommands() && cmd.Annotations[takesArguments] == "" {
		synopsis = cmd.CommandPath() + " COMMAND"
	}
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n.SH DESCRIPTION\n", roff(synopsis))
	description, exitCodes, hasCodes := strings.Cut(cmd.Long, "Exit codes:\n")
	if description == "" {
		description = cmd.Short + "."
	}
	paragraphs(&b, description)
	if cmd.HasSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, c := range cmd.Commands() {
			if c.Name() != "help" {
				fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", roff(pageName(c)), roff(c.Short))
			}
		}
	}
	options(&b, "OPTIONS", cmd.LocalFlags())
	options(&b, "GLOBAL OPTIONS", cmd.InheritedFlags())
	if cmd.HasExample() {
		b.WriteString(".SH EXAMPLES\n")
		literal(&b, cmd.Example)
	}
	if hasCodes {
		b.WriteString(".SH EXIT STATUS\n")
		table, rest, _ := strings.Cut(exitCodes, "interrupted")
		literal(&b, table+"interrupted")
		paragraphs(&b, rest)
	}
	if cmd.HasParent() {
		fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", roff(pageName(cmd.Parent())))
	}
	return b.String()
}

// paragraphs sets running text; what is indented in the help stays as it is.
func paragraphs(b *strings.Builder, text string) {
	for p := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		switch {
		case p == "":
		case strings.HasPrefix(p, "  "):
			b.WriteString(".PP\n")
			literal(b, p)
		default:
			fmt.Fprintf(b, ".PP\n%s\n", roff(p))
		}
	}
}

func literal(b *strings.Builder, text string) {
	fmt.Fprintf(b, ".nf\n%s\n.fi\n", roff(strings.Trim(text, "\n")))
}

func options(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		kind, usage := pflag.UnquoteUsage(f)
		head := "--" + f.Name
		if f.Shorthand != "" {
			head = "-" + f.Shorthand + ", " + head
		}
		if kind != "" {
			head += " " + kind
		}
		if isDefaultWorthSaying(f) {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(head), roff(usage))
	})
}

func isDefaultWorthSaying(f *pflag.Flag) bool {
	switch f.DefValue {
	case "", "false", "[]", "0":
		return false
	}
	return true
}

// roff escapes what troff would take for its own: backslashes, hyphens in options, and a leading dot or quote.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
