package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

type caIssueFlags struct {
	profile string
	sans    []string
	key     string
	days    int
	out     string
	force   bool
	asJSON  bool
}

// issueReport is `ca issue --json`.
type issueReport struct {
	certReport
	Profile string            `json:"profile"`
	Files   map[string]string `json:"files"` // "cert", "chain", "fullchain", "privkey"
}

const caIssueLong = `Make a key and a certificate for it, signed by the intermediate of the CA, and
write cert.pem, chain.pem, fullchain.pem and privkey.pem into a folder. Servers
take fullchain.pem and privkey.pem.

A certificate of profile server proves a server to clients, client a client to
servers, peer both. The names of a server are those of --san: DNS names, IP
addresses, URIs; without --san it is NAME itself. NAME is the common name as
well.

Files of the same CA in the folder are replaced; anything else there is left
alone unless --force is given.`

func newCAIssue(a *app) *cobra.Command {
	o := &caIssueFlags{}
	cmd := &cobra.Command{
		Use:   "issue NAME",
		Short: "Issue a certificate with its key",
		Long:  caIssueLong,
		Example: "  tlswright ca issue app.test --san app.test,127.0.0.1 --out ./app\n" +
			"  tlswright ca issue alice --profile client --out ./alice",
		Args: oneArg("the NAME to issue for"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.caIssue(cmd, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.profile, "profile", string(pki.ProfileServer), "the `PROFILE`, what it is for: server, client or peer")
	f.StringSliceVar(&o.sans, "san", nil, "`LIST` of subject alternative names: DNS names, IP addresses, URIs")
	f.StringVar(&o.key, "key", string(pki.P256), "`KIND` of the key: "+keyTypeList())
	f.IntVar(&o.days, "days", 90, "how many `DAYS` it is valid")
	f.StringVar(&o.out, "out", "", "the `DIR` to write to (default live/NAME below --home)")
	f.BoolVar(&o.force, "force", false, "replace files in the folder that are not from this CA")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	complete(cmd, "profile", []string{"server", "client", "peer"})
	completeKeyTypes(cmd)
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

func (a *app) caIssue(cmd *cobra.Command, o *caIssueFlags, name string) error {
	keyType, err := pki.ParseKeyType(o.key)
	if err != nil {
		return refusedFlag(cmd, "--key", err)
	}
	profile := pki.Profile(o.profile)
	if profile != pki.ProfileServer && profile != pki.ProfileClient && profile != pki.ProfilePeer {
		return usagef(cmd, "--profile %q is not server, client or peer", o.profile)
	}
	lifetime, err := lifetimeOf(cmd, o.days)
	if err != nil {
		return err
	}
	if !cmd.Flags().Changed("days") {
		lifetime = 0 // the same, but no longer than the CA has left
	}
	dir, err := a.liveDir(cmd, o.out, name)
	if err != nil {
		return err
	}
	ca, err := a.openCA()
	if err != nil {
		return err
	}
	if !o.force {
		if err := refuseForeign(dir, ca); err != nil {
			return err
		}
	}
	sans := o.sans
	if len(sans) == 0 && profile != pki.ProfileClient {
		sans = []string{name}
	}
	id, err := issueFrom(ca, pki.Request{Profile: profile, CommonName: name, SANs: sans, Lifetime: lifetime}, keyType, a.now())
	var refused *failure
	if errors.As(err, &refused) && refused.hint == "" && len(o.sans) == 0 {
		refused.hint = "name its hosts and addresses with --san"
	}
	if err != nil {
		return err
	}
	if err := keystore.WriteLive(dir, id.Chain[0], id.Chain[1:], id.Key); err != nil {
		return cannotRun(err, "writing the certificate")
	}
	return a.reportIssued(o, id, dir)
}

// issueFrom makes a key and has the CA certify it.
func issueFrom(ca *keystore.CA, req pki.Request, keyType pki.KeyType, now time.Time) (keystore.Identity, error) {
	key, err := pki.GenerateKey(keyType)
	if err != nil {
		return keystore.Identity{}, cannotRun(err, "making a key")
	}
	req.Key = key.Public()
	leaf, err := ca.Issuer().Issue(req, now)
	if err != nil {
		return keystore.Identity{}, refusedRequest(err, "issuing the certificate")
	}
	return keystore.Identity{Chain: append([][]byte{leaf.Raw}, ca.Chain()...), Key: key}, nil
}

// liveDir is where the files of NAME go.
func (a *app) liveDir(cmd *cobra.Command, out, name string) (string, error) {
	if out != "" {
		return out, nil
	}
	folder := strings.TrimPrefix(name, "*.")
	if folder == "" || strings.HasPrefix(folder, ".") || strings.ContainsAny(folder, "/\\\x00") {
		f := usagef(cmd, "%q cannot be the name of a folder", name)
		f.hint = "say where the files shall go: --out DIR"
		return "", f
	}
	home, err := a.home()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, "live", folder), nil
}

// refuseForeign keeps `ca issue` from destroying a key that it did not make: the folder must be without one, or hold a
// certificate of this CA.
func refuseForeign(dir string, ca *keystore.CA) error {
	keyFile := filepath.Join(dir, keystore.KeyFile)
	if _, err := os.Lstat(keyFile); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	certs, err := keystore.ReadCertificates(filepath.Join(dir, keystore.CertFile))
	if err == nil && bytes.Equal(certs[0].AuthorityKeyId, ca.Intermediate.SubjectKeyId) {
		return nil
	}
	return &failure{kind: kindLocal, text: keyFile + " exists and is not from this CA; it would be lost",
		hint: "choose another folder with --out, or replace it with --force"}
}

func (a *app) reportIssued(o *caIssueFlags, id keystore.Identity, dir string) error {
	leaf := parseChain(id.Chain)[0]
	if o.asJSON {
		files := map[string]string{}
		for _, f := range []string{keystore.CertFile, keystore.ChainFile, keystore.FullChainFile, keystore.KeyFile} {
			files[strings.TrimSuffix(f, ".pem")] = filepath.Join(dir, f)
		}
		return a.ui.printJSON(issueReport{newCertReport(leaf, a.now()), o.profile, files})
	}
	rows := append([]row{{label: "profile", value: o.profile}}, certificateRows(leaf, a.now())[1:]...)
	rows = append(rows,
		row{label: "serial", value: leaf.SerialNumber.Text(16)},
		row{label: "files", value: filepath.Join(dir, "{cert,chain,fullchain,privkey}.pem")})
	out := &a.ui.out
	a.ui.write(out, out.paint(bold, "issued "+nameOf(leaf))+"\n"+out.rows(rows))
	return nil
}
