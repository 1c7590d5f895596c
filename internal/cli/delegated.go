package cli

import (
	"bytes"
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// delegatedFlags are the flags about delegated credentials (RFC 9345).
type delegatedFlags struct {
	takes bool
	file  string
}

func (d *delegatedFlags) register(cmd *cobra.Command, whose string) {
	f := cmd.Flags()
	f.BoolVar(&d.takes, "delegated", false, "take delegated credentials in the place of the key of "+whose+" certificate (RFC 9345)")
	f.StringVar(&d.file, "credential", "", "show the delegated credential in `FILE` with --cert (see tlswright cert delegate)")
	_ = cmd.MarkFlagFilename("credential", "pem")
}

// configure puts them into a configuration, whose first identity is that of --cert.
func (d *delegatedFlags) configure(cmd *cobra.Command, config *tlsnet.Config, role tlscore.Role, now time.Time) error {
	if d.takes {
		config.Core.DelegatedSchemes = tlscore.DelegatedSchemes()
	}
	if d.file == "" {
		return nil
	}
	if len(config.Identities) == 0 || cmd.Flags().Lookup("cert").Value.String() == "" {
		return usagef(cmd, "--credential without --cert: a delegated credential belongs to one certificate")
	}
	credential, until, err := readCredential(d.file, config.Identities[0].Chain[0], role)
	if err != nil {
		return err
	}
	if now.After(until) {
		return &failure{kind: kindLocal, text: d.file + " is over since " + timeOf(until), hint: "make another: tlswright cert delegate"}
	}
	config.Identities[0].Delegated = credential
	return nil
}

// readCredential reads a delegated credential for a certificate, and until when it is good.
func readCredential(file string, certificate []byte, role tlscore.Role) (*tlsnet.Delegated, time.Time, error) {
	text, err := keystore.ReadSecret(file)
	if err != nil {
		return nil, time.Time{}, cannotRun(err, "--credential")
	}
	defer clear(text)
	credential, err := tlsnet.ParseDelegated(text)
	if err != nil {
		return nil, time.Time{}, cannotRun(err, "--credential %s", file)
	}
	is, err := tlscore.CheckDelegated(certificate, role, credential.Credential)
	if err != nil {
		return nil, time.Time{}, &failure{kind: kindLocal, text: file + " does not go with the certificate: " + pki.Printable(err.Error()), err: err, hint: "make one for it, and for this role: tlswright cert delegate"}
	}
	return credential, is.Until, nil
}

// lookForCredential is how often serve looks whether there is a new one.
const lookForCredential = 2 * time.Second

// renewCredential takes up a new credential as soon as the file has one, until ctx ends. One that cannot be used is told of, and
// the last one stays. "": there is none.
func (a *app) renewCredential(ctx context.Context, file string, l *tlsnet.Listener, config *tlsnet.Config) {
	if file == "" {
		return
	}
	last, _ := os.ReadFile(file)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookForCredential):
		}
		text, err := os.ReadFile(file)
		if err != nil || bytes.Equal(text, last) {
			continue
		}
		last = text
		next := *config
		next.Identities = append([]tlsnet.Identity(nil), config.Identities...)
		credential, until, err := readCredential(file, next.Identities[0].Chain[0], tlscore.RoleServer)
		if err == nil {
			next.Identities[0].Delegated = credential
			err = l.SetConfig(&next)
		}
		if err != nil {
			a.ui.warnf("the new --credential is not used: %s", pki.Printable(err.Error()))
			continue
		}
		a.ui.notef("a new delegated credential, good until %s", timeOf(until))
	}
}

// delegatedRows are the lines of a report about delegated credentials.
func delegatedRows(f tlscore.Facts) (rows []row) {
	for _, d := range []struct {
		whose string
		*tlscore.Delegation
	}{{"the peer's", f.PeerDelegation}, {"ours", f.OwnDelegation}} {
		if d.Delegation == nil {
			continue
		}
		text := d.whose + ", " + d.Scheme.String() + ", good until " + timeOf(d.Until)
		rows = append(rows, row{label: map[bool]string{true: "delegated"}[len(rows) == 0], value: text})
	}
	return rows
}

// delegationJSON is a delegated credential in --json.
type delegationJSON struct {
	Scheme string    `json:"signature_scheme"`
	Until  time.Time `json:"until"`
}

func newDelegationJSON(d *tlscore.Delegation) *delegationJSON {
	if d == nil {
		return nil
	}
	return &delegationJSON{d.Scheme.String(), d.Until.UTC()}
}
