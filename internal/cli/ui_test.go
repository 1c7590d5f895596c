package cli

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// newTestApp is an app that writes into memory, on a machine without colours, at a fixed time.
func newTestApp() (a *app, out, errOut *bytes.Buffer) {
	out, errOut = new(bytes.Buffer), new(bytes.Buffer)
	u := &ui{in: strings.NewReader(""), out: stream{w: out}, err: stream{w: errOut}}
	return &app{ui: u, now: func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }}, out, errOut
}

func TestColourIsForTerminalsThatWantIt(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{"TERM": "xterm"}, true},
		{map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false},
		{map[string]string{"TERM": "dumb"}, false},
		{map[string]string{}, false},
	} {
		if got := wantsColor(func(k string) string { return tc.env[k] }); got != tc.want {
			t.Errorf("%v: %v", tc.env, got)
		}
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	t.Setenv("TERM", "xterm")
	s := newStream(f)
	if got := s.paint(bad, "word"); got != "word" {
		t.Errorf("a file got %q", got)
	}
	s.isColor = true
	if got := s.paint(bad, "word"); !strings.Contains(got, "\x1b[") || !strings.Contains(got, "word") {
		t.Errorf("a terminal got %q", got)
	}
}

func TestRowsStandInOneColumn(t *testing.T) {
	s := &stream{}
	got := s.rows([]row{{label: "a", value: "one"}, {label: "long", value: "two"}, {label: "b"}})
	if want := "  a     one\n  long  two\n  b\n"; got != want {
		t.Errorf("got\n%s", got)
	}
	s.width = 28
	got = s.rows([]row{{label: "text", value: "a value that is too long for this terminal"}})
	if want := "  text  a value that is too\n        long for this\n        terminal\n"; got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestTableTurnsOnItsSideWhereItIsTooNarrow(t *testing.T) {
	cells := [][]string{{"HOST", "SUITE"}, {"one", "aaaa"}, {"two", "bbbb"}, {"three", "cccc"}}
	ink := func(int, int) style { return plain }
	s := &stream{width: 20}
	if got, want := s.grid(cells, ink), "  HOST   SUITE\n  one    aaaa\n  two    bbbb\n  three  cccc\n"; got != want {
		t.Errorf("grid:\n%s", got)
	}
	if got, want := s.bands(cells, ink), "  HOST   one   two\n  SUITE  aaaa  bbbb\n\n  HOST   three\n  SUITE  cccc\n"; got != want {
		t.Errorf("bands:\n%s", got)
	}
}

func TestJSONIsHarmlessOnATerminalAndUnchanged(t *testing.T) {
	in := "plain <&> ünï \x1b[31m \u009b31m \u202e \U000e0001 \x7f \u2028 𝄞"
	text, err := safeJSON(map[string]string{"s": in}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range strings.TrimSuffix(text, "\n") {
		if !unicode.IsPrint(r) {
			t.Errorf("%U is in %s", r, text)
		}
	}
	var back map[string]string
	if err := json.Unmarshal([]byte(text), &back); err != nil || back["s"] != in {
		t.Errorf("read back %q, %v", back["s"], err)
	}
	if !strings.Contains(text, "ünï") || !strings.Contains(text, "<&>") {
		t.Errorf("escaped more than needed: %s", text)
	}
}

func TestHostileNamesAreShownHarmless(t *testing.T) {
	evil := "\x1b]0;owned\x07\u202egnp\u009b31m\r\nverdict  trusted"
	a, _, _ := newTestApp()
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: evil}, Issuer: pkix.Name{Organization: []string{evil}},
		DNSNames: []string{evil, "a.test"}, EmailAddresses: []string{evil},
		NotBefore: a.now().Add(-time.Hour), NotAfter: a.now().Add(time.Hour),
	}
	text := a.ui.out.rows(certificateRows(leaf, a.now())) + certificateInLog(leaf) + shortName(leaf) + issuerShort(leaf) + nameOf(leaf)
	for _, r := range strings.ReplaceAll(text, "\n", "") {
		if !unicode.IsPrint(r) {
			t.Errorf("%U reaches the terminal", r)
		}
	}
	if n := strings.Count(text, "\n"); n != 5 {
		t.Errorf("%d lines instead of 5:\n%s", n, text)
	}
}

func TestDaysLeftAreWholeDays(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		after time.Duration
		days  int
		text  string
	}{
		{90*day - time.Second, 89, "89 days left"}, {day, 1, "1 day left"}, {time.Hour, 0, "0 days left"},
		{-time.Hour, -1, "0 days over"}, {-3 * day, -3, "3 days over"},
	} {
		c := &x509.Certificate{NotBefore: now.Add(-365 * day), NotAfter: now.Add(tc.after)}
		if got := daysUntil(c.NotAfter, now); got != tc.days {
			t.Errorf("%v: %d days, want %d", tc.after, got, tc.days)
		}
		if got := lifeLeft(c, now); got != tc.text {
			t.Errorf("%v: %q, want %q", tc.after, got, tc.text)
		}
	}
	if got := lifeLeft(&x509.Certificate{NotBefore: now.Add(day), NotAfter: now.Add(2 * day)}, now); got != "not valid yet" {
		t.Errorf("before its time: %q", got)
	}
}

func TestLongListsAreCounted(t *testing.T) {
	if got, want := listShort([]string{"a.test", "b.test", "c.test", "d.test"}, 14), "a.test, b.test, and 2 more"; got != want {
		t.Errorf("got %q", got)
	}
	if got := listShort([]string{strings.Repeat("x", 100)}, 10); len(got) != 100 {
		t.Errorf("the only name was shortened to %q", got)
	}
}

// eachCommand calls f for every command that can be run.
func eachCommand(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, c := range cmd.Commands() {
		eachCommand(c, f)
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	a, _, _ := newTestApp()
	eachCommand(newRoot(a), func(c *cobra.Command) {
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: short text %q, example %q", c.CommandPath(), c.Short, c.Example)
		}
		for _, text := range []string{c.Long, c.Example} {
			for line := range strings.SplitSeq(text, "\n") {
				if len(line) > 80 {
					t.Errorf("%s: %d columns: %s", c.CommandPath(), len(line), line)
				}
			}
		}
	})
}

func TestEveryReportHasJSON(t *testing.T) {
	a, _, _ := newTestApp()
	var without []string
	eachCommand(newRoot(a), func(c *cobra.Command) {
		if !c.HasSubCommands() && c.Flags().Lookup("json") == nil {
			without = append(without, c.Name())
		}
	})
	if diff := cmp.Diff([]string{"completion"}, without); diff != "" {
		t.Errorf("commands without --json (-want +got):\n%s", diff)
	}
}

func TestExitCodesAreDocumented(t *testing.T) {
	for _, kind := range []failureKind{kindTLS, kindTrust, kindFinding, kindUsage, kindLocal, kindNetwork, kindRefused, kindTimeout, kindDNS, kindInterrupted} {
		code := "\n  " + big.NewInt(int64(kind.exitCode())).String() + " "
		if !strings.Contains(exitCodeHelp, code) {
			t.Errorf("exit code %d of %s is not in the help", kind.exitCode(), kind)
		}
	}
}
