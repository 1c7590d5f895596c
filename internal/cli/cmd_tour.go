package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// tourLimit bounds the whole tour; it takes five seconds where nothing is wrong, most of them waiting for the monitor, and many
// times that on a machine that is busy with other things.
const tourLimit = 3 * time.Minute

const tourLong = `The whole story on this machine, in a temporary home and on 127.0.0.1 only: a
private CA is made and issues certificates; our own client and server shake
hands and exchange data; clients and servers that must be refused are refused;
a certificate is obtained over ACME; an API is guarded by certificates and
rules; a client that is connected is thrown out when its certificate is
revoked; a request in the first packet is answered, and copies of that packet
are not; a server is audited, broken on purpose, mended and audited again; a
monitor tells of a certificate that has run out, and of the end of the trouble;
and other programs join in where they are installed.

Every line is checked before it is printed. The exit code is 1 if one fails. It
takes about five seconds and leaves nothing behind.`

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
  tlswright up                      all of this for good: CA, gateway, monitor
  tlswright dev 3000                trusted HTTPS before a program on port 3000
  tlswright serve --dir .           this folder over HTTPS ...
  tlswright connect localhost:8443  ... and, in another terminal, what it speaks
  tlswright scan example.com        what is wrong there, and how to mend it
`

// chapters is the story. Each builds on those before it; after a failure the rest is not told, for it would not be true.
func chapters() []chapter {
	return []chapter{
		{"A private CA", "A CA vouches for certificates. Who trusts its root trusts what it issues.", (*tour).makeCA},
		{"A server certificate from it", "It says which key belongs to a name, until when, and who vouches for that.", (*tour).issueServer},
		{"Our client and our server shake hands", "Two that never met agree on secrets over a line that others may listen to.", (*tour).shakeHands},
		{"Data, both ways", "Encrypted, and every change on the way would be noticed.", (*tour).moveData},
		{"Other key exchanges", "A hybrid stays secret as long as one of its two halves does.", (*tour).exchangeKeys},
		{"Mutual TLS: the client proves who it is", "It has a certificate, too, in the place of a password.", (*tour).acceptClient},
		{"Who is refused, and how both ends learn why", "A check is worth what it refuses. Each of these must fail, for that very reason.", (*tour).refuse},
		{"HTTP over it", "A folder becomes a website, and nothing gets out that should not.", (*tour).serveHTTP},
		{"A certificate over ACME", "A server proves that it has the name, and gets its certificate without a person.", (*tour).obtainOverACME},
		{"An API for two clients, behind a gateway", "The application knows nothing of TLS. The gateway tells it who is calling.", (*tour).guardAPI},
		{"Revocation takes effect", "A key was stolen, and its certificate is good for months. It must not open a door any more.", (*tour).revoke},
		{"0-RTT: a request in the first packet, and never twice", "Who comes back may save a round trip. Who copies that packet must gain nothing by it.", (*tour).sendEarly},
		{"An audit, before and after two mistakes", "The scanner sees a server as a stranger does, and says what is wrong with it.", (*tour).audit},
		{"A monitor raises the alarm, and ends it", "Certificates run out while nobody looks.", (*tour).watchSite},
		{"Other programs", "What others make of all this, where they are installed.", (*tour).meetOthers},
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
		t.begin(i+1, c)
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
