package cli

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

type caIntermediateFlags struct {
	caFlags
	constraints constraintFlags
	newSecret   secretFlags
	encrypts    bool
	key         string
	name        string
	days        int
	csrOut      string
	cert        string
	force       bool
	asJSON      bool
}

const caIntermediateLong = `Make another intermediate, signed by the root, for a purpose of its own: one
that may issue for fewer names, or one for each department. --issuer NAME then
has it issue; each intermediate has its own records, and its own CRL.

--passphrase-file and --passphrase-env are for the root's key. The new key is
encrypted with --encrypt, which asks twice, or with --new-passphrase-file or
--new-passphrase-env. A key that is in a token already is named by its URI, as
in --key 'pkcs11:token=ca;object=lab'; it stays there, and its PIN is given like
a new passphrase.

Where the root's key is kept on another machine that has no network, it takes
three steps. Here: "ca intermediate NAME --csr-out NAME.csr" makes the key,
which stays, and a request. There: "ca sign --profile intermediate NAME.csr -o
NAME.pem", with the constraints. Here again: "ca intermediate NAME --cert
NAME.pem".

` + constraintHelp

func newCAIntermediate(a *app) *cobra.Command {
	o := &caIntermediateFlags{newSecret: secretFlags{isNew: true, prefix: "new-"}}
	cmd := &cobra.Command{
		Use:   "intermediate NAME",
		Short: "Make another intermediate, also with a root that is offline",
		Long:  caIntermediateLong,
		Example: "  tlswright ca intermediate lab --permit-dns lab.test --days 730\n  tlswright ca issue --issuer lab db.lab.test\n" +
			"  tlswright ca intermediate lab --csr-out lab.csr\n  tlswright ca intermediate lab --cert lab.pem",
		Args: oneArg("the NAME of the intermediate"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.caIntermediate(cmd, o, args[0]) },
	}
	o.registerSecret(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	f := cmd.Flags()
	f.StringVar(&o.key, "key", string(pki.P256), "`KIND` of the key: "+keyTypeList()+"; or the URI of one in a token (pkcs11:…)")
	f.IntVar(&o.days, "days", 1825, "how many `DAYS` it is valid (default: five years, or what the root has left)")
	f.StringVar(&o.name, "common-name", "", "the `NAME` in the certificate (default: that of the root's owner, with NAME)")
	f.BoolVar(&o.encrypts, "encrypt", false, "encrypt the new key, and ask for the passphrase")
	f.StringVar(&o.newSecret.file, "new-passphrase-file", "", "encrypt the new key with a passphrase: it is the first line of `FILE`")
	f.StringVar(&o.newSecret.env, "new-passphrase-env", "", "encrypt the new key with a passphrase: it is in the environment variable `NAME`")
	f.StringVar(&o.csrOut, "csr-out", "", "the root is elsewhere: make the key, and write a request to `FILE`")
	f.StringVar(&o.cert, "cert", "", "take the certificate in `FILE`, which the root signed elsewhere")
	o.constraints.register(cmd)
	f.BoolVar(&o.force, "force", false, "replace the file of --csr-out, and a key whose request was not signed")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	completeKeyTypes(cmd)
	exclusive(cmd, "csr-out", "cert")
	exclusive(cmd, "new-passphrase-file", "new-passphrase-env")
	_ = cmd.MarkFlagFilename("csr-out", "csr")
	_ = cmd.MarkFlagFilename("cert", "pem", "crt")
	_ = cmd.MarkFlagFilename("new-passphrase-file")
	return cmd
}

// madeIntermediateReport is `ca intermediate --json`.
type madeIntermediateReport struct {
	Name        string      `json:"name"`
	Certificate *certReport `json:"certificate,omitempty"`
	CSR         string      `json:"csr,omitempty"` // the file
	Key         string      `json:"key"`           // the file
}

func (a *app) caIntermediate(cmd *cobra.Command, o *caIntermediateFlags, name string) error {
	ca, err := a.readCA()
	if err != nil {
		return err
	}
	all, err := ca.Intermediates()
	if err != nil {
		return cannotRun(err, "reading the CA")
	}
	for _, i := range all {
		if i.Name == name {
			return &failure{kind: kindLocal, text: "there is an intermediate called " + name + " already", hint: "see: tlswright ca show"}
		}
	}
	if _, err := ca.WithIntermediate(name); !errors.Is(err, keystore.ErrNoIntermediate) {
		return usagef(cmd, "%v", err) // not a name for one
	}
	if o.newSecret.isSet() {
		o.encrypts = true
	}
	switch {
	case o.csrOut != "":
		return a.requestIntermediate(cmd, o, ca, name)
	case o.cert != "":
		return a.importIntermediate(cmd, o, ca, name)
	}
	return a.makeIntermediate(cmd, o, ca, name)
}

// subjectRequest names the new intermediate after the root's owner.
func subjectRequest(o *caIntermediateFlags, ca *keystore.CA, name string) pki.Request {
	req := pki.Request{Profile: pki.ProfileIntermediate, CommonName: o.name}
	req.Subject.Organization = ca.Root.Subject.Organization
	if req.CommonName == "" {
		owner := ""
		if org := ca.Root.Subject.Organization; len(org) > 0 {
			owner = org[0] + " "
		}
		req.CommonName = owner + name + " Intermediate CA"
	}
	return req
}

// newKey makes the key of the intermediate, and the passphrase for it if it gets one.
func (a *app) newKey(cmd *cobra.Command, o *caIntermediateFlags, name string) (crypto.Signer, []byte, error) {
	if keystore.IsTokenURI(o.key) {
		return a.tokenKey(o)
	}
	keyType, err := pki.ParseKeyType(o.key)
	if err != nil {
		return nil, nil, refusedFlag(cmd, "--key", err)
	}
	var passphrase []byte
	if o.encrypts {
		if passphrase, err = a.passphraseText(&o.newSecret, "the key of "+pki.Printable(name)); err != nil {
			return nil, nil, err
		}
	}
	key, err := pki.GenerateKey(keyType)
	if err != nil {
		return nil, nil, cannotRun(err, "making a key")
	}
	return key, passphrase, nil
}

// tokenKey opens a key that is in a token already, and stays there.
func (a *app) tokenKey(o *caIntermediateFlags) (crypto.Signer, []byte, error) {
	pin := o.newSecret
	pin.isNew = false // it is known to the token
	key, err := keystore.ReadKeyWith(o.key, func(uri string) ([]byte, error) { return a.passphraseText(&pin, uri) })
	if err != nil {
		return nil, nil, cannotRun(err, "--key")
	}
	return key, nil, nil
}

// makeIntermediate has the root of this home sign.
func (a *app) makeIntermediate(cmd *cobra.Command, o *caIntermediateFlags, ca *keystore.CA, name string) (err error) {
	req := subjectRequest(o, ca, name)
	if req.NameConstraints, err = o.constraints.constraints(cmd); err != nil {
		return err
	}
	lifetime, err := lifetimeOf(cmd, o.days)
	if err != nil {
		return err
	}
	if cmd.Flags().Changed("days") {
		req.Lifetime = lifetime
	}
	if _, err := os.Stat(filepath.Join(ca.Dir, "root.key")); errors.Is(err, fs.ErrNotExist) {
		return &failure{kind: kindLocal, text: "the root's key is not here", err: err,
			hint: "make a request for the machine that has it: tlswright ca intermediate " + name + " --csr-out " + name + ".csr"}
	}
	key, passphrase, err := a.newKey(cmd, o, name)
	if err != nil {
		return err
	}
	o.issuer = authority.RootIssuer
	au, err := a.openToIssue(cmd.Context(), &o.caFlags)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	req.Key, req.CRLDistributionPoints = key.Public(), ca.Intermediate.CRLDistributionPoints // the root's CRL is where it was
	issued, err := au.Order(cmd.Context(), authority.Order{Request: req})
	if err != nil {
		return caFailure(err, "issuing the intermediate")
	}
	a.noteFindings(issued.Findings)
	if _, err := ca.AddIntermediate(name, issued.Certificate, key, passphrase); err != nil {
		return cannotRun(err, "keeping the intermediate")
	}
	return a.reportIntermediate(o, ca, name, issued.Certificate)
}

// pendingKey is where a key waits for its certificate.
func pendingKey(ca *keystore.CA, name string) string {
	return filepath.Join(ca.Dir, "requests", name+".key")
}

// requestIntermediate makes the key and a request for a root that is elsewhere.
func (a *app) requestIntermediate(cmd *cobra.Command, o *caIntermediateFlags, ca *keystore.CA, name string) error {
	if o.constraints.isSet() || cmd.Flags().Changed("days") {
		return usagef(cmd, "--days and constraints are for the one who signs: give them to tlswright ca sign --profile intermediate")
	}
	path := pendingKey(ca, name)
	if !o.force {
		if _, err := os.Lstat(path); err == nil {
			return &failure{kind: kindLocal, text: "a request for " + name + " was made already; its key is " + path,
				hint: "bring its certificate with --cert FILE, or begin anew with --force"}
		}
		if err := refuseToReplace(o.csrOut); err != nil && o.csrOut != "-" {
			return err
		}
	}
	key, passphrase, err := a.newKey(cmd, o, name)
	if err != nil {
		return err
	}
	req := subjectRequest(o, ca, name)
	der, err := pki.CreateCSR(pki.CSRRequest{Subject: req.Subject, CommonName: req.CommonName}, key)
	if err != nil {
		return refusedRequest(err, "making the request")
	}
	if len(passphrase) > 0 {
		err = keystore.WriteEncryptedKey(path, key, passphrase, pki.PBKDF2)
	} else {
		err = keystore.WriteKey(path, key)
	}
	if err != nil {
		return cannotRun(err, "keeping the key")
	}
	if err := a.writeResult(o.csrOut, pemBlock("CERTIFICATE REQUEST", der), false, o.force); err != nil {
		return err
	}
	if o.csrOut == "-" {
		return nil
	}
	if o.asJSON {
		return a.ui.printJSON(madeIntermediateReport{Name: name, CSR: o.csrOut, Key: path})
	}
	out := &a.ui.out
	a.ui.write(out, out.paint(bold, "made a request for the intermediate "+name)+"\n"+out.rows([]row{
		{label: "subject", value: "CN=" + pki.Printable(req.CommonName)}, {label: "key", value: path}, {label: "file", value: o.csrOut},
	}))
	a.ui.printf("\nnext, where the root is: %s", out.paint(bold, "tlswright ca sign --profile intermediate "+o.csrOut+" -o "+name+".pem"))
	return nil
}

// importIntermediate takes a certificate that the root signed elsewhere, for the key that waits for it.
func (a *app) importIntermediate(cmd *cobra.Command, o *caIntermediateFlags, ca *keystore.CA, name string) (err error) {
	in, err := a.readInput(cmd, o.cert, nil, nil)
	if err != nil {
		return err
	}
	if err := in.needCerts(); err != nil {
		return err
	}
	certs, err := in.parsed()
	if err != nil {
		return err
	}
	path := pendingKey(ca, name)
	var passphrase []byte
	key, err := keystore.ReadKeyWith(path, func(file string) ([]byte, error) {
		o.newSecret.isNew = false // it was chosen when the request was made
		text, err := a.passphraseText(&o.newSecret, file)
		passphrase = text
		return text, err
	})
	var known *failure
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &failure{kind: kindLocal, text: "no key is waiting for a certificate of " + name, hint: "make it, and a request: tlswright ca intermediate " + name + " --csr-out FILE"}
	case errors.As(err, &known):
		return known
	case err != nil:
		return keyFailure(err, path)
	}
	c := certificateFor(certs, key)
	if c == nil {
		return &failure{kind: kindLocal, text: o.cert + " is not for the key that waits for it, " + path, hint: "was the request made anew since?"}
	}
	if c.Equal(ca.Root) || cert.CheckSignatureFrom(c, ca.Root) != nil {
		return &failure{kind: kindLocal, text: fmt.Sprintf("the certificate is not signed by the root of this CA, %s, but by %s", pki.Name(ca.Root.Subject), pki.Name(c.Issuer))}
	}
	if _, err := ca.AddIntermediate(name, c, key, passphrase); err != nil {
		return cannotRun(err, "keeping the intermediate")
	}
	if err := os.Remove(path); err != nil {
		return cannotRun(err, "the intermediate is in place, but its key is also still in the folder of requests")
	}
	o.issuer = name
	au, err := a.openAuthority(cmd.Context(), &o.caFlags, false) // puts it on record
	if err != nil {
		return err
	}
	defer closing(au, &err)
	return a.reportIntermediate(o, ca, name, c)
}

// certificateFor is the certificate of a key; nil if it is not there.
func certificateFor(certs []*x509.Certificate, key crypto.Signer) *x509.Certificate {
	for _, c := range certs {
		if pki.SameKey(c.PublicKey, key.Public()) {
			return c
		}
	}
	return nil
}

func (a *app) reportIntermediate(o *caIntermediateFlags, ca *keystore.CA, name string, c *x509.Certificate) error {
	if o.asJSON {
		r := newCertReport(c, a.now())
		return a.ui.printJSON(madeIntermediateReport{Name: name, Certificate: &r, Key: filepath.Join(ca.Dir, "intermediates", name, "intermediate.key")})
	}
	out := &a.ui.out
	rows := append(a.issuerRows("subject", c), row{label: "serial", value: authority.SerialText(c.SerialNumber)})
	a.ui.write(out, out.paint(bold, "made the intermediate "+name)+"\n"+out.rows(rows))
	a.ui.printf("\nnext: %s", out.paint(bold, "tlswright ca issue --issuer "+name+" NAME"))
	return nil
}
