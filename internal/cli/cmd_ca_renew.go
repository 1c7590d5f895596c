package cli

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"path/filepath"

	"filippo.io/mldsa"
	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

type caRenewFlags struct {
	caFlags
	out      string
	keepsKey bool
	days     int
	isLate   int
	force    bool
	asJSON   bool
}

const caRenewLong = `Issue a certificate with the names and the profile of an earlier one, with a new
key of the same kind, and write cert.pem, chain.pem, fullchain.pem and
privkey.pem into its folder. The earlier certificate stays valid until it ends,
so that nothing breaks while servers change over; revoke it if it must not.

--if-due 30 does nothing, and says so, while more than thirty days are left: the
command can then run every day.`

func newCARenew(a *app) *cobra.Command {
	o := &caRenewFlags{}
	cmd := &cobra.Command{
		Use:     "renew SERIAL|NAME",
		Short:   "Issue a certificate anew before it ends",
		Long:    caRenewLong,
		Example: "  tlswright ca renew app.test --out ./app\n  tlswright ca renew app.test --if-due 30\n  tlswright ca renew 4f21c0 --reuse-key --out ./app",
		Args:    oneArg("the SERIAL number or NAME of the certificate"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.caRenew(cmd, o, args[0]) },
	}
	o.register(cmd, a)
	cmd.ValidArgsFunction = a.completeRecords(&o.caFlags)
	f := cmd.Flags()
	f.StringVar(&o.out, "out", "", "the `DIR` to write to (default live/NAME below --home)")
	f.BoolVar(&o.keepsKey, "reuse-key", false, "keep the private key that is in the folder, for pins and DANE")
	f.IntVar(&o.days, "days", 0, "how many `DAYS` it is valid (default: as long as the earlier one)")
	f.IntVar(&o.isLate, "if-due", 0, "only if at most `DAYS` are left")
	f.BoolVar(&o.force, "force", false, "replace files in the folder that are not from this CA")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

// renewReport is `ca renew --json`.
type renewReport struct {
	Renewed bool              `json:"renewed"`
	Follows string            `json:"follows"` // serial number of the earlier one
	Due     string            `json:"due,omitempty"`
	Record  *recordReport     `json:"certificate,omitempty"`
	Files   map[string]string `json:"files,omitempty"`
}

func (a *app) caRenew(cmd *cobra.Command, o *caRenewFlags, what string) (err error) {
	options := authority.RenewOptions{}
	if cmd.Flags().Changed("days") {
		if options.Lifetime, err = lifetimeOf(cmd, o.days); err != nil {
			return err
		}
	}
	due := cmd.Flags().Changed("if-due")
	if due && o.isLate < 1 {
		return usagef(cmd, "--if-due %d is no number of days", o.isLate)
	}
	// Whether it is due can be told without the key, and without asking anybody for its passphrase.
	old, err := a.recordToRenew(cmd, o, what)
	if err != nil {
		return err
	}
	if left := int(old.NotAfter.Sub(a.now()) / day); due && left > o.isLate {
		return a.reportNotDue(o, old, left)
	}
	dir, err := a.liveDir(cmd, o.out, folderName(old))
	if err != nil {
		return err
	}
	ca, err := a.readCA()
	if err != nil {
		return err
	}
	live, err := a.holdLive(cmd.Context(), dir)
	if err != nil {
		return err
	}
	defer letGo(live, &err)
	if !o.force {
		if err := refuseForeign(dir, ca); err != nil {
			return err
		}
	}
	au, err := a.openToIssue(cmd.Context(), &o.caFlags)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	key, err := keyForRenewal(o, dir, old)
	if err != nil {
		return err
	}
	options.Key = key.Public()
	issued, err := au.Renew(cmd.Context(), serialOf(old.Serial), options)
	if err != nil {
		return caFailure(err, "renewing the certificate")
	}
	if err := live.Write(issued.Chain[0], issued.Chain[1:], key); err != nil {
		return cannotRun(err, "writing the certificate")
	}
	return a.reportRenewed(cmd, o, au, old, issued, dir)
}

// recordToRenew finds what is to be renewed, without the CA's key.
func (a *app) recordToRenew(cmd *cobra.Command, o *caRenewFlags, what string) (r *authority.Record, err error) {
	au, err := a.openAuthority(cmd.Context(), &o.caFlags, false)
	if err != nil {
		return nil, err
	}
	defer closing(au, &err)
	return a.findRecord(cmd.Context(), au, what, "valid")
}

// folderName is the name that `ca issue` gave the folder: the common name, or the first alternative name.
func folderName(r *authority.Record) string {
	if c, err := cert.ParseX509(r.DER); err == nil && c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	if len(r.Names) > 0 {
		return r.Names[0]
	}
	return serialShort(r.Serial)
}

// keyForRenewal is a new key like the old one, or the one in the folder.
func keyForRenewal(o *caRenewFlags, dir string, old *authority.Record) (crypto.Signer, error) {
	c, err := cert.ParseX509(old.DER)
	if err != nil {
		return nil, cannotRun(err, "reading the earlier certificate")
	}
	if o.keepsKey {
		path := filepath.Join(dir, keystore.KeyFile)
		key, err := keystore.ReadKey(path)
		if err != nil {
			return nil, cannotRun(err, "--reuse-key")
		}
		if !pki.SameKey(key.Public(), c.PublicKey) {
			return nil, &failure{kind: kindLocal, text: path + " is not the key of the earlier certificate", hint: "leave --reuse-key away, or name its folder with --out"}
		}
		return key, nil
	}
	key, err := pki.GenerateKey(keyTypeOf(c.PublicKey))
	if err != nil {
		return nil, cannotRun(err, "making a key")
	}
	return key, nil
}

// keyTypeOf is the kind of key to make in the place of pub.
func keyTypeOf(pub crypto.PublicKey) pki.KeyType {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return pki.Ed25519
	case *mldsa.PublicKey:
		if t, err := pki.ParseKeyType(k.Parameters().String()); err == nil {
			return t
		}
	case *ecdsa.PublicKey:
		switch k.Params().BitSize {
		case 384:
			return pki.P384
		case 521:
			return pki.P521
		}
	case *rsa.PublicKey:
		switch bits := k.N.BitLen(); {
		case bits > 3072:
			return pki.RSA4096
		case bits > 2048:
			return pki.RSA3072
		default:
			return pki.RSA2048
		}
	}
	return pki.P256
}

func (a *app) reportNotDue(o *caRenewFlags, old *authority.Record, left int) error {
	text := fmt.Sprintf("%s are left, more than %d", countOf(left, "day"), o.isLate)
	if o.asJSON {
		return a.ui.printJSON(renewReport{Follows: authority.SerialText(serialOf(old.Serial)), Due: text})
	}
	a.ui.printf("not due: %s has %s left", recordName(*old), countOf(left, "day"))
	return nil
}

func (a *app) reportRenewed(cmd *cobra.Command, o *caRenewFlags, au *authority.Authority, old *authority.Record, issued *authority.Issued, dir string) error {
	record, err := au.Get(cmd.Context(), issued.Certificate.SerialNumber)
	if err != nil {
		return caFailure(err, "reading the record")
	}
	now, out := a.now(), &a.ui.out
	if o.asJSON {
		j := newRecordReport(*record, now)
		return a.ui.printJSON(renewReport{Renewed: true, Follows: authority.SerialText(serialOf(old.Serial)), Record: &j, Files: liveFiles(dir)})
	}
	rows := append(recordRows(*record, now),
		row{label: "follows", value: serialShort(old.Serial) + ", which ends " + whenText(old.NotAfter, now)},
		row{label: "files", value: filepath.Join(dir, "{cert,chain,fullchain,privkey}.pem")})
	a.ui.write(out, out.paint(bold, "renewed "+recordName(*record))+"\n"+out.rows(rows))
	return nil
}
