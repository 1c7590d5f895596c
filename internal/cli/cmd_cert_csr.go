package cli

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

type certCSRFlags struct {
	isNew      bool
	subject    string
	mustStaple bool
	newKey     string
	key        string
	output     string
	keyOutput  string
	encrypt    bool
	force      bool
	asPEM      bool
	asJSON     bool
	secret     secretFlags
}

const certCSRLong = `Read a certificate request (CSR, PKCS#10): whom it names, its key, what else it
asks for, and whether it is signed by the key that it brings. With --new make
one: the NAMEs are those that the certificate shall be for, DNS names and IP
addresses, and the first is the common name, unless --subject says otherwise.

--key FILE makes the request for a key that is there already. Without it a key
is made, and written beside the request. The request goes to a CA; the key
stays.

` + exitCodeHelp

const certCSRExample = `  tlswright cert csr server.csr
  tlswright cert csr --new app.test www.app.test --key server.key -o server.csr
  tlswright cert csr --new app.test -o server.csr --key-output server.key
  tlswright cert csr --new --subject '/O=My App/CN=client-1' --key client.key`

func newCertCSR(a *app) *cobra.Command {
	o := &certCSRFlags{}
	cmd := &cobra.Command{
		Use:     "csr FILE | csr --new NAME...",
		Short:   "Read a certificate request, or make one",
		Long:    certCSRLong,
		Example: certCSRExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.isNew {
				return nil
			}
			return oneArg("a FILE with a request, \"-\", or --new NAME")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.isNew {
				return a.makeCSR(cmd, o, args)
			}
			return a.showCSR(cmd, o, args[0])
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.isNew, "new", false, "make a request for the NAMEs")
	f.StringVar(&o.subject, "subject", "", "with --new: the subject, as `/C=US/O=Example/CN=NAME`")
	f.BoolVar(&o.mustStaple, "must-staple", false, "with --new: ask for a certificate whose server has to staple OCSP responses")
	f.StringVar(&o.key, "key", "", "with --new: the private key is in `FILE`")
	f.StringVar(&o.newKey, "new-key", string(pki.P256), "with --new: `KIND` of the key to make: "+keyTypeList())
	f.StringVarP(&o.output, "output", "o", "", "with --new: write the request to `FILE` (default: standard output)")
	f.StringVar(&o.keyOutput, "key-output", "", "with --new: write the new key to `FILE` (default NAME.key)")
	f.BoolVar(&o.encrypt, "encrypt", false, "lock the new key with a passphrase")
	f.BoolVar(&o.force, "force", false, "replace files that are there")
	f.BoolVar(&o.asPEM, "pem", false, "print the request as PEM, and nothing else")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	o.secret.register(cmd, "the key")
	complete(cmd, "new-key", keyTypeNames())
	for _, flag := range []string{"key", "output", "key-output"} {
		_ = cmd.MarkFlagFilename(flag)
	}
	exclusive(cmd, "key", "new-key")
	exclusive(cmd, "key", "key-output")
	exclusive(cmd, "key", "encrypt")
	exclusive(cmd, "pem", "json")
	return cmd
}

// csrJSON is `cert csr --json`.
type csrJSON struct {
	Source     string            `json:"source"`
	Subject    string            `json:"subject"`
	Names      []string          `json:"names"` // with their kind: "dns:app.test"
	Key        string            `json:"key"`
	KeyBits    int               `json:"key_bits,omitempty"`
	Signature  string            `json:"signature"`
	IsSigned   bool              `json:"signature_valid"`
	MustStaple bool              `json:"must_staple"`
	Extensions []extensionJSON   `json:"extensions"`
	Ignored    []string          `json:"ignored"` // what our CA would not take over
	Pin        string            `json:"pin_sha256"`
	Files      map[string]string `json:"files,omitempty"`
	PEM        string            `json:"pem"`
	Error      *errorJSON        `json:"error,omitempty"`
}

// csrView is a request to be shown; judged is nil where its signature is none of its key's.
type csrView struct {
	*x509.CertificateRequest
	judged  *pki.CSR
	problem error
}

func newCSRView(der []byte) (*csrView, error) {
	r, err := cert.ParseRequest(der)
	if err != nil {
		return nil, err
	}
	v := &csrView{CertificateRequest: r}
	v.judged, v.problem = pki.ParseCSR(der)
	return v, nil
}

func (v *csrView) names() []string {
	if v.judged != nil {
		return orEmpty(v.judged.SANs)
	}
	return namesOf(&x509.Certificate{DNSNames: v.DNSNames, IPAddresses: v.IPAddresses, URIs: v.URIs, EmailAddresses: v.EmailAddresses})
}

func (v *csrView) extensions() []extensionView {
	var list []extensionView
	for _, e := range v.Extensions {
		list = append(list, newExtensionView(asCertExtension(e)))
	}
	return list
}

// asCertExtension is an extension as the tolerant reader would have it.
func asCertExtension(e pkix.Extension) cert.Extension {
	x := cert.Extension{OID: e.Id, Critical: e.Critical, Value: e.Value}
	if der, err := asn1.Marshal(e.Id); err == nil && len(der) > 2 {
		x.RawOID = der[2:]
	}
	return x
}

func (v *csrView) json(origin string) csrJSON {
	pin, _ := pki.PinPublicKey(v.PublicKey) // of a key that cannot be written there is none
	j := csrJSON{
		Source: origin, Subject: pki.Name(v.Subject), Names: v.names(), Key: pki.DescribeKey(v.PublicKey), KeyBits: keyBits(v.PublicKey),
		Signature: cert.AlgorithmName(v.SignatureAlgorithm), IsSigned: v.problem == nil, Extensions: []extensionJSON{}, Ignored: []string{},
		Pin: pin.Base64(), PEM: string(pki.AppendCSRPEM(nil, v.Raw)),
	}
	if v.judged != nil {
		j.MustStaple, j.Ignored = v.judged.MustStaple, orEmpty(v.judged.Ignored)
	}
	for _, x := range v.extensions() {
		j.Extensions = append(j.Extensions, x.json())
	}
	return j
}

func (a *app) showCSR(cmd *cobra.Command, o *certCSRFlags, arg string) error {
	c, err := a.readInput(cmd, arg, nil, nil)
	if err != nil {
		return err
	}
	if len(c.requests) == 0 {
		f := &failure{kind: kindLocal, text: c.origin + " holds no certificate request, but " + c.summary()}
		if len(c.certs) > 0 {
			f.hint = "look at a certificate with: tlswright cert show " + c.origin
		}
		return f
	}
	v, err := newCSRView(c.requests[0])
	if err != nil {
		return cannotRun(err, "%s", c.origin)
	}
	var problem *failure
	if v.problem != nil {
		problem = &failure{kind: kindFinding, text: c.origin + ": " + pki.Printable(v.problem.Error()), err: v.problem}
	}
	switch {
	case o.asPEM:
		a.ui.write(&a.ui.out, string(pki.AppendCSRPEM(nil, v.Raw)))
	case o.asJSON:
		j := v.json(c.origin)
		j.Error = newErrorJSON(problem)
		err = a.ui.printJSON(j)
	default:
		a.printCSR(&a.ui.out, v, "a certificate request", nil)
	}
	if err == nil && problem != nil {
		return problem
	}
	return err
}

func (a *app) printCSR(out *stream, v *csrView, what string, more []row) {
	title := pki.Name(v.Subject)
	if title == "" && len(v.names()) > 0 {
		title = pki.Printable(v.names()[0])
	}
	rows := []row{{label: "subject", value: orWord(pki.Name(v.Subject), "(empty)")}}
	var names []string
	for _, n := range v.names() {
		n = strings.TrimPrefix(strings.TrimPrefix(n, "dns:"), "ip:")
		names = append(names, withUnicode(pki.Printable(n)))
	}
	if len(names) > 0 {
		rows = append(rows, many("names", flow(names, 8), plain)...)
	} else {
		rows = append(rows, row{"names", "none asked for: the CA has to add them", caution})
	}
	key := row{"key", pki.DescribeKey(v.PublicKey), plain}
	if w := keyWeakness(v.PublicKey); w != "" {
		key.value, key.style = key.value+": "+w, bad
	}
	signature := row{"signature", cert.AlgorithmName(v.SignatureAlgorithm) + ", made by this key", good}
	if v.problem != nil {
		signature.value, signature.style = cert.AlgorithmName(v.SignatureAlgorithm)+": NOT GOOD", bad
	}
	rows = append(rows, key, signature)
	for _, x := range v.extensions() {
		if x.oid == cert.OIDSubjectAltName && x.problem == "" {
			continue
		}
		lines := x.lines
		if len(lines) > 0 {
			lines[len(lines)-1] += critical(&x)
		}
		rows = append(rows, many(orWord(x.name, x.oid), lines, plain)...)
	}
	if v.judged != nil && len(v.judged.Ignored) > 0 {
		rows = append(rows, row{"not taken", strings.Join(v.judged.Ignored, ", ") + ": a profile of the CA decides it", faint})
	}
	if pin, err := pki.PinPublicKey(v.PublicKey); err == nil {
		rows = append(rows, row{"pin", pin.String(), plain})
	}
	a.ui.write(out, out.paint(bold, orWord(title, "(no name)"))+out.paint(faint, ", "+what)+"\n"+out.rows(append(rows, more...)))
}

// makeCSR is --new.
func (a *app) makeCSR(cmd *cobra.Command, o *certCSRFlags, names []string) error {
	req := pki.CSRRequest{SANs: names, MustStaple: o.mustStaple}
	var err error
	if req.Subject, err = parseSubject(o.subject); err != nil {
		return usagef(cmd, "--subject: %v", err)
	}
	switch {
	case len(names) == 0 && o.subject == "":
		return usagef(cmd, "whom shall it be for? give NAMEs, or a --subject")
	case o.subject == "" && len(names[0]) <= 64:
		req.CommonName = names[0]
	}
	keyFile := o.keyOutput
	if keyFile == "" && o.key == "" {
		_, keyFile = (&certSelfSignFlags{}).files(pki.Request{CommonName: req.CommonName, Subject: req.Subject})
	}
	for _, file := range []string{o.output, keyFile} {
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
	der, err := pki.CreateCSR(req, key)
	if err != nil {
		return refusedRequest(err, "making the request")
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
	v, err := newCSRView(der)
	if err != nil {
		return cannotRun(err, "reading the request back")
	}
	if o.asJSON {
		return a.reportCSRAsJSON(o, v, keyFile)
	}
	if err := a.writeResult(o.output, pki.AppendCSRPEM(nil, der), false, o.force); err != nil {
		return err
	}
	out := &a.ui.out
	if o.output == "" || o.output == "-" || keyFile == "-" {
		out = &a.ui.err
	}
	var more []row
	if o.output != "" && o.output != "-" {
		more = append(more, row{label: "request", value: o.output})
	}
	if keyFile != "" {
		more = append(more, row{label: "key file", value: keyFile})
	}
	a.printCSR(out, v, "a certificate request, made now", more)
	return nil
}

// reportCSRAsJSON writes the request to its file, where it has one, and reports it.
func (a *app) reportCSRAsJSON(o *certCSRFlags, v *csrView, keyFile string) error {
	j := v.json("--new")
	j.Files = map[string]string{}
	if o.output != "" && o.output != "-" {
		if err := a.writeResult(o.output, []byte(j.PEM), false, o.force); err != nil {
			return err
		}
		j.Files["request"] = o.output
	}
	if keyFile != "" {
		j.Files["key"] = keyFile
	}
	return a.ui.printJSON(j)
}
