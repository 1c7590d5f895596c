package cli

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
)

type certSelfSignFlags struct {
	profile   string
	subject   string
	newKey    string
	key       string
	days      int
	output    string
	keyOutput string
	encrypt   bool
	force     bool
	asJSON    bool
	secret    secretFlags
}

// selfSignReport is `cert selfsign --json`.
type selfSignReport struct {
	certReport
	Profile string            `json:"profile"`
	Files   map[string]string `json:"files"` // "cert" and "key"; the key that was there already is not among them
}

const certSelfSignLong = `Make a certificate that is signed by its own key, for development and tests,
with its key: the names are those a client may connect to, DNS names and IP
addresses. Without a NAME it is for localhost, 127.0.0.1 and ::1. The files are
NAME.crt and NAME.key, if not named otherwise.

Nobody trusts such a certificate until told to, and each has to be trusted by
itself; a private CA is trusted once (see tlswright ca init).

--key FILE uses a key that is there already. --profile root makes a root, which
can sign other certificates; NAME is its common name then, and --subject says
more of it, as "/C=US/O=Example Ltd/CN=Example Root" or "CN=Example Root,
O=Example".`

const certSelfSignExample = `  tlswright cert selfsign
  tlswright cert selfsign app.test '*.app.test' 192.0.2.7
  tlswright cert selfsign localhost --new-key rsa4096 -o server.crt
  tlswright cert selfsign --profile root --subject '/O=Example/CN=Example Root'`

func newCertSelfSign(a *app) *cobra.Command {
	o := &certSelfSignFlags{}
	cmd := &cobra.Command{
		Use:               "selfsign [NAME]...",
		Short:             "Make a self-signed certificate with its key, for development",
		Long:              certSelfSignLong,
		Example:           certSelfSignExample,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.certSelfSign(cmd, o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.profile, "profile", string(pki.ProfileServer), "the `PROFILE`, what it is for: server, client, peer or root")
	f.StringVar(&o.subject, "subject", "", "the subject, as `/C=US/O=Example/CN=NAME` (default: the first NAME as common name)")
	f.StringVar(&o.newKey, "new-key", string(pki.P256), "`KIND` of the key to make: "+keyTypeList())
	f.StringVar(&o.key, "key", "", "use the private key in `FILE` instead of making one")
	f.IntVar(&o.days, "days", 365, "how many `DAYS` it is valid")
	f.StringVarP(&o.output, "output", "o", "", "write the certificate to `FILE` (default NAME.crt; \"-\": standard output)")
	f.StringVar(&o.keyOutput, "key-output", "", "write the new key to `FILE` (default NAME.key)")
	f.BoolVar(&o.encrypt, "encrypt", false, "lock the new key with a passphrase")
	f.BoolVar(&o.force, "force", false, "replace files that are there")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	o.secret.register(cmd, "the key")
	complete(cmd, "profile", []string{"server", "client", "peer", "root"})
	complete(cmd, "new-key", keyTypeNames())
	for _, flag := range []string{"key", "output", "key-output"} {
		_ = cmd.MarkFlagFilename(flag)
	}
	exclusive(cmd, "key", "new-key")
	exclusive(cmd, "key", "key-output")
	exclusive(cmd, "key", "encrypt")
	return cmd
}

func (a *app) certSelfSign(cmd *cobra.Command, o *certSelfSignFlags, args []string) error {
	req, err := o.request(cmd, args)
	if err != nil {
		return err
	}
	certFile, keyFile := o.files(req)
	for _, file := range []string{certFile, keyFile} {
		if file != "-" && file != "" && !o.force {
			if err := refuseToReplace(file); err != nil {
				return err
			}
		}
	}
	key, err := a.keyToSign(cmd, o.key, o.newKey, &o.secret)
	if err != nil {
		return err
	}
	c, err := pki.SelfSign(req, key, a.now())
	if err != nil {
		return refusedRequest(err, "making the certificate")
	}
	if keyFile != "" {
		o.secret.isNew = true
		text, err := a.encodeKey(key, keyForm{encrypt: o.encrypt || o.secret.isSet(), kdf: pki.PBKDF2}, &o.secret, keyFile)
		if err != nil {
			return err
		}
		if err := a.writeResult(keyFile, text, true, o.force); err != nil {
			return err
		}
	}
	if err := a.writeResult(certFile, pki.AppendCertificatePEM(nil, c.Raw), false, o.force); err != nil {
		return err
	}
	return a.reportSelfSigned(o, c, certFile, keyFile)
}

// request is what the flags ask for.
func (o *certSelfSignFlags) request(cmd *cobra.Command, names []string) (pki.Request, error) {
	profile, err := pki.ParseProfile(o.profile)
	if err != nil || profile == pki.ProfileIntermediate {
		return pki.Request{}, usagef(cmd, "--profile %q is not server, client, peer or root", o.profile)
	}
	req := pki.Request{Profile: profile, SANs: names}
	if req.Lifetime, err = lifetimeOf(cmd, o.days); err != nil {
		return req, err
	}
	isRoot := profile == pki.ProfileRoot
	if isRoot && !cmd.Flags().Changed("days") {
		req.Lifetime = 0 // that of the profile: ten years
	}
	if req.Subject, err = parseSubject(o.subject); err != nil {
		return req, usagef(cmd, "--subject: %v", err)
	}
	switch {
	case len(names) == 0 && isRoot && o.subject == "":
		return req, usagef(cmd, "a root needs a name: give one, or a --subject")
	case len(names) == 0 && profile == pki.ProfileClient && o.subject == "":
		return req, usagef(cmd, "a client needs a name: give one, or a --subject")
	case len(names) == 0 && !isRoot && profile != pki.ProfileClient:
		names = []string{"localhost", "127.0.0.1", "::1"}
	}
	req.SANs = names
	if isRoot || profile == pki.ProfileClient {
		req.SANs = nil
	}
	if o.subject == "" {
		req.CommonName = names[0]
		if len(names[0]) > 64 {
			req.CommonName = "" // which no common name may be longer than; the name stands among the others
		}
	}
	return req, nil
}

// files are where the certificate and the key go.
func (o *certSelfSignFlags) files(req pki.Request) (certFile, keyFile string) {
	base := req.CommonName
	if base == "" {
		base = req.Subject.CommonName
	}
	if base = strings.TrimPrefix(base, "*."); base == "" || strings.HasPrefix(base, ".") || strings.ContainsAny(base, "/\\\x00") {
		base = "selfsigned"
	}
	certFile, keyFile = o.output, o.keyOutput
	if certFile == "" {
		certFile = base + ".crt"
	}
	switch {
	case o.key != "":
		return certFile, ""
	case keyFile == "":
		keyFile = base + ".key"
	}
	return certFile, keyFile
}

// keyToSign reads the key of a file, or makes one.
func (a *app) keyToSign(cmd *cobra.Command, file, kind string, secret *secretFlags) (crypto.Signer, error) {
	if file == "" {
		t, err := pki.ParseKeyType(kind)
		if err != nil {
			return nil, refusedFlag(cmd, "--new-key", err)
		}
		key, err := pki.GenerateKey(t)
		if err != nil {
			return nil, cannotRun(err, "making a key")
		}
		return key, nil
	}
	c, err := a.readInput(cmd, file, nil, secret)
	if err != nil {
		return nil, err
	}
	if len(c.keys) != 1 {
		return nil, &failure{kind: kindLocal, text: fmt.Sprintf("--key: %s holds no private key, but %s", c.origin, c.summary())}
	}
	if c.keys[0].key == nil {
		return nil, cannotRun(errors.New("the key cannot be read"), "%s", c.origin)
	}
	return c.keys[0].key, nil
}

func (a *app) reportSelfSigned(o *certSelfSignFlags, c *x509.Certificate, certFile, keyFile string) error {
	files := map[string]string{"cert": certFile}
	if keyFile != "" {
		files["key"] = keyFile
	}
	if o.asJSON {
		return a.ui.printJSON(selfSignReport{newCertReport(c, a.now()), o.profile, files})
	}
	out := &a.ui.out
	if certFile == "-" || keyFile == "-" {
		out = &a.ui.err
	}
	rows := append([]row{{label: "profile", value: o.profile}}, certificateRows(c, a.now())...)
	rows = append(rows, row{label: "sha256", value: pki.Fingerprint(c.Raw)}, row{label: "certificate", value: certFile})
	if keyFile != "" {
		rows = append(rows, row{label: "key file", value: keyFile})
	}
	rows = append(rows, row{"trust", "none by itself: whoever connects has to be given this certificate", caution})
	a.ui.write(out, out.paint(bold, "made "+nameOf(c))+"\n"+out.rows(rows))
	if o.profile == string(pki.ProfileServer) && keyFile != "" && certFile != "-" {
		a.ui.write(out, "\nnext: "+out.paint(bold, fmt.Sprintf("tlswright serve --echo --cert %s --key %s", certFile, keyFile))+"\n")
	}
	return nil
}
