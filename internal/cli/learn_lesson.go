package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// livePage is one page of a lesson: something that happened on this connection, and a question about it.
type livePage struct {
	Number int    `json:"page"`
	Title  string `json:"title"`
	// Shown are lines of prose, which are wrapped, and lines that begin with a blank, which stay as they are.
	Shown    []string `json:"shown"`
	Command  string   `json:"command,omitempty"` // a command line to paste, whole
	Question string   `json:"question"`
	Choices  []string `json:"choices,omitempty"` // numbered from 1
	Answer   string   `json:"answer"`            // the number of a choice, or a value
	Why      string   `json:"why"`
	Section  string   `json:"section"`
}

// liveLesson is a lesson over live data.
type liveLesson struct {
	word  string
	long  string
	write func(context.Context, *classroom) ([]livePage, error)
	next  []string // command lines to try afterwards; HOST stands for the host
}

// liveReport is `learn handshake --json` and its kin. The names are stable.
type liveReport struct {
	Lesson string     `json:"lesson"`
	Host   string     `json:"host"`
	Own    bool       `json:"own_server"` // the server of this run, on loopback
	Pages  []livePage `json:"pages"`
	Next   []string   `json:"next"`
}

// liveFlags are the flags of a lesson.
type liveFlags struct {
	ca         []string
	serverName string
	timeout    time.Duration
	page       int
	secrets    bool
	asJSON     bool
}

const liveLong = `

Each page shows one thing that just happened, and asks one question: type the
number of an answer or a value; Enter shows the answer, q ends the lesson. In a
pipe the pages follow each other with their answers; answers may be piped in, a
line each.

Without a HOST the lesson makes a server of its own on loopback, with a CA made
for this run. A HOST gets a few handshakes and no data; its certificate is taken
as it is, for nothing is sent to it: "learn chain" judges it.`

func newLiveLesson(a *app, l liveLesson, short, example string) *cobra.Command {
	o := &liveFlags{}
	cmd := &cobra.Command{
		Use:     l.word + " [HOST[:PORT]]",
		Short:   short,
		Long:    l.long + liveLong,
		Example: "  tlswright learn " + l.word + "\n" + example,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef(cmd, "%q takes one HOST[:PORT], but got %d", cmd.CommandPath(), len(args))
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.learnLive(cmd, l, o, args) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.ca, "ca", nil, "trust the certificates in this PEM `FILE`, and no others")
	f.StringVar(&o.serverName, "servername", "", "the `NAME` to ask for (SNI) and to judge by (default: the host)")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long a handshake may take, as a `TIME` such as 10s")
	f.IntVar(&o.page, "page", 0, "show only this page, by its `NUMBER`")
	f.BoolVar(&o.asJSON, "json", false, "print pages and answers as JSON")
	if l.word == "keys" {
		f.BoolVar(&o.secrets, "secrets", false, "show the secrets of the connection to a HOST, too")
	}
	_ = cmd.MarkFlagFilename("ca", "pem")
	return cmd
}

func (a *app) learnLive(cmd *cobra.Command, l liveLesson, o *liveFlags, args []string) error {
	if o.timeout <= 0 {
		return usagef(cmd, "--timeout %v is not a time to wait", o.timeout)
	}
	if cmd.Flags().Changed("page") && o.page < 1 {
		return usagef(cmd, "--page %d: pages are counted from 1", o.page)
	}
	room, err := a.newClassroom(cmd, o, args)
	if err != nil {
		return err
	}
	defer room.close()
	pages, err := l.write(cmd.Context(), room)
	if err != nil {
		return err
	}
	for i := range pages {
		pages[i].Number = i + 1
	}
	all := len(pages)
	if o.page > all {
		return usagef(cmd, "--page %d: this lesson has %s", o.page, countOf(all, "page"))
	}
	if o.page > 0 {
		pages = pages[o.page-1 : o.page]
	}
	r := liveReport{Lesson: l.word, Host: room.target.String(), Own: room.isOwn, Pages: pages, Next: room.commands(l.next)}
	if o.asJSON {
		return a.ui.printJSON(r)
	}
	return a.teach(cmd.Context(), r, all)
}

// teacher goes through the pages with whoever is there to answer.
type teacher struct {
	ui      *ui
	lines   <-chan string // nil: nobody answers
	isThere bool          // a person, at a terminal

	right, wrong, shown int
}

// pipePatience is how long a pipe may say nothing before it is taken for one that holds no answers: programs often start
// others with an empty one.
const pipePatience = 500 * time.Millisecond

// maxTyped bounds a line that answers, in bytes.
const maxTyped = 4096

func (a *app) teach(ctx context.Context, r liveReport, all int) error {
	t := &teacher{ui: a.ui}
	if in := a.ui.inFile; in != nil {
		t.isThere = term.IsTerminal(int(in.Fd())) && a.ui.out.width > 0
		if t.isThere || a.ui.inputIsPiped() {
			t.lines = answers(a.ui.in)
		}
	}
	out := &a.ui.out
	whom := r.Host
	if r.Own {
		whom = "a server of its own, " + r.Host
	}
	a.ui.write(out, out.paint(bold, "learn "+r.Lesson)+": "+whom+"\n")
	for i := range r.Pages {
		goesOn, err := t.page(ctx, &r.Pages[i], all)
		if err != nil {
			return err
		}
		if !goesOn {
			break
		}
	}
	text := "\n"
	if asked := t.right + t.wrong + t.shown; t.right+t.wrong > 0 || t.isThere && asked > 0 {
		text += out.paint(bold, fmt.Sprintf("%d of %d right", t.right, asked)) + fmt.Sprintf("; %d wrong, %d shown\n", t.wrong, t.shown)
	}
	text += "Next, on your own:\n"
	for _, line := range r.Next {
		text += "  " + line + "\n"
	}
	a.ui.write(out, text)
	return nil
}

// answers reads lines; the channel is closed at the end. The reader ends with its input, or with the process.
func answers(in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(in)
		s.Buffer(nil, maxTyped)
		for s.Scan() {
			lines <- strings.TrimSpace(s.Text())
		}
	}()
	return lines
}

// answer waits for a line; ok is false where there is none.
func (t *teacher) answer(ctx context.Context) (text string, ok bool, err error) {
	if t.lines == nil {
		return "", false, ctx.Err()
	}
	var late <-chan time.Time
	if !t.isThere && t.right+t.wrong+t.shown == 0 {
		late = time.After(pipePatience)
	}
	select {
	case text, ok = <-t.lines:
		if !ok {
			t.lines = nil
		}
		return text, ok, nil
	case <-late:
		t.lines = nil
		return "", false, nil
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
}

// page shows a page, asks, and judges the answer. It reports whether the lesson goes on.
func (t *teacher) page(ctx context.Context, p *livePage, all int) (goesOn bool, err error) {
	out := &t.ui.out
	t.ui.write(out, p.text(out, all))
	if t.isThere {
		t.ui.write(out, "\n  "+out.paint(faint, "answer (Enter shows it, q ends):")+" ")
	}
	text, isGiven, err := t.answer(ctx)
	if err != nil {
		if t.isThere {
			t.ui.write(out, "\n") // what comes next begins a line
		}
		return false, err
	}
	if !isGiven && t.isThere || strings.EqualFold(text, "q") {
		if !isGiven {
			t.ui.write(out, "\n")
		}
		return false, nil
	}
	if !t.isThere {
		t.ui.write(out, "\n")
		if text != "" {
			t.ui.write(out, "  your answer: "+pipedAnswer(text)+"\n")
		}
	}
	verdict, st := "answer: "+p.answerText(), plain
	switch {
	case text == "":
		t.shown++
	case p.accepts(text):
		t.right++
		verdict, st = "right: "+p.answerText(), good
	default:
		t.wrong++
		verdict, st = "wrong: it is "+p.answerText(), bad
	}
	t.ui.write(out, "  "+out.paint(st, strings.Join(cutAt(verdict, liveWidth(out)), "\n  "))+"\n"+
		"  "+strings.Join(cutAt(asSentence(p.Why)+" ("+p.Section+").", liveWidth(out)), "\n  ")+"\n")
	return true, nil
}
