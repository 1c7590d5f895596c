package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// tourLimit bounds the whole tour; it takes a second or two where nothing is wrong.
const tourLimit = 55 * time.Second

const tourLong = `The whole story on this machine, in a temporary home and on 127.0.0.1 only: a
private CA is made and issues certificates, our own client and server shake
hands and exchange data, clients and servers that must be refused are refused,
HTTP is served, an API is guarded by certificates and rules, a certificate is
revoked, another obtained over ACME, two servers are audited, and other programs
join in where they are installed.

Every line is checked before it is printed. The exit code is 1 if one fails.`

func newTour(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "tour",
		Short:   "The story on loopback in a few seconds, checking itself",
		Long:    tourLong,
		Example: "  tlswright tour\n  tlswright tour --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), tourLimit)
			defer cancel()
			return a.tour(ctx, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, at the end")
	return cmd
}

const tourNext = `
Next, on your own:
  tlswright ca init                 a CA that stays
  tlswright serve --dir .           this folder over HTTPS ...
  tlswright connect localhost:8443  ... and, in another terminal, what it speaks
  tlswright connect example.com     any server of the world
  tlswright scan example.com        what is wrong with it, and how to mend it
`

// chapters is the story. Each builds on those before it; after a failure the rest is not told, for it would not be true.
func chapters() []chapter {
	return []chapter{
		{"A private CA", (*tour).makeCA},
		{"A server certificate from it", (*tour).issueServer},
		{"Our client and our server shake hands", (*tour).shakeHands},
		{"Data, both ways", (*tour).moveData},
		{"Other key exchanges", (*tour).exchangeKeys},
		{"Mutual TLS: the client proves who it is", (*tour).acceptClient},
		{"Who is refused, and how both ends learn why", (*tour).refuse},
		{"HTTP over it", (*tour).serveHTTP},
		{"An API for two clients, behind a gateway", (*tour).guardAPI},
		{"Revocation", (*tour).revoke},
		{"A certificate over ACME", (*tour).obtainOverACME},
		{"An audit, with grades", (*tour).audit},
		{"Other programs", (*tour).meetOthers},
	}
}

func (a *app) tour(ctx context.Context, asJSON bool) (err error) {
	t, err := newTourRun(ctx, a, asJSON)
	if err != nil {
		return err
	}
	if !asJSON {
		out := &a.ui.out
		a.ui.write(out, out.paint(bold, "tlswright tour")+"\n"+
			"The story on 127.0.0.1, in a temporary home. Each line is printed once it holds.\n")
	}
	for i, c := range chapters() {
		t.begin(i+1, c.title)
		c.tell(t)
		if t.count(lineFailed) > 0 || ctx.Err() != nil {
			break
		}
	}
	// What a check left running or lying about would make the last line untrue.
	if cleanErr := t.clean(); cleanErr != nil {
		t.fail("cleaning up", cleanErr)
	}
	return t.end()
}

// end tells the sum of it.
func (t *tour) end() error {
	took := t.app.now().Sub(t.begun)
	failed, skipped := t.count(lineFailed), t.count(lineSkipped)
	var f *failure
	switch {
	case t.ctx.Err() == context.Canceled:
		f = &failure{kind: kindInterrupted, text: "interrupted"}
	case failed > 0:
		f = &failure{kind: kindFinding, text: countOf(failed, "check") + " of the tour failed",
			hint: "please report it with the output of: tlswright tour --json; tlswright version --json"}
	case t.ctx.Err() != nil:
		f = &failure{kind: kindTimeout, text: fmt.Sprintf("the tour did not end within %v", tourLimit)}
	}
	if t.asJSON {
		if err := t.app.ui.printJSON(t.json(took, f)); err != nil {
			return err
		}
	} else if f == nil {
		text := fmt.Sprintf("%s passed in %.1f s", countOf(t.count(lineOK), "check"), took.Seconds())
		if skipped > 0 {
			text += fmt.Sprintf(", %d skipped", skipped)
		}
		text += ". Nothing is left behind."
		t.app.ui.write(&t.app.ui.out, "\n"+t.app.ui.out.paint(good, text)+"\n"+tourNext)
	}
	if f != nil {
		return f
	}
	return nil
}
