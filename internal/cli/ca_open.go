package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// caFlags say which issuer of the CA is meant and where the passphrase of its key comes from.
type caFlags struct {
	issuer string
	secret secretFlags
}

// registerIssuer adds --issuer, for commands that need no key.
func (f *caFlags) registerIssuer(cmd *cobra.Command, a *app) {
	cmd.Flags().StringVar(&f.issuer, "issuer", "", "the `NAME` of the intermediate, or root (default: the one that was made with the root)")
	_ = cmd.RegisterFlagCompletionFunc("issuer", a.completeIssuers)
}

// register adds --issuer and the flags of the passphrase.
func (f *caFlags) register(cmd *cobra.Command, a *app) {
	f.registerIssuer(cmd, a)
	f.registerSecret(cmd)
}

// registerSecret adds --passphrase-file and --passphrase-env.
func (f *caFlags) registerSecret(cmd *cobra.Command) {
	registerPassphrase(cmd, &f.secret, "the passphrase of the CA's key")
}

func registerPassphrase(cmd *cobra.Command, s *secretFlags, what string) {
	flags := cmd.Flags()
	flags.StringVar(&s.file, "passphrase-file", "", what+" is the first line of `FILE` (\"-\": standard input)")
	flags.StringVar(&s.env, "passphrase-env", "", what+" is in the environment variable `NAME`")
	_ = cmd.MarkFlagFilename("passphrase-file")
	exclusive(cmd, "passphrase-file", "passphrase-env")
}

// passphrase asks for the passphrase of a key of the CA; only encrypted keys need one.
func (a *app) passphrase(f *caFlags) keystore.PassphraseFunc {
	return func(path string) ([]byte, error) { return a.passphraseText(&f.secret, path) }
}

// passphraseText is secret, with the names that the flags have here.
func (a *app) passphraseText(s *secretFlags, what string) ([]byte, error) {
	text, err := a.secret(s, what)
	var refused *failure
	if errors.As(err, &refused) {
		words := strings.NewReplacer("-password-file", "-passphrase-file", "-password-env", "-passphrase-env")
		refused.text, refused.hint = words.Replace(refused.text), words.Replace(refused.hint)
	}
	return text, err
}

// base is what the services of this home share. f says where a passphrase comes from; nil: it is asked for.
func (a *app) base(f *caFlags) (*estate.Base, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	if f == nil {
		f = &caFlags{}
	}
	return &estate.Base{Home: home, Now: a.now, Passphrase: a.passphrase(f), Database: a.database, Actor: actor(), Version: buildVersion().Version, Log: slog.New(&uiLog{ui: a.ui})}, nil
}

// serviceBase is base for services: they issue by themselves, when nobody is there to be asked.
func (a *app) serviceBase(f *caFlags) (*estate.Base, error) {
	b, err := a.base(f)
	if err != nil {
		return nil, err
	}
	ask := b.Passphrase
	b.Passphrase = func(path string) ([]byte, error) {
		text, err := ask(path)
		var refused *failure
		if f == nil && errors.As(err, &refused) && strings.Contains(refused.hint, "--passphrase-") {
			refused.hint = "issue a certificate first (tlswright ca issue localhost), and name it with --cert and --key"
		}
		return text, err
	}
	return b, nil
}

// openAuthority opens the records of the CA, and the issuer's key too if it is needed. Close it after use.
func (a *app) openAuthority(ctx context.Context, f *caFlags, needsKey bool, linters ...issue.Linter) (*authority.Authority, error) {
	b, err := a.base(f)
	if err != nil {
		return nil, err
	}
	au, err := b.OpenAuthority(ctx, f.issuer, needsKey, linters...)
	if err != nil {
		return nil, caFailure(err, "opening the CA")
	}
	return au, nil
}

// actor is who the audit log names: the user at the command line.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return "cli:" + pki.Printable(u.Username)
	}
	return "cli"
}

// caFailure puts an error of the CA into words.
func caFailure(err error, doing string) error {
	var (
		known   *failure
		problem *estate.Problem
		refused *pki.RefusedError
		lint    *issue.LintError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &problem):
		return problemFailure(problem)
	case errors.Is(err, pki.ErrWrongPassphrase):
		return &failure{kind: kindLocal, err: err, text: doing + ": the passphrase does not open the key",
			hint: "each key may have a passphrase of its own: give that of the issuer's key"}
	case errors.Is(err, keystore.ErrNoCA):
		return &failure{kind: kindLocal, err: err, text: err.Error(), hint: "make one: tlswright ca init"}
	case errors.Is(err, keystore.ErrNoIntermediate):
		return &failure{kind: kindUsage, err: err, text: err.Error(), hint: "see: tlswright ca show"}
	case errors.As(err, &refused):
		return &failure{kind: kindUsage, text: doing + ": " + refused.Reason, hint: refused.Hint, err: err}
	case errors.As(err, &lint):
		return &failure{kind: kindFinding, text: doing + ": " + lint.Error(), err: err}
	}
	return cannotRun(err, "%s", doing)
}

// withAuthority opens the CA for one command.
func (a *app) withAuthority(ctx context.Context, work func(*authority.Authority) error) (err error) {
	au, err := a.openAuthority(ctx, &caFlags{}, false)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	return work(au)
}

// tellList prints reports as JSON, or as a table whose first row is its head; where there is nothing else, a note.
func (a *app) tellList(asJSON bool, reports any, cells [][]string, empty string) error {
	switch {
	case asJSON:
		return a.ui.printJSON(reports)
	case len(cells) < 2:
		a.ui.notef("%s", empty)
	default:
		a.ui.write(&a.ui.out, a.ui.out.grid(cells, func(int, int) style { return plain }))
	}
	return nil
}

// closing joins the error of closing to that of the command.
func closing(au *authority.Authority, err *error) {
	if closeErr := au.Close(); closeErr != nil && *err == nil {
		*err = cannotRun(closeErr, "closing the records of the CA")
	}
}

// recordReport is one record of the CA in --json.
type recordReport struct {
	Serial    string    `json:"serial"`
	State     string    `json:"state"`
	Profile   string    `json:"profile"`
	Subject   string    `json:"subject,omitempty"`
	Names     []string  `json:"names"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	DaysLeft  *int      `json:"days_left,omitempty"`
	AskedAt   time.Time `json:"asked_at"`
	Reason    string    `json:"reason,omitempty"` // of a revocation, a refusal or a loss
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	PEM       string    `json:"pem,omitempty"`
	Account   string    `json:"account,omitempty"` // the ACME account that ordered it, in lists

	ACME *admin.Origin `json:"acme,omitempty"` // where one certificate is shown
}

func newRecordReport(r store.Certificate, now time.Time) recordReport {
	j := recordReport{
		Serial: authority.SerialText(serialOf(r.Serial)), State: recordState(r, now), Profile: r.Profile, Subject: r.Subject, Names: orEmpty(r.Names),
		NotBefore: r.NotBefore, NotAfter: r.NotAfter, AskedAt: r.AskedAt, Reason: r.Reason,
	}
	if !r.NotAfter.IsZero() {
		days := int(r.NotAfter.Sub(now) / day)
		j.DaysLeft = &days
	}
	if r.Revocation != nil {
		j.RevokedAt, j.Reason = r.Revocation.At, revocationReason(r.Revocation)
	}
	if len(r.DER) > 0 {
		j.PEM = string(pki.AppendCertificatePEM(nil, r.DER))
	}
	return j
}

// recordState is the state in a word; what has run out is "expired", which no record says by itself.
func recordState(r store.Certificate, now time.Time) string {
	if r.State == store.StateIssued && now.After(r.NotAfter) {
		return "expired"
	}
	if r.State == store.StateIssued {
		return "valid"
	}
	return r.State.String()
}

func stateStyle(state string) style {
	switch state {
	case "valid":
		return good
	case "revoked", "lost", "refused":
		return bad
	}
	return caution
}

func revocationReason(r *store.Revocation) string { return crl.Reason(r.Reason).String() }

func serialOf(b []byte) *big.Int { return new(big.Int).SetBytes(b) }

// serialShort is enough of a serial number to name a certificate.
func serialShort(serial []byte) string {
	text := authority.SerialText(serialOf(serial))
	return text[:min(12, len(text))]
}

// whenText is a date with its distance in days.
func whenText(t, now time.Time) string {
	days := int(t.Sub(now) / day)
	switch {
	case t.IsZero():
		return ""
	case days < 0:
		return fmt.Sprintf("%s, %s ago", dateOf(t), countOf(-days, "day"))
	default:
		return fmt.Sprintf("%s, in %s", dateOf(t), countOf(days, "day"))
	}
}
