package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

const day = 24 * time.Hour

type caInitFlags struct {
	key         string
	name        string
	days        int
	interDays   int
	encrypts    bool
	secret      secretFlags
	rootEncrypt bool
	rootSecret  secretFlags
	constraints constraintFlags
	constrained []string
	publication publicationFlags
	rootCRL     []string
	logs        transparencyFlags
	asJSON      bool
}

// caReport is `ca init --json` and `ca show --json`.
type caReport struct {
	Folder       string               `json:"folder"`
	Root         certReport           `json:"root"`
	Intermediate certReport           `json:"intermediate"`
	Others       []intermediateReport `json:"other_intermediates"`
	Encrypted    bool                 `json:"encrypted"` // the intermediate's key has a passphrase
	RootKey      bool                 `json:"root_key_here"`
	Revoked      []string             `json:"revoked_intermediates"` // names
	Publication  publicationReport    `json:"publication"`
}

type intermediateReport struct {
	Name string `json:"name"` // for --issuer
	certReport
}

const caInitLong = `Make a root, valid for ten years, and an intermediate, valid for five, which
issues everything else. The private keys are files that only you can read. An
existing CA is never overwritten.

With --passphrase-file, --passphrase-env or --encrypt (which asks twice) the
keys are encrypted, and every command that signs needs the passphrase.
--encrypt-root gives the root's key a passphrase of its own. That key may then
be moved to another place, for only "ca intermediate" and the root's CRL need
it.

` + constraintHelp + `

Both certificates say so unless --constrain names one, for some programs do not
look at the root's.

--crl-url, --ocsp-url and --issuer-url go into every certificate that is issued
from now on (--root-crl-url into intermediates), and say where clients find the
CRL, the OCSP responder and the intermediate; putting them there is up to you
(see "ca crl" and "ca ocsp"). In a URL {issuer} stands for the name of the
intermediate, where there are several. --crl-shards splits the CRL into as many
parts, each at a URL of its own: it can not be changed later.

With --ct-logs certificates of servers are shown to logs of Certificate
Transparency before they are signed, and carry their timestamps. The list is
kept: "ca issue --ct-logs" names another one, or none.`

func newCAInit(a *app) *cobra.Command {
	o := &caInitFlags{secret: secretFlags{isNew: true}, rootSecret: secretFlags{isNew: true, prefix: "root-"}}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a private CA: a root and an intermediate",
		Long:  caInitLong,
		Example: "  tlswright ca init\n  tlswright ca init --key rsa4096 --days 3650 --name 'Example Ltd'\n" +
			"  tlswright ca init --permit-dns test,internal --permit-ip 127.0.0.0/8\n" +
			"  tlswright ca init --encrypt --crl-url http://ca.example.com/ca.crl",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.caInit(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.key, "key", string(pki.P256), "`KIND` of the keys: "+keyTypeList())
	f.IntVar(&o.days, "days", 3650, "how many `DAYS` the root is valid")
	f.IntVar(&o.interDays, "intermediate-days", 0, "how many `DAYS` the intermediate is valid (default: half as long as the root)")
	f.StringVar(&o.name, "name", "", "your `NAME` in the certificates (default \"tlswright\")")
	f.BoolVar(&o.encrypts, "encrypt", false, "encrypt the keys, and ask for the passphrase")
	registerPassphrase(cmd, &o.secret, "encrypt the keys with a passphrase: it")
	f.BoolVar(&o.rootEncrypt, "encrypt-root", false, "encrypt the root's key with another passphrase, and ask for it")
	f.StringVar(&o.rootSecret.file, "root-passphrase-file", "", "encrypt the root's key with a passphrase of its own: it is the first line of `FILE`")
	f.StringVar(&o.rootSecret.env, "root-passphrase-env", "", "encrypt the root's key with a passphrase of its own: it is in the environment variable `NAME`")
	exclusive(cmd, "root-passphrase-file", "root-passphrase-env")
	_ = cmd.MarkFlagFilename("root-passphrase-file")
	o.constraints.register(cmd)
	f.StringSliceVar(&o.constrained, "constrain", []string{"root", "intermediate"}, "which `CERTIFICATES` bear the constraints: root, intermediate")
	o.publication.register(cmd)
	f.StringSliceVar(&o.rootCRL, "root-crl-url", nil, "the root's CRL, which speaks of intermediates, will be found at these `URLS`")
	o.logs.register(cmd)
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	complete(cmd, "constrain", []string{"root", "intermediate"})
	completeKeyTypes(cmd)
	return cmd
}

func keyTypeList() string {
	text := ""
	for i, t := range pki.KeyTypes() {
		if i > 0 {
			text += ", "
		}
		text += string(t)
	}
	return text
}

func completeKeyTypes(cmd *cobra.Command) {
	var words []string
	for _, t := range pki.KeyTypes() {
		words = append(words, string(t))
	}
	complete(cmd, "key", words)
}

// lifetimeOf turns --days into a time.
func lifetimeOf(cmd *cobra.Command, days int) (time.Duration, error) {
	if days < 1 || days > 36500 {
		return 0, usagef(cmd, "--days %d is no lifetime (1 to 36500)", days)
	}
	return time.Duration(days) * day, nil
}

func (a *app) caInit(cmd *cobra.Command, o *caInitFlags) error {
	options, err := a.caOptions(cmd, o)
	if err != nil {
		return err
	}
	publication, err := o.publication.publication(cmd, authority.Publication{})
	if err != nil {
		return err
	}
	logs, err := o.logs.read(cmd, a)
	if err != nil {
		return err
	}
	home, err := a.home()
	if err != nil {
		return err
	}
	if _, err := keystore.ReadCA(home); !errors.Is(err, keystore.ErrNoCA) {
		if _, statErr := os.Stat(filepath.Join(home, "ca")); statErr != nil {
			return cannotRun(statErr, "making the CA")
		}
		return caExists(fmt.Errorf("%w in %s", keystore.ErrCAExists, home)) // before anybody thinks of a passphrase
	}
	rootPassphrase, err := a.newPassphrases(cmd, o, &options)
	if err != nil {
		return err
	}
	if options.KeyType == pki.RSA4096 && a.ui.err.width > 0 {
		a.ui.notef("making two RSA keys of 4096 bits, which takes a while")
	}
	ca, err := keystore.CreateCA(home, options, a.now())
	if errors.Is(err, keystore.ErrCAExists) {
		return caExists(err)
	}
	if err != nil {
		return refusedRequest(err, "making the CA")
	}
	if len(rootPassphrase) > 0 {
		if err := encryptRoot(ca, rootPassphrase); err != nil {
			return cannotRun(err, "encrypting the root's key")
		}
	}
	if o.publication.isSet() {
		if err := authority.WritePublication(home, publication); err != nil {
			return cannotRun(err, "keeping where the CA publishes")
		}
	}
	if logs != nil {
		if err := logs.Keep(home); err != nil {
			return cannotRun(err, "keeping which logs certificates are shown to")
		}
	}
	report, err := a.newCAReport(cmd.Context(), ca)
	switch {
	case err != nil:
		return err
	case o.asJSON:
		return a.ui.printJSON(report)
	}
	a.printCA(ca, report, "made a CA in "+filepath.Clean(ca.Dir))
	a.ui.printf("\nnext: %s", a.ui.out.paint(bold, o.next()))
	return nil
}

// newPassphrases gets the passphrase of the keys, and that of the root's key where it has one of its own.
func (a *app) newPassphrases(cmd *cobra.Command, o *caInitFlags, options *keystore.CAOptions) (root []byte, err error) {
	apart := o.rootEncrypt || o.rootSecret.isSet()
	if !o.encrypts && !o.secret.isSet() {
		if apart {
			return nil, usagef(cmd, "the root's key gets a passphrase of its own only where the intermediate's has one: see --encrypt")
		}
		return nil, nil
	}
	what := "the keys of the CA"
	if apart {
		what = "the intermediate's key"
	}
	if options.Passphrase, err = a.passphraseText(&o.secret, what); err != nil || !apart {
		return nil, err
	}
	return a.passphraseText(&o.rootSecret, "the root's key")
}

// encryptRoot changes the passphrase of the root's key.
func encryptRoot(ca *keystore.CA, passphrase []byte) error {
	root, err := ca.RootIssuer()
	if err != nil {
		return err
	}
	return keystore.WriteEncryptedKey(filepath.Join(ca.Dir, "root.key"), root.Key, passphrase, pki.PBKDF2)
}

func caExists(err error) error {
	return &failure{kind: kindLocal, err: err, text: err.Error(), hint: "use it as it is (tlswright ca show), or name another place with --home"}
}

// next is what to do with a new CA: a certificate that it may issue.
func (o *caInitFlags) next() string {
	host, sans := "localhost", "localhost,127.0.0.1"
	if permitted := lowered(o.constraints.permitDNS); len(permitted) > 0 && !slices.Contains(permitted, "localhost") {
		host = strings.TrimPrefix(permitted[0], ".")
		if !strings.Contains(host, ".") || host != permitted[0] {
			host = "app." + host
		}
		sans = host
	}
	return fmt.Sprintf("tlswright ca issue %s --profile server --san %s --out ./%s", host, sans, host)
}

// caOptions turns the flags into what the key store makes.
func (a *app) caOptions(cmd *cobra.Command, o *caInitFlags) (keystore.CAOptions, error) {
	var none keystore.CAOptions
	keyType, err := pki.ParseKeyType(o.key)
	if err != nil {
		return none, refusedFlag(cmd, "--key", err)
	}
	lifetime, err := lifetimeOf(cmd, o.days)
	if err != nil {
		return none, err
	}
	options := keystore.CAOptions{KeyType: keyType, Name: o.name, RootLifetime: lifetime, IntermediateLifetime: max(lifetime/2, day)}
	if cmd.Flags().Changed("intermediate-days") {
		if o.interDays < 1 || o.interDays > o.days {
			return none, usagef(cmd, "--intermediate-days %d is not between 1 and the days of the root, %d", o.interDays, o.days)
		}
		options.IntermediateLifetime = time.Duration(o.interDays) * day
	}
	constraints, err := o.constraints.constraints(cmd)
	if err != nil {
		return none, err
	}
	if constraints == nil && cmd.Flags().Changed("constrain") {
		return none, usagef(cmd, "--constrain says who bears constraints, but there are none: --permit-dns and the like give them")
	}
	for _, who := range o.constrained {
		if who != string(pki.ProfileRoot) && who != string(pki.ProfileIntermediate) {
			return none, usagef(cmd, "--constrain %q is neither root nor intermediate", who)
		}
	}
	for _, text := range o.rootCRL {
		if err := (&publicationFlags{shards: 1}).check(cmd, "root-crl-url", text); err != nil {
			return none, err
		}
	}
	options.Adjust = func(req *pki.Request) {
		if req.Profile == pki.ProfileIntermediate {
			req.CRLDistributionPoints = o.rootCRL
		}
		if slices.Contains(o.constrained, string(req.Profile)) {
			req.NameConstraints = constraints
		}
	}
	return options, nil
}

// refusedFlag reports the value of a flag that pki does not take.
func refusedFlag(cmd *cobra.Command, flag string, err error) error {
	f := usagef(cmd, "%s: %v", flag, err)
	var refused *pki.RefusedError
	if errors.As(err, &refused) && refused.Hint != "" {
		f.hint = refused.Hint
	}
	return f
}
