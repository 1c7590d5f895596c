package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

type caIssueFlags struct {
	caFlags
	requestFlags
	transparency transparencyFlags

	key    string
	out    string
	force  bool
	asJSON bool
}

// issueReport is `ca issue --json`.
type issueReport struct {
	certReport
	Profile  string            `json:"profile"`
	Files    map[string]string `json:"files"`              // "cert", "chain", "fullchain", "privkey"
	Findings []findingJSON     `json:"findings,omitempty"` // of the linters, none of them an error
}

const caIssueLong = `Make a key and a certificate for it, signed by the intermediate of the CA, and
write cert.pem, chain.pem, fullchain.pem and privkey.pem into a folder. Servers
take fullchain.pem and privkey.pem.

A certificate of profile server proves a server to clients, client a client to
servers, peer both; email, code and ocsp are for S/MIME, for signed programs and
for answers about revocation. Profiles of your own stand in ca/profiles.yaml
below --home. The names of a server are those of --san: DNS names, IP addresses,
URIs; without --san it is NAME itself. NAME is the common name as well.

What is issued is examined first and put on record: see it with "ca list". What
cannot be sound is refused, with the reason. With --ct-logs, here or at "ca
init", certificates of servers are shown to logs of Certificate Transparency,
and carry the timestamps of enough of them.

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
	o.caFlags.register(cmd, a)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	o.requestFlags.register(cmd)
	o.transparency.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.key, "key", string(pki.P256), "`KIND` of the key: "+keyTypeList())
	f.StringVar(&o.out, "out", "", "the `DIR` to write to (default live/NAME below --home)")
	f.BoolVar(&o.force, "force", false, "replace files in the folder that are not from this CA")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	completeKeyTypes(cmd)
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

func (a *app) caIssue(cmd *cobra.Command, o *caIssueFlags, name string) (err error) {
	keyType, err := pki.ParseKeyType(o.key)
	if err != nil {
		return refusedFlag(cmd, "--key", err)
	}
	req, err := a.request(cmd, &o.requestFlags)
	if err != nil {
		return err
	}
	req.CommonName = name
	if len(req.SANs) == 0 && needsName(req) {
		req.SANs = []string{name}
	}
	dir, err := a.liveDir(cmd, o.out, name)
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
	if err := a.showToLogs(cmd.Context(), cmd, &o.transparency, au); err != nil {
		return err
	}
	key, err := pki.GenerateKey(keyType)
	if err != nil {
		return cannotRun(err, "making a key")
	}
	req.Key = key.Public()
	issued, err := au.Order(cmd.Context(), authority.Order{Request: req})
	if err != nil {
		return issuingFailure(err, len(o.sans) == 0)
	}
	if err := live.Write(issued.Chain[0], issued.Chain[1:], key); err != nil {
		return cannotRun(err, "writing the certificate")
	}
	a.noteVainPolicies(issued.Certificate, au.Issuer.Certificate)
	return a.reportIssued(o, issued, dir)
}

// issuingFailure says why nothing was issued; where the only name was NAME itself, it says how to give others.
func issuingFailure(err error, isUnnamed bool) error {
	err = caFailure(err, "issuing the certificate")
	var refused *failure
	if errors.As(err, &refused) && refused.kind == kindUsage && refused.hint == "" && isUnnamed {
		refused.hint = "name its hosts and addresses with --san"
	}
	return err
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
	all, listErr := ca.Intermediates()
	if listErr != nil {
		return cannotRun(listErr, "reading the CA")
	}
	isIssuer := func(i keystore.Intermediate) bool {
		return bytes.Equal(certs[0].AuthorityKeyId, i.Certificate.SubjectKeyId)
	}
	if err == nil && (slices.ContainsFunc(all, isIssuer) || bytes.Equal(certs[0].AuthorityKeyId, ca.Root.SubjectKeyId)) {
		return nil
	}
	return &failure{kind: kindLocal, text: keyFile + " exists and is not from this CA; it would be lost",
		hint: "choose another folder with --out, or replace it with --force"}
}

func (a *app) reportIssued(o *caIssueFlags, issued *authority.Issued, dir string) error {
	leaf := issued.Certificate
	if o.asJSON {
		return a.ui.printJSON(issueReport{newCertReport(leaf, a.now()), o.profile, liveFiles(dir), newFindingsJSON(issued.Findings)})
	}
	rows := append([]row{{label: "profile", value: o.profile}}, certificateRows(leaf, a.now())[1:]...)
	rows = append(rows,
		row{label: "serial", value: leaf.SerialNumber.Text(16)},
		row{label: "files", value: filepath.Join(dir, "{cert,chain,fullchain,privkey}.pem")})
	out := &a.ui.out
	a.ui.write(out, out.paint(bold, "issued "+nameOf(leaf))+"\n"+out.rows(rows))
	a.noteFindings(issued.Findings)
	return nil
}

// liveFiles are the files of a folder by what they hold, for --json.
func liveFiles(dir string) map[string]string {
	files := map[string]string{}
	for _, f := range []string{keystore.CertFile, keystore.ChainFile, keystore.FullChainFile, keystore.KeyFile} {
		files[strings.TrimSuffix(f, ".pem")] = filepath.Join(dir, f)
	}
	return files
}
