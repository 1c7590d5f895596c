package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tlswright/tlswright/internal/devhttps"
	stores "github.com/tlswright/tlswright/internal/trust"
	"github.com/tlswright/tlswright/pki"
)

// devTrustFlags say which stores `dev` may change.
type devTrustFlags struct {
	isYes  bool
	isOff  bool
	noSudo bool
	kinds  []string
}

func (o *devTrustFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&o.isYes, "yes", "y", false, "put the root into the trust stores without asking")
	f.BoolVar(&o.isOff, "no-trust", false, "leave the trust stores alone")
	f.BoolVar(&o.noSudo, "no-sudo", false, "leave the stores alone that belong to root")
	f.StringSliceVar(&o.kinds, "store", nil, "only these `STORES`: "+strings.Join(stores.Kinds(), ", "))
	complete(cmd, "store", stores.Kinds())
}

func (o *devTrustFlags) check(cmd *cobra.Command) error {
	if o.isYes && o.isOff {
		return usagef(cmd, "--yes and --no-trust exclude each other")
	}
	for _, kind := range o.kinds {
		if !slices.Contains(stores.Kinds(), kind) {
			return usagef(cmd, "--store %q is not one of %s", kind, strings.Join(stores.Kinds(), ", "))
		}
	}
	return nil
}

// devStore is a store, and what became of it.
type devStore struct {
	*devhttps.Store
	trusts  bool // shown by a handshake
	problem string
	hint    string
}

// devStoreReport is a store in --json.
type devStoreReport struct {
	Event   string `json:"event"` // "store", or "removed" of --undo
	Store   string `json:"store"`
	Program string `json:"program"`
	Where   string `json:"where"`
	Trusted bool   `json:"trusted"` // shown by a handshake
	Problem string `json:"problem,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

func (d *devStore) report(event string) devStoreReport {
	return devStoreReport{event, d.Kind(), d.Program, d.Where(), d.trusts, d.problem, d.hint}
}

func (d *devStore) fail(err error) {
	d.problem = pki.Printable(err.Error())
	var known *stores.Error
	if errors.As(err, &known) {
		d.problem, d.hint = known.Text, known.Hint
	}
}

// canAsk reports whether a person is there to answer.
func (a *app) canAsk() bool {
	return a.ui.inFile != nil && term.IsTerminal(int(a.ui.inFile.Fd()))
}

// findDevStores finds the stores of this machine that the flags leave.
func (a *app) findDevStores(o *devFlags, ca *devhttps.CA) (*devhttps.Stores, []*devStore, error) {
	var elevate []string
	if !o.trust.noSudo {
		elevate = []string{"sudo"}
		if !a.canAsk() {
			elevate = append(elevate, "-n") // it fails where it would have to ask
		}
	}
	_, sudoErr := exec.LookPath("sudo")
	hasSudo := sudoErr == nil
	if !hasSudo {
		elevate = nil
	}
	known, err := devhttps.FindStores(ca, stores.Options{Elevate: elevate})
	if err != nil {
		return nil, nil, cannotRun(err, "looking for trust stores")
	}
	var list []*devStore
	for _, s := range known.All {
		if s.NeedsRoot && s.Missing == nil && !hasSudo {
			s.Missing = &stores.Error{Store: s.Where(), Text: "belongs to root, and there is no sudo here", Hint: `other programs: eval "$(tlswright dev env)"`}
		}
		if len(o.trust.kinds) == 0 || slices.Contains(o.trust.kinds, s.Kind()) {
			list = append(list, &devStore{Store: s})
		}
	}
	return known, list, nil
}

// devTrust has the stores of this machine trust the local root, as far as the user wants it, and says which of them do.
func (a *app) devTrust(ctx context.Context, o *devFlags, ca *devhttps.CA) ([]*devStore, error) {
	if o.trust.isOff {
		return nil, nil
	}
	known, list, err := a.findDevStores(o, ca)
	if err != nil {
		return nil, err
	}
	a.proveAll(ctx, known, list)
	var wanting []*devStore
	for _, d := range list {
		switch {
		case d.trusts:
		case d.Missing != nil:
			d.fail(d.Missing)
		case d.NeedsRoot && o.trust.noSudo:
			d.problem = "it belongs to root, and --no-sudo was given"
		case !o.trust.isYes && known.Declined(d.Store):
			d.problem, d.hint = "left alone, as you wanted", "--yes puts the root into all stores"
		default:
			wanting = append(wanting, d)
		}
	}
	chosen := wanting
	switch {
	case len(wanting) == 0 || o.trust.isYes:
	case !a.canAsk():
		chosen = nil
		for _, d := range wanting {
			d.problem, d.hint = "nobody can be asked here", "--yes puts the root into all stores"
		}
	default:
		if chosen, err = a.askForStores(ctx, known, wanting); err != nil {
			return nil, err
		}
	}
	for _, d := range chosen {
		if !o.asJSON {
			a.ui.notef("putting the root into %s%s", pki.Printable(d.Where()), map[bool]string{true: ", by sudo"}[d.NeedsRoot])
		}
		if err := known.Install(ctx, d.Store); err != nil {
			d.fail(err)
		}
	}
	a.proveAll(ctx, known, chosen)
	return list, ctx.Err()
}

// proveAll makes the handshakes that show which stores trust the local root.
func (a *app) proveAll(ctx context.Context, known *devhttps.Stores, list []*devStore) {
	var wg sync.WaitGroup
	for _, d := range list {
		wg.Go(func() {
			err := known.Prove(ctx, d.Store, a.now())
			d.trusts = err == nil
			if err == nil {
				d.problem, d.hint = "", ""
			} else if d.problem == "" {
				d.fail(err)
			}
		})
	}
	wg.Wait()
}

// whatFor says what a store is good for.
func whatFor(program string) string {
	switch program {
	case "system":
		return "the system: curl, git, Python, Go, Ruby"
	case "Chromium":
		return "Chromium, Chrome, Edge, Brave"
	}
	return program
}

// askForStores asks which of the stores that do not trust the local root shall.
func (a *app) askForStores(ctx context.Context, known *devhttps.Stores, wanting []*devStore) ([]*devStore, error) {
	var rows []row
	for _, d := range wanting {
		text := d.Where()
		if d.NeedsRoot {
			text += " (belongs to root: sudo will ask for your password)"
		}
		rows = append(rows, row{label: whatFor(d.Program), value: pki.Printable(text)})
	}
	e := &a.ui.err
	a.ui.write(e, "These do not trust the local root yet:\n"+e.rows(rows)+
		"It may certify local names and addresses only. \"tlswright dev --undo\" takes it out again.\n")
	lines := bufio.NewReader(a.ui.inFile)
	answer, err := a.askLine(ctx, lines, "Put it there? [Y]es, [n]o, [s]ome: ")
	if err != nil {
		return nil, err
	}
	var chosen []*devStore
	for _, d := range wanting {
		isYes := answer == "" || answer == "y" || answer == "yes"
		if answer == "s" || answer == "some" {
			one, err := a.askLine(ctx, lines, "  "+whatFor(d.Program)+", "+pki.Printable(d.Where())+"? [Y/n]: ")
			if err != nil {
				return nil, err
			}
			isYes = one == "" || one == "y" || one == "yes"
		}
		if isYes {
			chosen = append(chosen, d)
			continue
		}
		d.problem, d.hint = "left alone, as you wanted", "--yes puts the root into all stores"
		if err := known.Decline(d.Store); err != nil {
			return nil, cannotRun(err, "")
		}
	}
	return chosen, nil
}

// askLine asks at the terminal; an interrupt ends it. Its reader ends with the process then.
func (a *app) askLine(ctx context.Context, in *bufio.Reader, prompt string) (string, error) {
	a.ui.write(&a.ui.err, prompt)
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := in.ReadString('\n')
		got <- answer{strings.ToLower(strings.TrimSpace(text)), err}
	}()
	select {
	case g := <-got:
		if errors.Is(g.err, io.EOF) {
			a.ui.write(&a.ui.err, "\n")
			return "n", nil // whoever closes the terminal has not said yes
		}
		return g.text, g.err
	case <-ctx.Done():
		a.ui.write(&a.ui.err, "\n")
		return "", ctx.Err()
	}
}

// trustRows say who trusts the local root, and who does not.
func trustRows(list []*devStore) []row {
	var rows []row
	count := map[string]int{}
	var order []string
	for _, d := range list {
		if d.trusts {
			if count[d.Program]++; count[d.Program] == 1 {
				order = append(order, d.Program)
			}
		}
	}
	var names []string
	for _, p := range order {
		if p == "system" {
			p = "the system"
		} else if n := count[p]; n > 1 {
			p = fmt.Sprintf("%s (%d profiles)", p, n)
		}
		names = append(names, p)
	}
	if len(names) > 0 {
		rows = append(rows, row{label: "trusted by", value: strings.Join(names, ", ") + ": shown by handshakes", style: good})
	}
	return append(rows, distrustRows(list)...)
}

// distrustRows say who does not trust the local root, and why: a line for each reason.
func distrustRows(list []*devStore) []row {
	var rows []row
	whose := map[string][]string{}
	for _, d := range list {
		if d.trusts {
			continue
		}
		why := d.problem
		if d.hint != "" {
			why += "; " + d.hint
		}
		if whose[why] == nil {
			rows = append(rows, row{label: "not by", value: why, style: caution})
		}
		if !slices.Contains(whose[why], d.Program) {
			whose[why] = append(whose[why], d.Program)
		}
	}
	for i := range rows {
		rows[i].value = strings.Join(whose[rows[i].value], ", ") + ": " + rows[i].value
	}
	return rows
}

// devUndo takes the root out of every store and removes what was made.
func (a *app) devUndo(cmd *cobra.Command, o *devFlags) error {
	home, err := a.home()
	if err != nil {
		return err
	}
	ca, err := devhttps.OpenRoot(home)
	if err != nil {
		return a.devNothing(home, err)
	}
	known, list, err := a.findDevStores(o, ca)
	if err != nil {
		return err
	}
	var worst *devStore
	for _, d := range list {
		if roots, err := d.Roots(cmd.Context()); d.NeedsRoot && err == nil && slices.ContainsFunc(roots, ca.Root.Equal) && !o.asJSON {
			a.ui.notef("taking the root out of %s, by sudo: the store belongs to root", pki.Printable(d.Where()))
		}
		held, err := known.Remove(cmd.Context(), d.Store, a.now())
		if err != nil {
			d.fail(err)
		}
		if d.problem != "" && worst == nil {
			worst = d
		}
		a.tellRemoved(o, d, held)
	}
	if worst != nil || len(o.trust.kinds) > 0 {
		if worst == nil {
			a.ui.notef("the other stores and %s stay: --store was given", pki.Printable(ca.Dir))
			return nil
		}
		return &failure{kind: kindFinding, text: worst.Program + " store " + worst.Where() + ": " + worst.problem,
			hint: firstOf(worst.hint, "the root's files are kept until it is out of every store: mend that, and undo again")}
	}
	if err := os.RemoveAll(ca.Dir); err != nil {
		return cannotRun(err, "")
	}
	_ = os.Remove(home) // if there was nothing else in it
	if o.asJSON {
		return a.ui.printJSONLine(map[string]string{"event": "removed", "folder": ca.Dir})
	}
	a.ui.printf("removed %s: root, keys, files for the environment", pki.Printable(ca.Dir))
	if os.Getenv("NODE_EXTRA_CA_CERTS") == ca.RootFile() {
		a.ui.notef("this shell's environment still names files of it: open another shell, or unset the variables of \"tlswright dev env\"")
	}
	return nil
}

func (a *app) devNothing(home string, err error) error {
	if _, statErr := os.Stat(devhttps.Dir(home)); os.IsNotExist(statErr) {
		a.ui.notef("there is nothing to undo in %s", pki.Printable(home))
		return nil
	}
	f := cannotRun(err, "")
	f.hint = "nothing says any more which root it was; remove the folder: " + pki.Printable(devhttps.Dir(home))
	return f
}

func (a *app) tellRemoved(o *devFlags, d *devStore, held bool) {
	switch {
	case o.asJSON:
		if held || d.problem != "" {
			_ = a.ui.printJSONLine(d.report("removed"))
		}
	case d.problem != "":
		a.ui.warnf("%s store %s: %s", d.Program, pki.Printable(d.Where()), d.problem)
	case held:
		a.ui.printf("removed from the %s store %s, shown by a handshake", d.Program, pki.Printable(d.Where()))
	}
}
