package cli

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
)

type caOCSPFlags struct {
	caFlags
	output      string
	whose       string
	isDelegated bool
	force       bool
	asJSON      bool
}

const caOCSPLong = `Answer an OCSP request: is this certificate revoked? The request is a file as
"openssl ocsp -reqout" writes it, or comes on standard input; the answer, DER
too, goes to -o FILE or standard output. --for SERIAL|NAME answers without a
request, about the newest certificate of that name: that is what a server
staples to its handshake (serve --staple).

The answer is signed by the issuer and good for four days. With --responder it
is signed by a certificate for this purpose alone, which is issued where there
is none and kept in ca/responders below --home, its key without a passphrase:
the CA's key, and its passphrase, are then needed once a fortnight only.

A request that cannot be read, or that is about other issuers, is answered with
an error, as the protocol demands, and is a failed check.`

func newCAOCSP(a *app) *cobra.Command {
	o := &caOCSPFlags{}
	cmd := &cobra.Command{
		Use:   "ocsp [REQUEST]",
		Short: "Answer an OCSP request, or make a staple",
		Long:  caOCSPLong,
		Example: "  tlswright ca ocsp request.der -o response.der\n  tlswright ca ocsp --for app.test -o staple.der\n" +
			"  tlswright ca ocsp --responder --for app.test -o staple.der\n  tlswright ca ocsp - --json < request.der",
		Args: atMostOneArg,
		RunE: func(cmd *cobra.Command, args []string) error { return a.caOCSP(cmd, o, args) },
	}
	o.register(cmd, a)
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "", "write the answer to `FILE` (default: standard output)")
	f.StringVar(&o.whose, "for", "", "answer about this certificate, by its `SERIAL` number or name")
	f.BoolVar(&o.isDelegated, "responder", false, "sign with a certificate for OCSP alone; issue it where there is none")
	f.BoolVar(&o.force, "force", false, "replace a file that is no OCSP answer")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	_ = cmd.RegisterFlagCompletionFunc("for", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return a.completeRecords(&o.caFlags)(cmd, nil, typed)
	})
	_ = cmd.MarkFlagFilename("output", "der")
	return cmd
}

// ocspReport is `ca ocsp --json`.
type ocspReport struct {
	Status       string             `json:"status"` // successful, malformedRequest, …
	ProducedAt   time.Time          `json:"produced_at,omitzero"`
	SignedBy     string             `json:"signed_by,omitempty"`
	IsDelegated  bool               `json:"delegated"`
	HasNonce     bool               `json:"nonce"`
	Certificates []ocspSingleReport `json:"certificates"`
	Bytes        int                `json:"bytes"`
	File         string             `json:"file,omitempty"`
	DER          []byte             `json:"der,omitempty"` // base64, where no file was written
}

type ocspSingleReport struct {
	Serial     string    `json:"serial"`
	Status     string    `json:"status"` // good, revoked, unknown
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
	Reason     string    `json:"reason,omitempty"`
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update,omitzero"`
}

func (a *app) caOCSP(cmd *cobra.Command, o *caOCSPFlags, args []string) (err error) {
	if (len(args) == 0) == (o.whose == "") {
		return usagef(cmd, "%q needs either a REQUEST or --for SERIAL|NAME", cmd.CommandPath())
	}
	if o.output == "" && !o.asJSON && a.ui.out.width > 0 {
		f := usagef(cmd, "an OCSP answer is nothing for a terminal")
		f.hint = "name a file with -o, or look at it with --json"
		return f
	}
	if err := a.mayReplaceAnswer(o); err != nil {
		return err
	}
	var request []byte
	if len(args) == 1 {
		if request, _, err = a.readBytes(args[0]); err != nil {
			return err
		}
	}
	au, err := a.openResponder(cmd.Context(), o)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	var answer []byte
	if o.whose != "" {
		record, findErr := a.findRecord(cmd.Context(), au, o.whose, anyState)
		if findErr != nil {
			return findErr
		}
		if err := a.noteNamesakes(cmd.Context(), au, record, o.whose, "the answer is about the newest one of that name"); err != nil {
			return err
		}
		answer, err = au.Answer(cmd.Context(), serialOf(record.Serial))
	} else {
		answer, err = au.OCSP(cmd.Context(), request)
	}
	if err != nil {
		return caFailure(err, "answering")
	}
	return a.reportAnswer(o, au, answer)
}

// mayReplaceAnswer refuses to overwrite what is no OCSP answer.
func (a *app) mayReplaceAnswer(o *caOCSPFlags) error {
	if o.output == "" || o.output == "-" {
		return nil
	}
	if err := needFolder(o.output); err != nil {
		return err
	}
	if data, err := readLimited(o.output); err == nil {
		if _, err := ocsp.ParseResponse(data); err == nil {
			return nil
		}
	}
	if o.force {
		return a.refuseCAFile(o.output)
	}
	return refuseToReplace(o.output)
}

// openResponder opens the authority so that it can sign answers: with the issuer's key, or with that of a responder of its
// own, which is issued where there is none that will do.
func (a *app) openResponder(ctx context.Context, o *caOCSPFlags) (*authority.Authority, error) {
	if !o.isDelegated {
		return a.openAuthority(ctx, &o.caFlags, true)
	}
	au, err := a.openAuthority(ctx, &o.caFlags, false)
	if err != nil {
		return nil, err
	}
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(home, "ca", "responders", orWord(o.issuer, keystore.DefaultIntermediate))
	if o.whose != "" { // nothing is issued to answer about what there is not
		if _, err := a.findRecord(ctx, au, o.whose, anyState); err != nil {
			closing(au, &err)
			return nil, err
		}
	}
	if au.Responder = a.keptResponder(ctx, au, dir); au.Responder != nil {
		return au, nil
	}
	if err := au.Close(); err != nil {
		return nil, cannotRun(err, "closing the records of the CA")
	}
	return a.openNewResponder(ctx, o, dir)
}

// openNewResponder opens the authority with a responder that is issued now, unless another process has just done so.
func (a *app) openNewResponder(ctx context.Context, o *caOCSPFlags, dir string) (au *authority.Authority, err error) {
	live, err := a.holdLive(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer letGo(live, &err)
	if au, err = a.openAuthority(ctx, &o.caFlags, true); err != nil {
		return nil, err
	}
	if au.Responder = a.keptResponder(ctx, au, dir); au.Responder != nil {
		return au, nil
	}
	if au.Responder, err = newResponder(ctx, au, live); err != nil {
		closing(au, &err)
		return nil, err
	}
	a.ui.notef("issued a certificate for OCSP answers, valid to %s: %s", dateOf(au.Responder.Certificate.NotAfter), dir)
	return au, nil
}

func newResponder(ctx context.Context, au *authority.Authority, live *keystore.Live) (*pki.Issuer, error) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return nil, cannotRun(err, "making a key")
	}
	r, err := au.NewResponder(ctx, key)
	if err != nil {
		return nil, caFailure(err, "issuing a certificate for OCSP answers")
	}
	if err := live.Write(r.Certificate.Raw, nil, key); err != nil {
		return nil, cannotRun(err, "writing the certificate for OCSP answers")
	}
	return r, nil
}

// keptResponder is the responder in a folder; nil if there is none that will do for another fortnight, or half its life.
func (a *app) keptResponder(ctx context.Context, au *authority.Authority, dir string) *pki.Issuer {
	id, err := keystore.LoadIdentity(filepath.Join(dir, keystore.CertFile), filepath.Join(dir, keystore.KeyFile))
	if err != nil {
		return nil
	}
	c, err := cert.ParseX509(id.Chain[0])
	now := a.now()
	if err != nil || cert.CheckSignatureFrom(c, au.Issuer.Certificate) != nil || !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) ||
		now.Before(c.NotBefore) || c.NotAfter.Sub(now) < c.NotAfter.Sub(c.NotBefore)/2 {
		return nil
	}
	if r, err := au.Get(ctx, c.SerialNumber); err != nil || recordState(*r, now) != "valid" {
		return nil
	}
	return &pki.Issuer{Certificate: c, Key: id.Key}
}

func (a *app) reportAnswer(o *caOCSPFlags, au *authority.Authority, answer []byte) error {
	response, err := ocsp.ParseResponse(answer)
	if err != nil {
		return cannotRun(err, "reading the new answer")
	}
	r := newOCSPReport(response, au)
	switch {
	case o.output != "" && o.output != "-":
		r.File = o.output
		if err := keystore.WriteFile(o.output, answer, certFileMode); err != nil {
			return cannotRun(err, "writing the answer")
		}
	case o.asJSON:
		r.DER = answer
	default:
		a.ui.write(&a.ui.out, string(answer))
	}
	if o.asJSON {
		err = a.ui.printJSON(r)
	} else if r.File != "" {
		a.printAnswer(r)
	}
	if err == nil && response.Status != ocsp.Successful {
		return &failure{kind: kindFinding, text: "the answer is an error: " + r.Status, hint: ocspHint(response.Status)}
	}
	return err
}

func ocspHint(s ocsp.ResponseStatus) string {
	switch s {
	case ocsp.MalformedRequest:
		return "is the file an OCSP request, in DER?"
	case ocsp.Unauthorized:
		return "the request is about certificates of other issuers: see --issuer"
	}
	return ""
}

func newOCSPReport(response *ocsp.Response, au *authority.Authority) ocspReport {
	r := ocspReport{Status: response.Status.String(), Bytes: len(response.Raw), Certificates: []ocspSingleReport{}}
	if response.Status != ocsp.Successful {
		return r
	}
	r.ProducedAt, r.HasNonce, r.IsDelegated = response.ProducedAt, response.Nonce != nil, au.Responder != nil
	r.SignedBy = pki.Name(au.Issuer.Certificate.Subject)
	if au.Responder != nil {
		r.SignedBy = pki.Name(au.Responder.Certificate.Subject)
	}
	for _, s := range response.Singles {
		one := ocspSingleReport{Serial: hex.EncodeToString(s.ID.Serial), Status: s.Status.String(), ThisUpdate: s.ThisUpdate, NextUpdate: s.NextUpdate}
		if s.Status == ocsp.Revoked {
			one.RevokedAt, one.Reason = s.RevokedAt, crl.Reason(s.Reason).String()
		}
		r.Certificates = append(r.Certificates, one)
	}
	return r
}

func (a *app) printAnswer(r ocspReport) {
	out := &a.ui.out
	rows := []row{}
	for _, c := range r.Certificates {
		text, st := c.Status, map[string]style{"good": good, "revoked": bad, "unknown": caution}[c.Status]
		if c.Status == "revoked" {
			text += fmt.Sprintf(" since %s, %s", timeOf(c.RevokedAt), c.Reason)
		}
		rows = append(rows, row{label: "serial", value: c.Serial}, row{label: "status", value: text, style: st},
			row{label: "good until", value: timeOf(c.NextUpdate)})
	}
	if r.SignedBy != "" {
		rows = append(rows, row{label: "signed by", value: r.SignedBy})
	}
	rows = append(rows, row{label: "file", value: fmt.Sprintf("%s, %s", r.File, byteCount(int64(r.Bytes)))})
	a.ui.write(out, out.paint(bold, "OCSP answer: "+r.Status)+"\n"+out.rows(rows))
}
