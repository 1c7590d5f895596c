package cli

import (
	"crypto/x509"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

type caExportFlags struct {
	caFlags
	convert  certConvertFlags
	key      string
	withRoot bool
}

const caExportLong = `Write a certificate of the CA with its chain, in the format that is wanted: PEM,
as servers take it; PKCS#7; or with --key, and under a password, PKCS#12 for
browsers and Windows, and JKS for old Java. The CA does not keep keys of others:
--key names the file that "ca issue" or its owner has.

The format follows the name of -o FILE, or --to says it.`

func newCAExport(a *app) *cobra.Command {
	o := &caExportFlags{convert: certConvertFlags{newSecret: secretFlags{prefix: "new-", isNew: true}}}
	cmd := &cobra.Command{
		Use:   "export SERIAL|NAME",
		Short: "Write a certificate with its chain: PEM, PKCS#12, JKS",
		Long:  caExportLong,
		Example: "  tlswright ca export app.test > fullchain.pem\n  tlswright ca export alice --key alice/privkey.pem -o alice.p12\n" +
			"  tlswright ca export 4f21c0 --root -o chain.p7b",
		Args: oneArg("the SERIAL number or NAME of the certificate"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.caExport(cmd, o, args[0]) },
	}
	o.registerIssuer(cmd, a)
	cmd.ValidArgsFunction = a.completeRecords(&o.caFlags)
	f := cmd.Flags()
	c := &o.convert
	f.StringVar(&o.key, "key", "", "put the private key in this `FILE` along")
	f.BoolVar(&o.withRoot, "root", false, "put the root behind the chain; servers need it not, stores may")
	f.StringVar(&c.to, "to", "", "write this `FORMAT`: "+strings.Join(outputFormats, ", ")+" (default: by the name of --output, else pem)")
	f.StringVarP(&c.output, "output", "o", "", "write to `FILE` (default: standard output)")
	f.BoolVar(&c.legacy, "legacy", false, "PKCS#12 with 3DES and SHA-1, for programs that know nothing better")
	f.StringVar(&c.name, "name", "", "the friendly `NAME` (alias) in PKCS#12 and JKS (default: the common name)")
	f.BoolVar(&c.force, "force", false, "replace the file of --output")
	f.BoolVar(&c.asJSON, "json", false, "print what was written as JSON; needs --output")
	c.secret.register(cmd, "--key")
	c.newSecret.register(cmd, "the output")
	complete(cmd, "to", outputFormats)
	_ = cmd.MarkFlagFilename("output")
	_ = cmd.MarkFlagFilename("key", "pem", "key")
	return cmd
}

func (a *app) caExport(cmd *cobra.Command, o *caExportFlags, what string) (err error) {
	c := &o.convert
	to, err := c.format(cmd)
	if err != nil {
		return err
	}
	toFile := c.output != "" && c.output != "-"
	isBinary := to == "der" || to == "pkcs12" || to == "jks"
	switch {
	case c.asJSON && !toFile:
		return usagef(cmd, "--json needs --output FILE, for the certificate goes to standard output otherwise")
	case isBinary && !toFile && a.ui.out.width > 0:
		return usagef(cmd, "%s is nothing for a terminal: name a file with --output", to)
	case o.key != "" && (to == "der" || to == "pkcs7"):
		return usagef(cmd, "--key goes with pem, pkcs12 and jks, but the output is %s", to)
	case toFile && !c.force:
		if err := refuseToReplace(c.output); err != nil {
			return err
		}
	}
	p, err := a.exported(cmd, o, what)
	if err != nil {
		return err
	}
	if to == "der" {
		p.certs = p.certs[:1]
	}
	for _, cert := range p.certs {
		p.ders = append(p.ders, cert.Raw)
	}
	data, err := a.encode(cmd, c, to, p)
	if err != nil {
		return err
	}
	if err := a.writeResult(c.output, data, p.key != nil, c.force); err != nil || !toFile {
		return err
	}
	return a.reportConverted(c, to, p)
}

// exported gathers the certificate, its chain and the key.
func (a *app) exported(cmd *cobra.Command, o *caExportFlags, what string) (p *parcel, err error) {
	au, err := a.openAuthority(cmd.Context(), &o.caFlags, false)
	if err != nil {
		return nil, err
	}
	defer closing(au, &err)
	record, err := a.findRecord(cmd.Context(), au, what, "valid")
	if err != nil {
		return nil, err
	}
	if err := needCertificate(record); err != nil {
		return nil, err
	}
	leaf, err := cert.ParseX509(record.DER)
	if err != nil {
		return nil, cannotRun(err, "reading the certificate")
	}
	if state := recordState(*record, a.now()); state != "valid" {
		a.ui.warnf("the certificate %s is %s", authority.SerialText(leaf.SerialNumber), state)
	}
	p = &parcel{certs: append([]*x509.Certificate{leaf}, au.Chain...), name: o.convert.name}
	if o.withRoot {
		ca, err := a.readCA()
		if err != nil {
			return nil, err
		}
		p.certs = append(p.certs, ca.Root)
	}
	if o.key == "" {
		return p, nil
	}
	in, err := a.readInput(cmd, o.key, nil, &o.convert.secret)
	if err != nil {
		return nil, err
	}
	if p.key, err = chooseKey(in, ""); err != nil {
		return nil, err
	}
	if p.key == nil {
		return nil, &failure{kind: kindLocal, text: o.key + " holds no private key, but " + in.summary()}
	}
	if !pki.SameKey(leaf.PublicKey, p.key.Public()) {
		return nil, &failure{kind: kindLocal, text: o.key + " is not the key of " + nameOf(leaf), hint: "a renewed certificate has a new key, and the older one its serial number: see tlswright ca search"}
	}
	return p, nil
}
