package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/pki"
)

type caShowFlags struct {
	caFlags
	asPEM  bool
	asJSON bool
}

const caShowLong = `Show the CA: its root, its intermediates, for which names they may issue, and
where it publishes. With a serial number, the beginning of one, or a name, show
what is on record about that certificate, the certificate itself, and the chain
that a server sends with it. Of what was ordered over ACME that is also who
ordered it, how each name was proven, and when it is to be renewed.

--pem prints the root, for others to trust, or the certificate with its chain.
The CA's key is not needed.`

func newCAShow(a *app) *cobra.Command {
	o := &caShowFlags{}
	cmd := &cobra.Command{
		Use:     "show [SERIAL|NAME]",
		Short:   "Show the CA, or one of its certificates",
		Long:    caShowLong,
		Example: "  tlswright ca show\n  tlswright ca show --pem > root.pem\n  tlswright ca show app.test\n  tlswright ca show 4f21c0 --json",
		Args:    atMostOneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.caShowRecord(cmd, o, args[0])
			}
			return a.caShow(cmd, o)
		},
	}
	o.registerIssuer(cmd, a)
	cmd.ValidArgsFunction = a.completeRecords(&o.caFlags)
	cmd.Flags().BoolVar(&o.asPEM, "pem", false, "print PEM: the root certificate, or the certificate and its chain")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	exclusive(cmd, "pem", "json")
	return cmd
}

// atMostOneArg takes one argument or none.
func atMostOneArg(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef(cmd, "%q takes one argument, but got also %q", cmd.CommandPath(), args[1])
	}
	return nil
}

func (a *app) caShow(cmd *cobra.Command, o *caShowFlags) error {
	if o.issuer != "" {
		return usagef(cmd, "--issuer goes with the SERIAL number or NAME of a certificate")
	}
	ca, err := a.readCA()
	if err != nil {
		return err
	}
	if o.asPEM {
		a.ui.write(&a.ui.out, string(pki.AppendCertificatePEM(nil, ca.Root.Raw)))
		return nil
	}
	report, err := a.newCAReport(cmd.Context(), ca)
	switch {
	case err != nil:
		return err
	case o.asJSON:
		return a.ui.printJSON(report)
	}
	a.printCA(ca, report, "the CA in "+filepath.Clean(ca.Dir))
	return nil
}

// caShowReport is `ca show SERIAL|NAME --json`.
type caShowReport struct {
	Record      recordReport     `json:"record"`
	Certificate *certificateJSON `json:"certificate,omitempty"` // none: lost or refused
	Chain       []certReport     `json:"chain"`                 // what is sent after it, nearest first
	Root        certReport       `json:"root"`
}

func (a *app) caShowRecord(cmd *cobra.Command, o *caShowFlags, what string) (err error) {
	au, err := a.openAuthority(cmd.Context(), &o.caFlags, false)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	record, err := a.findRecord(cmd.Context(), au, what, "valid")
	if err != nil {
		return err
	}
	ca, err := a.readCA()
	if err != nil {
		return err
	}
	now, out := a.now(), &a.ui.out
	origin, err := admin.OriginOf(cmd.Context(), au.Store, record, now)
	if err != nil {
		return caFailure(err, "reading where it comes from")
	}
	if o.asPEM {
		text, err := chainPEM(au, record)
		if err != nil {
			return err
		}
		a.ui.write(out, string(text))
		return nil
	}
	report := caShowReport{Record: newRecordReport(*record, now), Chain: []certReport{}, Root: newCertReport(ca.Root, now)}
	report.Record.ACME = origin
	if origin != nil {
		report.Record.Account = origin.Account
	}
	rows := append(recordRows(*record, now), originRows(origin, now)...)
	for i, c := range au.Chain {
		report.Chain = append(report.Chain, newCertReport(c, now))
		rows = append(rows, row{label: map[bool]string{true: "chain"}[i == 0], value: pki.Name(c.Subject)})
	}
	rows = append(rows, row{label: "root", value: pki.Name(ca.Root.Subject)})
	var view *certView
	if len(record.DER) > 0 {
		if view, err = newCertView(record.DER, now); err != nil {
			return cannotRun(err, "reading the certificate")
		}
		j := view.json()
		report.Certificate = &j
	}
	if o.asJSON {
		return a.ui.printJSON(report)
	}
	a.ui.write(out, out.paint(bold, "on record: "+recordName(*record))+"\n"+out.rows(rows))
	if view != nil {
		a.ui.write(out, "\n")
		a.printCertificate(view, "")
	}
	return nil
}

// chainPEM is a certificate on record with what is sent after it.
func chainPEM(au *authority.Authority, r *authority.Record) ([]byte, error) {
	if err := needCertificate(r); err != nil {
		return nil, err
	}
	text := pki.AppendCertificatePEM(nil, r.DER)
	for _, c := range au.Chain {
		text = pki.AppendCertificatePEM(text, c.Raw)
	}
	return text, nil
}

// needCertificate refuses a record of a serial number for which there is no certificate.
func needCertificate(r *authority.Record) error {
	if len(r.DER) > 0 {
		return nil
	}
	return &failure{kind: kindLocal, text: "there is no certificate with the serial number " + authority.SerialText(serialOf(r.Serial)) + ": it was " + r.State.String()}
}
