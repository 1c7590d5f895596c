package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

type caRevokeFlags struct {
	caFlags
	reason    string
	at        string
	isRelease bool
	asJSON    bool
}

const caRevokeLong = `Revoke a certificate: its validity ends now. Every CRL, OCSP answer and
revocation set made from now on says so. The certificate is named by its serial
number, the first digits of it, or one of its names (the newest valid one).

Reasons are those of RFC 5280: keyCompromise when the private key is lost,
superseded when another certificate takes its place, cessationOfOperation when
the service ends. A certificate on certificateHold can be taken off it again
with --release; every other revocation is for ever. The CA's key is not needed.`

func newCARevoke(a *app) *cobra.Command {
	o := &caRevokeFlags{}
	cmd := &cobra.Command{
		Use:     "revoke SERIAL|NAME",
		Short:   "Revoke a certificate of the CA",
		Long:    caRevokeLong,
		Example: "  tlswright ca revoke app.test --reason keyCompromise\n  tlswright ca revoke 4f21c0 --reason certificateHold\n  tlswright ca revoke 4f21c0 --release",
		Args:    oneArg("the SERIAL number or NAME of the certificate"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.caRevoke(cmd, o, args[0]) },
	}
	o.registerIssuer(cmd, a)
	cmd.ValidArgsFunction = a.completeRecords(&o.caFlags)
	f := cmd.Flags()
	f.StringVar(&o.reason, "reason", crl.Unspecified.String(), "the `REASON`: "+strings.Join(reasonWords(), ", "))
	f.StringVar(&o.at, "at", "", "revoked since this `TIME` (2006-01-02 or RFC 3339) instead of now")
	f.BoolVar(&o.isRelease, "release", false, "take the certificate off hold")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	complete(cmd, "reason", reasonWords())
	return cmd
}

// reasonWords are the reasons by which a CA of ours revokes: removeFromCRL is for delta CRLs alone.
func reasonWords() []string {
	var words []string
	for _, r := range crl.Reasons() {
		if r != crl.RemoveFromCRL {
			words = append(words, r.String())
		}
	}
	return words
}

// revocationMoment reads a time as people write it.
func revocationMoment(cmd *cobra.Command, flag, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef(cmd, "%s %q is not a time such as 2026-01-31 or 2026-01-31T12:00:00Z", flag, text)
}

func (a *app) caRevoke(cmd *cobra.Command, o *caRevokeFlags, what string) (err error) {
	reason, err := crl.ParseReason(o.reason)
	if err != nil || reason == crl.RemoveFromCRL {
		return usagef(cmd, "--reason %q is not one of %s", o.reason, strings.Join(reasonWords(), ", "))
	}
	at := time.Time{}
	if o.at != "" {
		if at, err = revocationMoment(cmd, "--at", o.at); err != nil {
			return err
		}
	}
	if o.isRelease && (o.at != "" || cmd.Flags().Changed("reason")) {
		return usagef(cmd, "--release goes with neither --reason nor --at")
	}
	au, err := a.openAuthority(cmd.Context(), &o.caFlags, false)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	prefer := "valid"
	if o.isRelease {
		prefer = store.StateOnHold.String()
	}
	record, err := a.findRecord(cmd.Context(), au, what, prefer)
	if err != nil {
		return err
	}
	serial := serialOf(record.Serial)
	if o.isRelease {
		err = au.Release(cmd.Context(), serial)
	} else {
		err = au.Revoke(cmd.Context(), serial, reason, at)
	}
	if err != nil {
		return caFailure(err, "changing the certificate's state")
	}
	if record, err = au.Get(cmd.Context(), serial); err != nil {
		return caFailure(err, "reading the record")
	}
	if err := a.reportRevoked(o, *record); err != nil || o.isRelease {
		return err
	}
	return a.noteNamesakes(cmd.Context(), au, record, what, "only this one was revoked")
}

func (a *app) reportRevoked(o *caRevokeFlags, r authority.Record) error {
	now, out := a.now(), &a.ui.out
	if o.asJSON {
		return a.ui.printJSON(newRecordReport(r, now))
	}
	heading, rows := "revoked ", recordRows(r, now)
	if o.isRelease {
		heading = "valid again: "
	}
	a.ui.write(out, out.paint(bold, heading+recordName(r))+"\n"+out.rows(rows))
	if !o.isRelease {
		a.ui.notef("clients learn of it from the next CRL or OCSP answer: tlswright ca crl")
	}
	return nil
}

// recordRows are the lines that say what is on file about one certificate.
func recordRows(r authority.Record, now time.Time) []row {
	state := recordState(r, now)
	rows := []row{
		{label: "serial", value: authority.SerialText(serialOf(r.Serial))},
		{label: "state", value: state, style: stateStyle(state)},
		{label: "profile", value: r.Profile},
	}
	if v := r.Revocation; v != nil {
		rows = append(rows, row{label: "revoked", value: fmt.Sprintf("%s, %s", v.At.UTC().Format(time.DateTime)+" UTC", revocationReason(v))})
	}
	if r.Subject != "" {
		rows = append(rows, row{label: "subject", value: pki.Printable(r.Subject)})
	}
	if len(r.Names) > 0 {
		rows = append(rows, row{label: "names", value: pki.Printable(strings.Join(r.Names, ", "))})
	}
	if !r.NotAfter.IsZero() {
		rows = append(rows, row{label: "ends", value: whenText(r.NotAfter, now)})
	}
	if r.Reason != "" {
		rows = append(rows, row{label: "because", value: pki.Printable(r.Reason)})
	}
	return rows
}
