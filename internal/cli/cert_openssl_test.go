package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheCommandsOfTheLessonAreRun holds docs/learn/openssl.md against the scripts that run its commands, theirs and ours: a
// line that nobody runs proves nothing.
func TestTheCommandsOfTheLessonAreRun(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "learn", "openssl.md"))
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	for _, name := range []string{"cert_openssl.txtar", "ca_openssl.txtar"} {
		script, err := os.ReadFile(filepath.Join("testdata", "script", name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(script)) {
			// A verdict may be no.
			if command, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "! "), "exec "); ok {
				ran[command] = true
			}
		}
	}
	// The script makes shorter keys, to be quick, and has a server of its own.
	asRun := strings.NewReplacer("4096", "2048", "connect example.com:443", "connect $S", "-servername example.com", "-servername localhost",
		"connect example.com", "connect $S --servername localhost", "show example.com", "show $S --servername localhost")
	count := 0
	for _, command := range shellCommands(string(page)) {
		command, _, _ = strings.Cut(command, " </dev/null")
		command, _, _ = strings.Cut(command, " > ")
		count++
		if !ran[asRun.Replace(command)] {
			t.Errorf("no script runs %q", asRun.Replace(command))
		}
	}
	if count < 50 {
		t.Errorf("only %d commands were found on the page", count)
	}
}

// shellCommands are the lines of the sh blocks of a page, joined where they end in a backslash.
func shellCommands(page string) []string {
	var commands []string
	inside, open := false, false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
			continue
		case !inside || line == "":
			continue
		}
		text, continues := strings.CutSuffix(line, " \\")
		if open {
			commands[len(commands)-1] += " " + text
		} else {
			commands = append(commands, text)
		}
		open = continues
	}
	return commands
}
