package cli

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/minitls"
)

// lessonEvent is something that happened in a step.
type lessonEvent struct {
	Step    int    `json:"step"`
	Who     string `json:"who"` // "CA", "client", "server" or "both"
	What    string `json:"what"`
	Value   string `json:"value,omitempty"` // hexadecimal
	Line    string `json:"line,omitempty"`  // as it was sent
	Changed string `json:"changed,omitempty"`
}

// demoReport is `learn demo --json`.
type demoReport struct {
	Events  []lessonEvent `json:"events"`
	Tamper  string        `json:"tamper,omitempty"`
	Refused bool          `json:"refused"`
	By      string        `json:"by,omitempty"` // who noticed
	Check   string        `json:"check,omitempty"`
	Text    string        `json:"text,omitempty"`
}

func newLearnDemo(a *app) *cobra.Command {
	var what string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play both sides of the simplified TLS, and tamper with it",
		Long: `Play client and server of the simplified TLS, step by step, with every value and
every line. The keys are made for this run and forgotten after it: what is
secret in them is shown too.

--tamper changes one message on its way, as somebody in between would, and shows
which check of whom notices. --tamper list tells what can be changed.`,
		Example: "  tlswright learn demo\n  tlswright learn demo --tamper cert\n  tlswright learn demo --tamper list",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.learnDemo(cmd, what, asJSON)
		},
	}
	cmd.Flags().StringVar(&what, "tamper", "", "change `WHAT` on its way: "+strings.Join(tamperWords(), ", ")+"; or list")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	complete(cmd, "tamper", append(tamperWords(), "list"))
	return cmd
}

func (a *app) learnDemo(cmd *cobra.Command, what string, asJSON bool) error {
	out := &a.ui.out
	if what == "list" {
		var rows []row
		for _, t := range tamperings() {
			rows = append(rows, row{label: t.word, value: t.text})
		}
		a.ui.write(out, out.paint(bold, "what --tamper can change")+"\n"+out.rows(rows))
		return nil
	}
	index := slices.IndexFunc(tamperings(), func(t tampering) bool { return t.word == what })
	if what != "" && index < 0 {
		f := usagef(cmd, "--tamper %q is not known", what)
		f.hint = "see what can be changed: tlswright learn demo --tamper list"
		return f
	}
	d := &demo{}
	if index >= 0 {
		t := tamperings()[index]
		d.tamper = &t
	}
	report, err := d.run(a)
	if err != nil {
		return err
	}
	if asJSON {
		if err := a.ui.printJSON(report); err != nil {
			return err
		}
	} else {
		a.printDemo(report)
	}
	if d.tamper != nil && !report.Refused {
		return &failure{kind: kindFinding, text: "nobody noticed the change", told: asJSON}
	}
	return nil
}

// demo is one conversation inside the program.
type demo struct {
	events []lessonEvent
	tamper *tampering
	counts [2]int // lines sent, by direction
}

// watch makes the function that a machine tells its steps.
func (d *demo) watch(who string) minitls.Options {
	return minitls.Options{Steps: func(step int, what string, value []byte) {
		d.events = append(d.events, lessonEvent{Step: step, Who: who, What: what, Value: fmt.Sprintf("%x", value)})
	}}
}

// run plays the conversation. The machines take lines in turn, as long as there are any.
func (d *demo) run(a *app) (*demoReport, error) {
	l, err := newLesson(lessonServerName, a.now())
	if err != nil {
		return nil, err
	}
	d.events = []lessonEvent{
		{Step: 1, Who: "CA", What: "Ed25519 public key, and a certificate signed by itself", Value: fmt.Sprintf("%x", l.root.PublicKey)},
		{Step: 1, Who: "server", What: "Ed25519 public key", Value: fmt.Sprintf("%x", l.server.PublicKey)},
		{Step: 2, Who: "CA", What: fmt.Sprintf("signs: this key is %s's until %s", l.server.Subject.CommonName, dateOf(l.server.NotAfter)), Value: fmt.Sprintf("%x", l.server.Signature)},
		{Step: 3, Who: "server", What: "waits; in this demo the wire is inside the program"},
		{Step: 4, Who: "client", What: "connects; from here on everything could be heard and changed by others"},
	}
	server, err := minitls.NewServer(minitls.ServerConfig{Certificate: l.server, Key: l.key, Options: d.watch("server")})
	if err != nil {
		return nil, cannotRun(err, "making the server")
	}
	client, hello, err := minitls.NewClient(minitls.ClientConfig{ServerName: lessonServerName, Root: l.root, Options: d.watch("client")})
	if err != nil {
		return nil, cannotRun(err, "making the client")
	}
	report := &demoReport{}
	if d.tamper != nil {
		report.Tamper = d.tamper.word
	}
	sides := [2]demoSide{{name: "client", machine: client, text: "hello, is this private?"}, {name: "server", machine: server, text: "yes: only you and I can read this"}}
	if who, err := d.play(a, &sides, hello); err != nil {
		var refused *minitls.Error
		if !errors.As(err, &refused) {
			return nil, cannotRun(err, "the demo")
		}
		report.Refused, report.By, report.Check, report.Text = true, who, string(refused.Check), refused.Text
	}
	slices.SortStableFunc(d.events, func(x, y lessonEvent) int { return x.Step - y.Step })
	report.Events = d.events
	return report, nil
}

// demoSide is the client (0) or the server (1).
type demoSide struct {
	name    string
	machine lessonMachine
	text    string // to say once the handshake is done
	isDone  bool
}

type sentLine struct {
	from int
	line []byte
}

// play carries lines until there are none, or one is refused; who refused it is returned.
func (d *demo) play(a *app, sides *[2]demoSide, hello []byte) (who string, err error) {
	queue := linesOf(0, hello)
	for len(queue) > 0 {
		l := queue[0]
		queue = queue[1:]
		to := &sides[1-l.from]
		for _, line := range d.carry(l) {
			r, err := to.machine.Feed(line, a.now())
			if err != nil {
				return to.name, err
			}
			queue = append(queue, linesOf(1-l.from, r.Send)...)
			if r.Done && !to.isDone {
				to.isDone = true
				sealed, err := to.machine.Seal([]byte(to.text))
				if err != nil {
					return to.name, err
				}
				queue = append(queue, linesOf(1-l.from, append(sealed, to.machine.Close()...))...)
			}
		}
	}
	if !sides[0].isDone || !sides[1].isDone {
		return "both", &minitls.Error{Check: minitls.CheckOrder, Text: "the handshake never ends: each waits for a line that does not come"}
	}
	return "", nil
}

func linesOf(from int, lines []byte) []sentLine {
	var list []sentLine
	for line := range bytes.Lines(lines) {
		list = append(list, sentLine{from, bytes.Clone(line)})
	}
	return list
}

// carry is the wire: it notes a line, and changes it where it was told to.
func (d *demo) carry(l sentLine) [][]byte {
	index := d.counts[l.from]
	d.counts[l.from]++
	e := lessonEvent{Step: stepOfLine(l.from, index), Who: []string{"client", "server"}[l.from], Line: strings.TrimSuffix(string(l.line), "\n")}
	arriving := [][]byte{l.line}
	if t := d.tamper; t != nil && t.from == l.from && t.index == index {
		arriving = t.change(l.line)
		e.Changed = t.text
	}
	e.What = "sends"
	d.events = append(d.events, e)
	return arriving
}

// stepOfLine is the step in which a line is sent.
func stepOfLine(from, index int) int {
	steps := [2][]int{{5, 14}, {7, 10, 12, 14}}[from]
	if index < len(steps) {
		return steps[index]
	}
	return 15
}

// printDemo shows the steps, each with its lines and values.
func (a *app) printDemo(r *demoReport) {
	out := &a.ui.out
	var b strings.Builder
	last := 0
	for _, e := range r.Events {
		if e.Step != last {
			last = e.Step
			b.WriteString("\n" + out.paint(bold, fmt.Sprintf("%2d  %s", e.Step, lessonSteps()[e.Step-1])) + "\n")
		}
		text := e.What
		if e.Line != "" {
			text = "sends " + e.Line
		}
		b.WriteString(fmt.Sprintf("    %s  %s\n", out.paint(faint, fmt.Sprintf("%-6s", e.Who)), fold(out, text, 12)))
		if e.Value != "" {
			b.WriteString("            " + out.paint(faint, fold(out, valueText(e), 12)) + "\n")
		}
		if e.Changed != "" {
			b.WriteString("            " + out.paint(bad, "changed on its way: "+e.Changed) + "\n")
		}
	}
	b.WriteString("\n")
	switch {
	case r.Refused:
		b.WriteString(out.paint(good, fmt.Sprintf("the %s notices: %s", r.By, r.Check)) + "\n    " + r.Text + "\n")
	case r.Tamper == "":
		b.WriteString(out.paint(good, "all fifteen steps are done: both have spoken, and nobody else could read or change it") + "\n")
	}
	a.ui.write(out, strings.TrimPrefix(b.String(), "\n"))
}

// valueText shows what was said as text, all else as hexadecimal.
func valueText(e lessonEvent) string {
	if e.Step == 15 {
		return "plaintext in hexadecimal: " + e.Value
	}
	return e.Value
}

// fold breaks a long line where the terminal ends; in a pipe it stays whole.
func fold(s *stream, text string, indent int) string {
	width := s.width - indent
	if s.width == 0 || width < 20 {
		return text
	}
	var pieces []string
	for runes := []rune(text); len(runes) > 0; {
		n := min(width, len(runes))
		pieces = append(pieces, string(runes[:n]))
		runes = runes[n:]
	}
	return strings.Join(pieces, "\n"+strings.Repeat(" ", indent))
}
