package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

type certDelegateFlags struct {
	key      string
	newKey   string
	life     time.Duration
	isClient bool
	output   string
	force    bool
	asJSON   bool
	secret   secretFlags
}

// delegateReport is `cert delegate --json`.
type delegateReport struct {
	Subject   string    `json:"subject"` // of the certificate
	Role      string    `json:"role"`    // server or client
	Scheme    string    `json:"signature_scheme"`
	Algorithm string    `json:"signed_with"`
	Until     time.Time `json:"until"`
	File      string    `json:"file,omitempty"`
}

const certDelegateLong = `Make a delegated credential (RFC 9345): a new key that signs TLS 1.3 handshakes
in the place of a certificate's key, for at most seven days. It is for servers
at the edge: who steals it has it for that long, and cannot make another. The
certificate has to allow it (tlswright ca issue --may-delegate).

The file holds the credential and its key, in PEM. Clients that know nothing of
it are served with the certificate's own key, if the server has that:

  tlswright serve --echo --cert app/fullchain.pem --key app/privkey.pem \
      --credential delegated.pem`

func newCertDelegate(a *app) *cobra.Command {
	o := &certDelegateFlags{}
	cmd := &cobra.Command{
		Use:     "delegate CERT",
		Short:   "Let another key sign in the place of a certificate's, for some days",
		Long:    certDelegateLong,
		Example: "  tlswright cert delegate app/fullchain.pem --key app/privkey.pem\n  tlswright cert delegate app/fullchain.pem --key app/privkey.pem --life 72h",
		Args:    oneArg("CERT"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.certDelegate(cmd, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.key, "key", "", "the certificate's private key, PEM `FILE` (default: the file of CERT)")
	f.StringVar(&o.newKey, "new-key", string(pki.P256), "`KIND` of the key to make: p256, p384, p521 or ed25519")
	f.DurationVar(&o.life, "life", 24*time.Hour, "how long it is good, a `TIME` of at most 168h")
	f.BoolVar(&o.isClient, "client", false, "make it for a client")
	f.StringVarP(&o.output, "output", "o", "delegated.pem", "write it to `FILE` (\"-\": standard output)")
	f.BoolVar(&o.force, "force", false, "replace a file that is there")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	complete(cmd, "new-key", []string{"p256", "p384", "p521", "ed25519"})
	for _, flag := range []string{"key", "output"} {
		_ = cmd.MarkFlagFilename(flag, "pem")
	}
	return cmd
}

func (a *app) certDelegate(cmd *cobra.Command, o *certDelegateFlags, file string) error {
	if o.life < time.Minute || o.life > tlscore.MaxDelegated {
		return usagef(cmd, "--life %v is not between a minute and seven days (168h)", o.life)
	}
	if o.output == "-" && o.asJSON {
		return usagef(cmd, "--json and -o - exclude each other")
	}
	id, err := keystore.LoadIdentity(file, o.key)
	if err != nil {
		return cannotRun(err, "")
	}
	key, err := a.keyToSign(cmd, "", o.newKey, &o.secret)
	if err != nil {
		return err
	}
	role := tlscore.RoleServer
	if o.isClient {
		role = tlscore.RoleClient
	}
	now := a.now()
	d := &tlsnet.Delegated{Key: key}
	if d.Credential, err = tlscore.Delegate(id.Chain[0], id.Key, role, key.Public(), now, now.Add(o.life)); err != nil {
		f := cannotRun(errors.Unwrap(err), "%s", file)
		f.hint = "the certificate has to allow it: tlswright ca issue --may-delegate"
		return f
	}
	is, err := tlscore.CheckDelegated(id.Chain[0], role, d.Credential)
	if err != nil {
		return cannotRun(err, "")
	}
	text, err := d.MarshalPEM()
	if err != nil {
		return cannotRun(err, "")
	}
	if err := a.writeResult(o.output, text, true, o.force); err != nil || o.output == "-" {
		return err
	}
	r := delegateReport{Subject: nameOf(parseChain(id.Chain)[0]), Role: role.String(), Scheme: is.Scheme.String(), Algorithm: is.Algorithm.String(), Until: is.Until.UTC(), File: o.output}
	if o.asJSON {
		return a.ui.printJSON(r)
	}
	a.ui.write(&a.ui.out, "delegated credential for "+r.Subject+"\n"+a.ui.out.rows([]row{
		{label: "role", value: r.Role},
		{label: "signs with", value: r.Scheme},
		{label: "good until", value: timeOf(r.Until)},
		{label: "file", value: r.File},
	}))
	return nil
}
