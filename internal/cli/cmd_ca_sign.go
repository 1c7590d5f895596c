package cli

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

type caSignFlags struct {
	caFlags
	requestFlags
	constraints constraintFlags
	out         string
	bundle      bool
	force       bool
	asJSON      bool
}

const caSignLong = `Sign a certificate request (PKCS #10) that somebody made with their own key:
"tlswright cert csr", "openssl req -new" and every other tool make them. The
signature on the request is checked. Key, subject, names and must-staple are
taken from it; what the certificate may be used for and how long it lives is
decided by the profile and the flags here, and what else the request asks for is
told and left out. --san replaces the names of the request.

With --profile intermediate the root signs the request of another CA, which may
have its home on another machine (see "ca intermediate --csr-out"); the
constraints say for which names that one may issue.

The certificate goes to standard output or to -o FILE; --chain puts what a
server sends after it behind it.`

func newCASign(a *app) *cobra.Command {
	o := &caSignFlags{}
	cmd := &cobra.Command{
		Use:     "sign CSR",
		Short:   "Sign a certificate request",
		Long:    caSignLong,
		Example: "  tlswright ca sign app.csr --chain -o app.pem\n  tlswright ca sign --profile intermediate lab.csr --permit-dns lab.test\n  openssl req -new -key app.key -subj /CN=app.test | tlswright ca sign -",
		Args:    oneArg("the FILE of the certificate request, or - for standard input"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.caSign(cmd, o, args[0]) },
	}
	o.caFlags.register(cmd, a)
	o.takesCAs = true
	o.requestFlags.register(cmd)
	o.constraints.register(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "", "write the certificate to `FILE` (default: standard output)")
	f.BoolVar(&o.bundle, "chain", false, "with the intermediates behind it, as servers need it")
	f.BoolVar(&o.force, "force", false, "replace the file of -o")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	_ = cmd.MarkFlagFilename("output", "pem", "crt")
	return cmd
}

// signReport is `ca sign --json`.
type signReport struct {
	certReport
	Profile  string        `json:"profile"`
	Ignored  []string      `json:"ignored"` // of the request
	Findings []findingJSON `json:"findings,omitempty"`
	PEM      string        `json:"pem"`
}

func (a *app) caSign(cmd *cobra.Command, o *caSignFlags, file string) (err error) {
	if o.out == "-" {
		o.out = ""
	}
	if err := a.mayReplaceSigned(o); err != nil {
		return err
	}
	text, origin, err := a.readBytes(file)
	if err != nil {
		return err
	}
	csr, err := pki.ParseCSR(text)
	if err != nil {
		return &failure{kind: kindLocal, text: origin + ": " + err.Error(), err: err}
	}
	wanted, err := a.request(cmd, &o.requestFlags)
	if err != nil {
		return err
	}
	taken := wanted.Profile
	if wanted.Spec != nil { // one of the user's own: the names are taken as for the built-in one that it is most like
		taken = pki.ProfileClient
		if wanted.Spec.NeedsSAN {
			taken = pki.ProfileServer
		}
	}
	req, err := pki.RequestFromCSR(csr, taken)
	if err != nil {
		return caFailure(err, "taking the request")
	}
	req.Profile, req.Spec, req.Policies, req.Lifetime = wanted.Profile, wanted.Spec, wanted.Policies, wanted.Lifetime
	req.MustStaple = req.MustStaple || wanted.MustStaple
	if len(wanted.SANs) > 0 {
		req.SANs = wanted.SANs
	}
	if req.NameConstraints, err = o.constraints.constraints(cmd); err != nil {
		return err
	}
	if err := a.pointToRootCRL(&req); err != nil {
		return err
	}
	if isCA := req.Profile == pki.ProfileIntermediate || req.Spec != nil && req.Spec.CA; isCA && o.issuer == "" {
		o.issuer = authority.RootIssuer
	} else if !isCA && req.NameConstraints != nil {
		return usagef(cmd, "name constraints are for CAs: they go with --profile intermediate")
	}
	au, err := a.openToIssue(cmd.Context(), &o.caFlags)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	issued, err := au.Order(cmd.Context(), authority.Order{Request: req, CSR: csr.Raw})
	if err != nil {
		return issuingFailure(err, len(o.sans) == 0 && len(csr.SANs) == 0)
	}
	return a.reportSigned(o, csr, issued)
}

// mayReplaceSigned refuses to overwrite what is there, before a certificate is signed that would have to go there.
func (a *app) mayReplaceSigned(o *caSignFlags) error {
	switch {
	case o.out == "":
		return nil
	case o.force:
		if err := a.refuseCAFile(o.out); err != nil {
			return err
		}
	default:
		if err := refuseToReplace(o.out); err != nil {
			return err
		}
	}
	return needFolder(o.out)
}

// pointToRootCRL has a further intermediate name the CRL that the first one names.
func (a *app) pointToRootCRL(req *pki.Request) error {
	if req.Profile != pki.ProfileIntermediate {
		return nil
	}
	ca, err := a.readCA()
	if err != nil {
		return err
	}
	req.CRLDistributionPoints = ca.Intermediate.CRLDistributionPoints
	return nil
}

func (a *app) reportSigned(o *caSignFlags, csr *pki.CSR, issued *authority.Issued) error {
	var text []byte
	for i, der := range issued.Chain {
		if i == 0 || o.bundle {
			text = pki.AppendCertificatePEM(text, der)
		}
	}
	if o.out != "" {
		if _, err := os.Lstat(o.out); err == nil && !o.force {
			// The certificate is on record by now: it must not be lost for a file that is in the way.
			a.ui.write(&a.ui.out, string(text))
			return refuseToReplace(o.out)
		}
		if err := keystore.WriteFile(o.out, text, 0o644); err != nil {
			return cannotRun(err, "writing the certificate")
		}
	}
	if len(csr.SANs) == 0 && len(o.sans) == 0 && len(issued.Certificate.DNSNames) > 0 {
		a.ui.notef("the request has no alternative names, as old tools make them: its common name became one; --san names others")
	}
	if len(csr.Ignored) > 0 {
		a.ui.notef("the request also asks for this, which the profile decides: %s", strings.Join(csr.Ignored, ", "))
	}
	a.noteFindings(issued.Findings)
	switch {
	case o.asJSON:
		return a.ui.printJSON(signReport{newCertReport(issued.Certificate, a.now()), o.profile, orEmpty(csr.Ignored), newFindingsJSON(issued.Findings), string(text)})
	case o.out == "":
		a.ui.write(&a.ui.out, string(text))
	default:
		out := &a.ui.out
		rows := append(certificateRows(issued.Certificate, a.now())[1:], row{label: "serial", value: authority.SerialText(issued.Certificate.SerialNumber)}, row{label: "file", value: o.out})
		a.ui.write(out, out.paint(bold, "signed "+nameOf(issued.Certificate))+"\n"+out.rows(rows))
	}
	return nil
}
