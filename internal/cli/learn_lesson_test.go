package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestAnswersAreJudged(t *testing.T) {
	choice := livePage{Answer: "2", Choices: []string{"TLS 1.2", "TLS 1.3"}}
	value := livePage{Answer: "48"}
	raw := livePage{Answer: "d46de168"}
	octet := livePage{Answer: "0b"}
	for _, tc := range []struct {
		page livePage
		text string
		want bool
	}{
		{choice, "2", true}, {choice, "tls 1.3", true}, {choice, "1", false}, {choice, "TLS 1.2", false}, {choice, "02", false},
		{value, "48", true}, {value, "480", false}, {value, "4", false},
		{raw, "d46de168", true}, {raw, "D4:6D:E1:68", true}, {raw, "D4:6D:E1:68:FD:F1", true}, {raw, "d4 6d e1", false}, {raw, "fd", false},
		{octet, "0B", true}, {octet, "0x0b", true}, {octet, "0b0c", false},
	} {
		if got := tc.page.accepts(tc.text); got != tc.want {
			t.Errorf("%q as an answer of %q: %v", tc.text, tc.page.Answer, got)
		}
	}
}

// TestBrokenCommandsAreWhole has a shell put the lines together again.
func TestBrokenCommandsAreWhole(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell here")
	}
	command := "echo " + strings.Repeat("abcdef0123456789 ", 20) + strings.Repeat("x", 300)
	text := broken(command)
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	got, err := exec.Command(sh, "-c", text).Output()
	if want := strings.TrimPrefix(command, "echo ") + "\n"; err != nil || string(got) != want {
		t.Errorf("got %q (%v)", got, err)
	}
}

// TestLessonsFitIntoEightyColumns plays all lessons with the own server.
func TestLessonsFitIntoEightyColumns(t *testing.T) {
	for _, word := range []string{"handshake", "keys", "ciphers", "chain"} {
		a, out, _ := newTestApp()
		root := newRoot(a)
		root.SetArgs([]string{"learn", word})
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Errorf("%s: %v", word, err)
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if len(line) > 80 {
				t.Errorf("%s: %d columns: %s", word, len(line), line)
			}
		}
	}
}

// TestAnInterruptEndsALesson: nobody types anything, and the context ends.
func TestAnInterruptEndsALesson(t *testing.T) {
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	tt := &teacher{ui: &ui{in: in, out: stream{w: &out}}, lines: answers(in), isThere: true}
	if _, err := tt.page(ctx, &livePage{Number: 1, Answer: "1"}, 1); err == nil {
		t.Error("the lesson goes on")
	}
}
