package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

type caAuditFlags struct {
	from     int64
	by       string
	action   string
	isVerify bool
	asJSON   bool
}

// auditReport is one entry in `ca audit --json`.
type auditReport struct {
	Number int64     `json:"number"`
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action string    `json:"action"`
	Digest string    `json:"digest,omitempty"` // SHA-256 of what it is about
	Detail string    `json:"detail,omitempty"`
	Prev   string    `json:"previous"` // SHA-256 of the entry before
	Hash   string    `json:"hash"`     // SHA-256 of this one
}

const caAuditLong = `Show what was done with the CA: every certificate, revocation, CRL and refusal,
with time and person: users of this machine (cli:NAME), ACME accounts (acme
account ID) and admins (admin NAME). The log can only be added to, and each
entry holds the hash of the one before: --verify recomputes the chain from its
beginning, and ends with exit code 1 where it is broken. Note the number and
hash it prints somewhere else: a log that was cut off and written anew does not
lead to them.`

func newCAAudit(a *app) *cobra.Command {
	o := &caAuditFlags{}
	cmd := &cobra.Command{
		Use:     "audit",
		Short:   "Show the CA's log, or verify that nobody changed it",
		Long:    caAuditLong,
		Example: "  tlswright ca audit\n  tlswright ca audit --verify\n  tlswright ca audit --from 1000 --json\n  tlswright ca audit --by \"admin alice\"",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.caAudit(cmd, o) },
	}
	f := cmd.Flags()
	f.Int64Var(&o.from, "from", 0, "begin with entry `NUMBER`")
	f.StringVar(&o.by, "by", "", "only what this `ACTOR` did, as the log names it")
	f.StringVar(&o.action, "action", "", "only entries of this `ACTION`, such as issued, revoked, account, binding, admin")
	f.BoolVar(&o.isVerify, "verify", false, "check the chain of hashes from the first entry to the last")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, one object a line")
	complete(cmd, "action", auditActions())
	for _, name := range []string{"from", "by", "action"} {
		exclusive(cmd, name, "verify")
	}
	return cmd
}

// auditActions are the words of --action.
func auditActions() []string {
	return []string{store.ActionIssued, store.ActionRefused, store.ActionRevoked, store.ActionReleased, store.ActionCRL, store.ActionSigned, store.ActionAccount,
		store.ActionBinding, store.ActionAdmin, store.ActionIssuer, store.ActionBackup, store.ActionRestored, store.ActionImported, store.ActionLost, store.ActionCreated}
}

// auditPage is how many entries are read at a time.
const auditPage = 1000

// entries are those that the flags mean, oldest first.
func (o *caAuditFlags) entries(ctx context.Context, s *store.Store) iter.Seq2[store.Entry, error] {
	if o.by == "" && o.action == "" {
		return s.Audit(ctx, o.from)
	}
	return func(yield func(store.Entry, error) bool) {
		q := store.AuditQuery{Actor: o.by, Action: o.action, After: max(o.from-1, 0), Limit: auditPage}
		for {
			page, err := s.AuditPage(ctx, q)
			if err != nil {
				yield(store.Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				q.After = e.Seq
			}
			if len(page) < auditPage {
				return
			}
		}
	}
}

func (a *app) caAudit(cmd *cobra.Command, o *caAuditFlags) (err error) {
	if o.from < 0 {
		return usagef(cmd, "--from %d is no number of an entry", o.from)
	}
	au, err := a.openAuthority(cmd.Context(), &caFlags{}, false)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	if o.isVerify {
		return a.verifyAudit(cmd, o, au)
	}
	out := &a.ui.out
	for e, err := range o.entries(cmd.Context(), au.Store) {
		if err != nil {
			return caFailure(err, "reading the log")
		}
		if o.asJSON {
			if err := a.ui.printJSONLine(newAuditReport(e)); err != nil {
				return err
			}
			continue
		}
		line := fmt.Sprintf("%6d  %s  %-12s %s", e.Seq, out.paint(faint, e.At.UTC().Format(time.DateTime)), e.Action, pki.Printable(e.Detail))
		if len(e.Digest) > 0 {
			line += out.paint(faint, "  sha256 "+hex.EncodeToString(e.Digest)[:16])
		}
		a.ui.printf("%s", line+out.paint(faint, "  by "+pki.Printable(e.Actor)))
	}
	return nil
}

func newAuditReport(e store.Entry) auditReport {
	hash := e.Hash()
	return auditReport{
		Number: e.Seq, At: e.At, Actor: e.Actor, Action: string(e.Action), Detail: e.Detail,
		Digest: hex.EncodeToString(e.Digest), Prev: hex.EncodeToString(e.Prev), Hash: hex.EncodeToString(hash[:]),
	}
}

func (a *app) verifyAudit(cmd *cobra.Command, o *caAuditFlags, au *authority.Authority) error {
	head, err := au.VerifyAudit(cmd.Context())
	var broken *store.AuditError
	if errors.As(err, &broken) {
		return &failure{kind: kindFinding, text: "the log does not hold: " + broken.Error(), err: err,
			hint: "compare with a backup; what was signed since may not be on record"}
	}
	if err != nil {
		return caFailure(err, "verifying the log")
	}
	if o.asJSON {
		return a.ui.printJSON(map[string]any{"intact": true, "entries": head.Seq, "hash": hex.EncodeToString(head.Hash[:])})
	}
	out := &a.ui.out
	a.ui.write(out, out.paint(good, "the log is intact")+"\n"+out.rows([]row{
		{label: "entries", value: fmt.Sprint(head.Seq)}, {label: "last hash", value: hex.EncodeToString(head.Hash[:])},
	}))
	return nil
}
