package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	outside "github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
)

type ctVerifyFlags struct {
	logs   ctLogFlags
	peer   peerFlags
	asJSON bool
}

// inclusionReport is one timestamp in `ct verify --json`.
type inclusionReport struct {
	timestampJSON
	Inclusion string  `json:"inclusion"` // "proven", "pending", "missing", "unknown", "not asked"
	Index     *uint64 `json:"index,omitempty"`
	TreeSize  uint64  `json:"tree_size,omitempty"`
	Error     string  `json:"error,omitempty"`
}

// ctVerifyReport is `ct verify --json`.
type ctVerifyReport struct {
	Subject    string            `json:"subject"`
	Timestamps []inclusionReport `json:"timestamps"`
	Browsers   bool              `json:"enough_for_browsers"`
	Reason     string            `json:"reason"`
}

const ctVerifyLong = `Check the timestamps of a certificate: that a log of the list has signed each,
and that the log has kept its promise. Each log is asked for its newest tree
head, and has to prove that the certificate is in that tree.

FILE holds the certificate with its issuer behind it, as fullchain.pem does; of
a server the timestamps in its handshake and its OCSP staple count, too. A log
may take its merge delay, a day mostly, before the certificate is in its tree:
until then the inclusion is pending, which is no failure.`

func newCTVerify(a *app) *cobra.Command {
	o := &ctVerifyFlags{}
	cmd := &cobra.Command{
		Use:     "verify FILE | - | HOST[:PORT]",
		Short:   "Check the timestamps of a certificate with their logs",
		Long:    ctVerifyLong,
		Example: "  tlswright ct verify fullchain.pem --logs log_list.json\n  tlswright ct verify example.com --logs log_list.json --json",
		Args:    oneArg("a FILE, \"-\" or a server HOST:PORT"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.ctVerify(cmd, o, args[0]) },
	}
	o.logs.register(cmd)
	o.peer.register(cmd)
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) ctVerify(cmd *cobra.Command, o *ctVerifyFlags, arg string) error {
	list, asked, err := o.logs.chosen(cmd, a, func(*ct.Log) bool { return true })
	if err != nil {
		return err
	}
	c, err := a.readInput(cmd, arg, &o.peer, &secretFlags{})
	if err != nil {
		return err
	}
	if err := c.needCerts(); err != nil {
		return err
	}
	chain, err := c.parsed()
	if err != nil {
		return err
	}
	seen := newService(c, list, a.now())
	if len(seen.verdict) == 0 {
		text := c.origin + ": no timestamp of a log"
		if len(seen.notes) > 0 {
			text += " that can be checked: " + seen.notes[0]
		}
		return &failure{kind: kindFinding, text: text, hint: "the issuer's certificate must stand behind it, as in fullchain.pem"}
	}
	f, err := a.logFetcher(o.logs.timeout)
	if err != nil {
		return err
	}
	defer f.Close()
	isAsked := make(map[*ct.Log]bool)
	for _, l := range asked {
		isAsked[l] = true
	}
	reports := make([]inclusionReport, len(seen.verdict))
	var wait sync.WaitGroup
	for i, v := range seen.verdict {
		wait.Go(func() { reports[i] = a.inclusion(cmd.Context(), f, v, chain, isAsked[v.Log]) })
	}
	wait.Wait()
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	ok, reason := ct.Complies(chain[0], seen.verdict)
	return a.reportInclusions(o, ctVerifyReport{nameOf(chain[0]), reports, ok, reason})
}

// inclusion has a log prove that it has kept the promise of a timestamp.
func (a *app) inclusion(ctx context.Context, f *outside.Fetcher, v ct.Verdict, chain []*x509.Certificate, isAsked bool) inclusionReport {
	r := inclusionReport{timestampJSON: newTimestampJSON(v.SCT), Inclusion: "not asked"}
	r.Status, r.Text = v.Status.String(), v.Text
	if v.Log == nil || v.Status == ct.BadSignature || v.Status == ct.FromTheFuture || !isAsked {
		return r
	}
	r.Log, r.Operator = logName(v.Log), pki.Printable(v.Log.OperatorAt(v.SCT.Time()))
	fail := func(inclusion string, err error) inclusionReport {
		r.Inclusion, r.Error = inclusion, pki.Printable(err.Error())
		return r
	}
	var issuer *x509.Certificate
	if len(chain) > 1 {
		issuer = chain[1]
	}
	entry, err := ct.EntryOf(chain[0], issuer, v.SCT.Source)
	if err != nil {
		return fail("unknown", err)
	}
	log := f.Log(v.Log)
	head, err := log.Head(ctx)
	if err != nil && !errors.Is(err, outside.ErrLog) {
		return fail("unknown", err)
	}
	if err != nil {
		return fail("missing", err)
	}
	r.TreeSize = head.Size
	index, err := log.Inclusion(ctx, entry, v.SCT, head)
	switch {
	case err == nil:
		r.Inclusion, r.Index = "proven", &index
	case errors.Is(err, outside.ErrNotIncluded) && a.now().Before(v.SCT.Time().Add(v.Log.MMD)):
		return fail("pending", err)
	case errors.Is(err, outside.ErrNotIncluded), errors.Is(err, outside.ErrLog):
		return fail("missing", err)
	default:
		return fail("unknown", err)
	}
	return r
}

func (a *app) reportInclusions(o *ctVerifyFlags, report ctVerifyReport) error {
	wrong, unknown := 0, 0
	for _, r := range report.Timestamps {
		switch {
		case r.Inclusion == "missing", r.Status == ct.BadSignature.String(), r.Status == ct.FromTheFuture.String():
			wrong++
		case r.Inclusion == "unknown":
			unknown++
		}
	}
	if o.asJSON {
		if err := a.ui.printJSON(report); err != nil {
			return err
		}
	} else {
		a.printInclusions(report)
	}
	switch {
	case wrong > 0:
		return &failure{kind: kindFinding, text: fmt.Sprintf("%d of %s cannot be relied on", wrong, countOf(len(report.Timestamps), "timestamp"))}
	case unknown > 0:
		return &failure{kind: kindNetwork, text: fmt.Sprintf("of %s the log did not answer", countOf(unknown, "timestamp"))}
	}
	return nil
}

func (a *app) printInclusions(report ctVerifyReport) {
	out := &a.ui.out
	text := out.paint(bold, report.Subject) + "\n"
	for _, r := range report.Timestamps {
		name := r.Log
		if name == "" {
			name = "log " + r.LogID
		}
		rows := []row{{label: "timestamp", value: r.Timestamp + ", " + r.Source}, {label: "signature", value: r.Text, style: statusStyle(r.Status)}}
		switch r.Inclusion {
		case "proven":
			rows = append(rows, row{label: "inclusion", value: fmt.Sprintf("proven: %s of %d", placeText(*r.Index), r.TreeSize), style: good})
		case "not asked":
			rows = append(rows, row{label: "inclusion", value: r.Inclusion})
		default:
			st := caution
			if r.Inclusion == "missing" {
				st = bad
			}
			rows = append(rows, row{label: "inclusion", value: r.Inclusion + ": " + r.Error, style: st})
		}
		text += "\n" + name + "\n" + out.rows(rows)
	}
	word := "enough for browsers: "
	if !report.Browsers {
		word = "not enough for browsers: "
	}
	a.ui.write(out, text+"\n"+word+report.Reason+"\n")
}

func statusStyle(status string) style {
	if status == ct.Valid.String() {
		return good
	}
	return bad
}
