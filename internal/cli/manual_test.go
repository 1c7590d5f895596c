package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
)

// The manual is README.md and every page of docs. What it shows is run:
//
//   - A block marked "console" is a part of a session. The blocks of a page are one session, in an empty home, in a shell (bash).
//     Lines that begin with "$ " are commands; what stands below one is what it prints, where "..." stands for any text, and
//     alone in a line for any lines, and columns may be wider. A command without output below it may print what it likes. The
//     home is printed as "~".
//   - Each command must end with 0; after "exit=1" the last one of the block with 1.
//   - After "again" each is run again, for a while, until it prints what is shown: what it shows may come a moment after what
//     caused it.
//   - After "background" the last one goes on: the next one is run when what is shown has been printed. "background=NAME"
//     names it, and a later block "stop=NAME" begins by interrupting it. What still runs at the end of the page is interrupted,
//     and must end well.
//   - A block of "text" with "prints=NAME" is what that one prints meanwhile, among other things.
//   - After "needs=WORD" it is only read, if the word is in [cannotBeRun]; other words are programs, without which the block is
//     passed over.
//   - A block of another language with "file=NAME" is written to that file.
//
// Every other command line that calls tlswright, in blocks and between backticks, is read: command and flags must exist.
const manualFolder = "../.."

// cannotBeRun says why some blocks are read, and not run.
var cannotBeRun = map[string]string{
	"internet": "talks to servers on the internet",
	"root":     "changes the machine: ports, users or trust stores of the system",
	"person":   "asks somebody, or shows something to them",
	"source":   "works in the source: .ci/run and make accept run it",
	"machines": "needs other machines, or services such as PostgreSQL",
	"elsewhere": "needs what an earlier session or other software has left: keys, captures, tokens; " +
		"scripts in testdata/script run the same commands",
}

// standIn is what plays a host on the internet: a server of ours, on the loopback of the page.
const (
	standInFor = "example.com"
	standIn    = "localhost:14443"
)

// standInStart starts it. What certifies it is in the place of the system's roots.
const standInStart = `(export TLSWRIGHT_HOME=~/.tmp/web; cd ~/.tmp
  tlswright ca init --name 'A public CA' && tlswright ca show --pem > roots.pem &&
  tlswright ca issue localhost --san example.com,localhost --out web-keys &&
  exec tlswright serve --echo --listen ` + standIn + ` --cert web-keys/fullchain.pem --key web-keys/privkey.pem)`

// standInWord matches the host where it is a word of its own, or of a URL.
var standInWord = regexp.MustCompile(`(^|\s|https://)` + regexp.QuoteMeta(standInFor) + `(?::443)?([\s/]|$)`)

// TestManual runs what the manual shows.
func TestManual(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil || runtime.GOOS != "linux" {
		t.Skip("the commands of the manual are run by bash on Linux: pages use sed and its kin as it has them")
	}
	total := &tally{left: map[string]int{}}
	t.Cleanup(func() { t.Log(total) })
	for _, name := range manualPages(t) {
		data, err := os.ReadFile(filepath.Join(manualFolder, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		blocks, spans, err := readPage(name, string(data))
		if err != nil {
			t.Error(err)
			continue
		}
		t.Run(name, func(t *testing.T) {
			if lonelinessWorks() {
				t.Parallel() // otherwise pages share ports
			}
			for _, err := range checkPage(blocks, spans, t.TempDir(), total) {
				t.Error(err)
			}
		})
	}
}

// manualPages lists the pages, seen from the repository's root.
func manualPages(t *testing.T) []string {
	t.Helper()
	pages := []string{"README.md"}
	err := filepath.WalkDir(filepath.Join(manualFolder, "docs"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			path, err = filepath.Rel(manualFolder, path)
			pages = append(pages, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// tally counts what became of the commands of the manual.
type tally struct {
	sync.Mutex
	run   int            // commands of sessions, ours and others
	read  int            // calls of tlswright
	calls int            // of these, in commands that were run
	left  map[string]int // by reason
}

// String is for the log of the test.
func (c *tally) String() string {
	c.Lock()
	defer c.Unlock()
	text := fmt.Sprintf("%d commands run, with %d calls of tlswright; %d calls only read", c.run, c.calls, c.read-c.calls)
	for reason, n := range c.left {
		text += fmt.Sprintf("\n%4d blocks not run: %s", n, reason)
	}
	return text
}

func (c *tally) ran(command string) {
	c.Lock()
	defer c.Unlock()
	c.run++
	c.calls += len(commandLines(command))
}

func (c *tally) add(read int, reason string) {
	c.Lock()
	defer c.Unlock()
	c.read += read
	if reason != "" {
		c.left[reason]++
	}
}

// checkPage reads all commands of a page, and runs those that are to be run.
func checkPage(blocks []block, spans []inline, home string, total *tally) []error {
	var errs []error
	for _, s := range spans {
		if strings.HasPrefix(s.text, "tlswright ") {
			total.add(1, "")
			if err := readCommand(s.text, false); err != nil {
				errs = append(errs, fmt.Errorf("line %d: `%s`: %w", s.line, s.text, err))
			}
		}
	}
	var toRun []block
	for _, b := range blocks {
		errs = append(errs, readBlock(b, total)...)
		switch reason, err := reasonNotToRun(b.options["needs"]); {
		case err != nil:
			errs = append(errs, fmt.Errorf("line %d: %w", b.line, err))
		case reason != "":
			total.add(0, fmt.Sprintf("%s (%s:%d)", reason, b.page, b.line))
		case b.lang == "console" || b.options["file"] != "" || b.options["prints"] != "":
			toRun = append(toRun, b)
		}
	}
	isConsole := func(b block) bool { return b.lang == "console" }
	if len(errs) > 0 || !slices.ContainsFunc(toRun, isConsole) {
		return errs
	}
	return runPage(toRun, home, total)
}

// reasonNotToRun explains the word behind needs=.
func reasonNotToRun(word string) (string, error) {
	if word == "" || cannotBeRun[word] != "" {
		return cannotBeRun[word], nil
	}
	if findProgram(word) != "" {
		return "", nil
	}
	if os.Getenv("CI") == "true" && slices.Contains([]string{"openssl", "curl"}, word) {
		return "", fmt.Errorf("%s is not installed, and CI=true", word)
	}
	return word + " is not installed", nil
}

// readBlock checks that the commands in a block exist.
func readBlock(b block, total *tally) []error {
	var texts []string
	switch b.lang {
	case "console":
		steps, err := b.steps()
		if err != nil {
			return []error{err}
		}
		for _, s := range steps {
			texts = append(texts, s.command)
		}
	case "yaml":
		return readSettings(b)
	case "", "sh", "bash", "ini", "dockerfile":
		for _, line := range b.text {
			texts = append(texts, strings.TrimPrefix(line, "ExecStart="))
		}
		texts = []string{strings.Join(texts, "\n")}
	}
	var errs []error
	for _, text := range texts {
		total.add(len(commandLines(text)), "")
		if err := readCommand(text, true); err != nil {
			errs = append(errs, fmt.Errorf("the block of line %d: %w", b.line, err))
		}
	}
	return errs
}

// readSettings checks a block that is a whole file of settings. Where one section is shown to explain another one, it need not
// be sound by itself: a monitor without anything to watch, a section "acme" for other programs beside the gateway's.
func readSettings(b block) []error {
	text := strings.Join(b.text, "\n")
	if !regexp.MustCompile(`(?m)\A(#.*\n)*(ca|gateway|monitor):`).MatchString(text) {
		return nil
	}
	_, err := config.ReadEstate([]byte(text), nil)
	if err != nil && !regexp.MustCompile(`there is nothing to watch|unknown key "acme"`).MatchString(err.Error()) {
		return []error{fmt.Errorf("the block of line %d: %w", b.line, err)}
	}
	return nil
}

// readCommand finds the calls of tlswright in shell text; each must name a command that exists, and flags that it has. Of
// whole ones the number of arguments counts, too. Each is read by commands of its own: reading leaves its marks on them.
func readCommand(text string, whole bool) error {
	for _, words := range commandLines(text) {
		words = slices.DeleteFunc(words, func(w string) bool { return w == "…" || w == "..." || strings.HasPrefix(w, "[") })
		cmd, rest, err := newRoot(&app{}).Find(words)
		if err != nil {
			return err
		}
		if cmd.HasSubCommands() && cmd.Annotations[takesArguments] == "" && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
			return fmt.Errorf("%q is no command of %q", rest[0], cmd.CommandPath())
		}
		cmd.InitDefaultHelpFlag()
		if err := cmd.ParseFlags(rest); err != nil && !isPlaceholder(err) {
			return fmt.Errorf("%s: %w", cmd.CommandPath(), err)
		}
		if !whole || slices.Contains(rest, "--help") {
			continue
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			return fmt.Errorf("%s: %w", cmd.CommandPath(), err)
		}
	}
	return nil
}

// isPlaceholder says whether a flag could not be read because its value stands for one: --days N.
func isPlaceholder(err error) bool {
	return regexp.MustCompile(`^invalid argument "\$?[A-Z]+"`).MatchString(err.Error()) ||
		!regexp.MustCompile(`^(unknown|invalid|bad|flag)`).MatchString(err.Error())
}

// runPage runs the blocks of a page as one session.
func runPage(blocks []block, home string, total *tally) []error {
	s, err := newSession(home)
	if err != nil {
		return []error{err}
	}
	if slices.ContainsFunc(blocks, mentionsTheInternet) {
		err = s.start("", standInStart, []string{"...", "listening on ..."})
	}
	for _, b := range blocks {
		if err == nil {
			err = runBlock(s, b, total)
		}
	}
	if endErr := s.end(); err == nil {
		err = endErr
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

func mentionsTheInternet(b block) bool {
	return b.lang == "console" && standInWord.MatchString(strings.Join(b.text, "\n"))
}

func runBlock(s *session, b block, total *tally) error {
	if name := b.options["file"]; name != "" {
		return os.WriteFile(filepath.Join(s.home, filepath.FromSlash(name)), []byte(strings.Join(b.text, "\n")+"\n"), 0o600)
	}
	if name := b.options["prints"]; name != "" {
		if err := s.prints(name, b.text); err != nil {
			return fmt.Errorf("%s:%d: %w", b.page, b.line, err)
		}
		return nil
	}
	if name, ok := b.options["stop"]; ok {
		if err := s.stop(name); err != nil {
			return fmt.Errorf("%s:%d: %w", b.page, b.line, err)
		}
	}
	steps, err := b.steps()
	if err != nil {
		return err
	}
	for i, st := range steps {
		want := 0
		if i == len(steps)-1 {
			want, _ = strconv.Atoi(b.options["exit"])
		}
		command := standInWord.ReplaceAllString(st.command, "${1}"+standIn+"${2}")
		if name, ok := b.options["background"]; ok && i == len(steps)-1 {
			err = s.start(name, command, st.shown)
		} else {
			_, again := b.options["again"]
			err = runStep(s, command, st.shown, want, again)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %s\n%w", b.page, st.line, st.command, err)
		}
		total.ran(st.command)
	}
	return nil
}

func runStep(s *session, command string, shown []string, want int, again bool) error {
	for deadline := time.Now().Add(startPatience); ; time.Sleep(50 * time.Millisecond) {
		err := tryStep(s, command, shown, want)
		if err == nil || !again || time.Now().After(deadline) {
			return err
		}
	}
}

func tryStep(s *session, command string, shown []string, want int) error {
	printed, exit, err := s.run(command)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, printed)
	}
	if exit != want {
		return fmt.Errorf("ended with %d, not %d:\n%s", exit, want, printed)
	}
	if len(shown) == 0 {
		return nil
	}
	return agree(shown, strings.ReplaceAll(printed, standIn, standInFor), false)
}

// TestManualNoticesWhatIsWrong shows pages that must not pass to the code that runs them.
func TestManualNoticesWhatIsWrong(t *testing.T) {
	const console = "```console"
	for _, c := range []struct{ name, page, want string }{
		{"no such command", "try `tlswright cert shwo`", `"shwo" is no command`},
		{"no such flag", "```sh\nsudo X=1 tlswright version --shiny\n```", "unknown flag: --shiny"},
		{"inside a substitution", "```sh\neval \"$(tlswright completion bash zsh)\"\n```", "got also"},
		{"behind a pipe", "```\ntrue | tlswright vversion\n```", `"vversion"`},
		{"too many words", "```\ntlswright version now # not yet\n```", `"now"`},
		{"settings that nobody knows", "```yaml\nmonitor: {targets: [a.example:443], colour: red}\n```", "colour"},
		{"a word that means nothing", console + " exits=1\n$ true\n```", `"exits"`},
		{"a block without an end", console + "\n$ true\n", "no end"},
		{"output of nothing", console + "\nhello\n```", "without a command"},
		{"another output", console + "\n$ echo one; echo two\none\n...ree\n```", "not printed"},
		{"more output", console + "\n$ echo one; echo two\none\n```", "more was printed"},
		{"another exit code", console + " exit=1\n$ true\n$ exit 2\n```", ""},
		{"a failure on the way", console + " exit=1\n$ false\n$ false\n```", "ended with 1, not 0"},
		{"a server that does not start", console + " background\n$ echo no\nyes\n```", "not ready"},
		{"a server that says nothing", console + " background\n$ sleep 60\n```", "must show"},
		{"a server that ends badly", console + " background\n$ trap 'exit 7' INT; echo on; sleep 60 & wait\non\n```", "ended with 7"},
		{"a server that does not say it", console + " background=x\n$ echo on; sleep 0.3\non\n```\n```text prints=x\noff\n```", "off"},
		{"a stranger", console + " stop=web\n$ true\n```", `nothing called "web"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			blocks, spans, err := readPage("page", c.page)
			errs := []error{err}
			if err == nil {
				errs = checkPage(blocks, spans, t.TempDir(), &tally{left: map[string]int{}})
			}
			if got := errors.Join(errs...); got == nil || !strings.Contains(got.Error(), c.want) {
				t.Errorf("got %v, want something about %q", got, c.want)
			}
		})
	}
}

// TestManualTakesWhatIsRight is the other half.
func TestManualTakesWhatIsRight(t *testing.T) {
	page := strings.ReplaceAll(`
Text with |tlswright ca issue NAME|, and |tlswright| alone.
|||yaml file=a.yaml
key: value
|||
|||console
$ cat a.yaml
key: value
$ X=1; cat \
  > b <<END
> word
> END
$ cat b; pwd; echo $X; seq 9
word
~
1
...
8
9
|||
|||console background=nap
$ echo "ready at $(date)"; sleep 0.1; echo later; sleep 100
ready at ...
|||
|||text prints=nap
later
|||
|||console stop=nap exit=3
$ (exit 3)
|||
|||console needs=internet
$ false
|||
|||console again
$ if test -e late; then cat late; else echo there > late; false; fi
there
|||
|||console needs=no-such-program
$ false
|||
`, "|", "`")
	blocks, spans, err := readPage("page", page)
	if err != nil {
		t.Fatal(err)
	}
	total := &tally{left: map[string]int{}}
	for _, err := range checkPage(blocks, spans, t.TempDir(), total) {
		t.Error(err)
	}
	if total.run != 6 || total.read != 1 || len(total.left) != 2 {
		t.Error(total)
	}
}

// TestExamplesOfTheHelpAreRead holds the examples in the help, and so in the manual pages, to what exists.
func TestExamplesOfTheHelpAreRead(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "  ") // what follows says what it does
			if err := readCommand(line, true); err != nil {
				t.Errorf("%s: %s: %v", cmd.CommandPath(), line, err)
			}
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(newRoot(&app{}))
}
